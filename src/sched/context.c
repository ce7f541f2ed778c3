/* SPDX-License-Identifier: MIT */
/* context.c: see context.h. */
#include "sched/context.h"

void weft__context_adopt(struct context *c, void *bottom, size_t size)
{
	c->sp = NULL;
#ifdef WEFT_ASAN
	c->fake_stack = NULL;
	c->bottom = bottom;
	c->size = size;
#endif
#ifdef WEFT_TSAN
	c->fiber = __tsan_get_current_fiber();
#endif
}
