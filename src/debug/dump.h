/* SPDX-License-Identifier: MIT */
/* dump.h: all tasks with their stacks, as text; see dump.c. */
#ifndef WEFT_DEBUG_DUMP_H
#define WEFT_DEBUG_DUMP_H

struct registers;

/*
 * Writes the dump. `own`: where the calling task was interrupted; NULL: it called this function.
 * Async-signal-safe; takes no lock of the runtime and works under any of them. Returns 0; -EBUSY:
 * another thread is writing a dump; or an error of write(2).
 */
int weft__dump_to(int fd, const struct registers *own);

#endif
