/* SPDX-License-Identifier: MIT */
/*
 * A C program that uses storm/ as a library: linked into it, or the file that its argument names.
 * Before the storm it says "ready" and waits for a line, so that its keeper can look at it first.
 */
#include <dlfcn.h>
#include <stdio.h>

#ifdef LINKED
extern void Storm(void);
#endif

static void (*storm_of(const char *path))(void)
{
#ifdef LINKED
	return path ? NULL : Storm;
#else
	void *library = path ? dlopen(path, RTLD_NOW) : NULL;
	if (!library) {
		fprintf(stderr, "%s\n", path ? dlerror() : "a library is missing");
		return NULL;
	}
	void (*storm)(void);
	*(void **)&storm = dlsym(library, "Storm");
	return storm;
#endif
}

int main(int argc, char **argv)
{
	void (*storm)(void) = storm_of(argv[1]);
	if (!storm)
		return 1;
	puts("ready");
	fflush(stdout);
	getchar();
	storm();
	puts("survived");
	return 0;
}
