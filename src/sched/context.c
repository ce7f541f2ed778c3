/* SPDX-License-Identifier: MIT */
/* context.c: making and ending contexts; see context.h. */
#include "sched/context.h"

void weft__context_init(struct context *c, void *bottom, void *top)
{
	c->sp = frame_prepare(top);
#ifdef WEFT_ASAN
	c->fake_stack = NULL;
	c->bottom = bottom;
	c->size = (size_t)((char *)top - (char *)bottom);
	__asan_unpoison_memory_region(bottom, c->size); /* frames of the last task that never returned */
#endif
#ifdef WEFT_TSAN
	c->fiber = __tsan_create_fiber(0);
#endif
}

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

void weft__context_release(struct context *c)
{
#ifdef WEFT_TSAN
	__tsan_destroy_fiber(c->fiber);
	c->fiber = NULL;
#endif
}
