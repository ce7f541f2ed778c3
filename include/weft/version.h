/* SPDX-License-Identifier: MIT */
/*
 * weft/version.h: which version a program was compiled against, and which one it runs with. Since
 * 0.1.
 *
 * The build reads the three numbers from here: this is their only home. While the first is 0 a new
 * minor version may change the API; the CHANGELOG says what changed, and the shared library's name
 * changes with it.
 */
#ifndef WEFT_VERSION_H
#define WEFT_VERSION_H

#define WEFT_VERSION_MAJOR 0
#define WEFT_VERSION_MINOR 2
#define WEFT_VERSION_PATCH 0

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Returns the version of the library that runs, "0.2.0": a constant string. */
const char *weft_version(void);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
