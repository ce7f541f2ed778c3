/* SPDX-License-Identifier: MIT */
/* reopen.h: see reopen.c. */
#ifndef WEFT_API_REOPEN_H
#define WEFT_API_REOPEN_H

/*
 * Opens the terminal or pipe that `fd` stands for again, non-blocking, for reading (O_RDONLY) or
 * writing (O_WRONLY). Returns the descriptor, which the caller closes, or -errno.
 */
int weft__reopen(int fd, int access);

#endif
