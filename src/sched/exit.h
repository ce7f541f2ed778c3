/* SPDX-License-Identifier: MIT */
/* exit.h: the end of a thread; see exit.c. */
#ifndef WEFT_SCHED_EXIT_H
#define WEFT_SCHED_EXIT_H

#include <stdbool.h>
#include <stdint.h>

struct thread;

/* Ends the calling thread's life with the runtime. Returns what its start routine must return. */
void *weft__thread_exit(struct thread *t);

#ifdef WEFT_FAULTS
/*
 * The walls that `weft storm` takes down, in child processes of its own. Only the command's copy of
 * the scheduler is compiled with them; the libraries do not contain this.
 */
struct weft_faults {
	bool processor_first; /* the order of Go 1.24.0-1.24.2: the processor, then the state */
	bool no_check;	      /* the processor's cache does not ask whether the caller holds it */
	uint64_t exit_allocations; /* from a processor's cache, by threads in thread_exit */
	void (*on_step)(uint32_t thread, uint32_t step); /* told about each step of an exit */
};
extern struct weft_faults weft__faults;
#endif

#endif
