/* SPDX-License-Identifier: MIT */
/* version.c: the version of the library at build time. */
#include "weft/version.h"

#define TEXT(x) #x
#define DOTTED(a, b, c) TEXT(a) "." TEXT(b) "." TEXT(c)

const char *weft_version(void)
{
	return DOTTED(WEFT_VERSION_MAJOR, WEFT_VERSION_MINOR, WEFT_VERSION_PATCH);
}
