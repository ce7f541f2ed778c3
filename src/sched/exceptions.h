/* SPDX-License-Identifier: MIT */
/*
 * exceptions.h: C++ exceptions in flight belong to the task that threw them.
 *
 * The C++ runtime keeps two things per thread: the stack of exceptions that are being handled (what
 * `throw;` and std::current_exception mean) and how many are on their way to a handler
 * (std::uncaught_exceptions). A task that leaves its stack takes them along, on that stack; a task
 * that begins has none, whatever its spawner is doing.
 *
 * Where they lie is the one thing that the Itanium C++ ABI (2.2.2) fixes: __cxa_get_globals returns
 * the address, which stays the same while the thread lives, and both libstdc++ and libc++abi have
 * this layout there. The reference is weak: in a program without C++ there is no such function, and
 * a switch costs a predicted branch. So a C++ library that such a program loads later, by dlopen,
 * is not seen.
 *
 * Rejected: asking at each switch (a call into another library, 2 ns), a place in the task's record
 * (a switch writes it, and most programs never would).
 */
#ifndef WEFT_SCHED_EXCEPTIONS_H
#define WEFT_SCHED_EXCEPTIONS_H

#include "base/attr.h"

/* The layout is the ABI's. */
struct exceptions {
	void *caught;	   /* innermost first */
	unsigned uncaught; /* how many */
};

extern struct exceptions *__cxa_get_globals(void) __attribute__((weak));

/* Returns the calling thread's; NULL: there is no C++ in this program. */
static inline struct exceptions *exceptions_of_thread(void)
{
	return __cxa_get_globals ? __cxa_get_globals() : NULL;
}

/* Returns what a context takes along when it leaves its thread, whose `place` is. */
static always_inline struct exceptions exceptions_take(const struct exceptions *place)
{
	struct exceptions none = {0};
	return unlikely(place) ? *place : none;
}

/* Puts it back where the context continues, perhaps on another thread. */
static always_inline void exceptions_put(struct exceptions *place, struct exceptions mine)
{
	if (unlikely(place))
		*place = mine;
}

#endif
