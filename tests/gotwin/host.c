/* SPDX-License-Identifier: MIT */
/* host.c LIBRARY ARG...: a C program that opens gotwin as a library and runs it. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : NULL;
	int (*run)(int argc, char **argv) = NULL;

	if (library) {
		void *symbol = dlsym(library, "main");
		memcpy(&run, &symbol, sizeof(run));
	}
	if (!run) {
		fprintf(stderr, "%s\n", argc > 1 ? dlerror() : "a library is missing");
		return 2;
	}
	return run(argc - 1, argv + 1);
}
