/* SPDX-License-Identifier: MIT */
/* archive.c: see archive.h. */
#include "cli/scan/image/archive.h"

#include "cli/shell/cli.h"

#ifdef WEFT_STATIC

struct archive_calls weft__archive = {
#define CALL(name) .name = archive_##name,
	ARCHIVE_CALLS(CALL)
#undef CALL
};

void weft__archive_load(void)
{
}

#else

#include <dlfcn.h>
#include <pthread.h>

struct archive_calls weft__archive;

static void load(void)
{
	void *library = dlopen("libarchive.so.13", RTLD_NOW | RTLD_LOCAL);
	const char *missing = library ? NULL : "libarchive.so.13";

#define CALL(name) \
	weft__archive.name = \
		library ? (__typeof__(archive_##name) *)dlsym(library, "archive_" #name) : NULL; \
	if (!weft__archive.name && !missing) \
		missing = "archive_" #name;
	ARCHIVE_CALLS(CALL)
#undef CALL
	if (missing)
		cli_die("images need libarchive 3, and %s is not there", missing);
}

void weft__archive_load(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
}

#endif
