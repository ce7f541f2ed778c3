/* SPDX-License-Identifier: MIT */
/*
 * context.h: one stack switch, announced to whoever watches stacks.
 *
 * A context is a stack pointer (frame.h) plus what the sanitizers keep for it. The announcements
 * stand in the same frame as the switch. ThreadSanitizer gets every switch without synchronisation,
 * so that it still sees races between tasks that share a thread; what orders tasks (waking,
 * starting, joining) is told to it by tsan_release and tsan_acquire, and so is that a thread's key
 * destructors come after all of its tasks. Scheduler files are compiled without instrumentation:
 * they run on borrowed stacks.
 */
#ifndef WEFT_SCHED_CONTEXT_H
#define WEFT_SCHED_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "arch/frame.h"
#include "base/attr.h"

#ifdef WEFT_ASAN
void __sanitizer_start_switch_fiber(void **fake_stack, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *fake_stack, const void **bottom, size_t *size);
void __asan_unpoison_memory_region(const volatile void *address, size_t size);
void __lsan_register_root_region(const void *begin, size_t size);
void __lsan_unregister_root_region(const void *begin, size_t size);
#endif
#ifdef WEFT_TSAN
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);
void __tsan_acquire(void *address);
void __tsan_release(void *address);
void __sanitizer_syscall_pre_impl_close(long fd);
#endif

struct context {
	void *sp;
#ifdef WEFT_ASAN
	void *fake_stack;
	const void *bottom;
	size_t size;
#endif
#ifdef WEFT_TSAN
	void *fiber;
#endif
};

static always_inline void tsan_release(void *address)
{
#ifdef WEFT_TSAN
	__tsan_release(address);
#endif
}

static always_inline void tsan_acquire(void *address)
{
#ifdef WEFT_TSAN
	__tsan_acquire(address);
#endif
}

/* The kernel is about to be asked to close fd, which the program may have used by libc's calls.
 * Were it not told, ThreadSanitizer would take what the number's next user does for a race with
 * them. */
static always_inline void tsan_closes(int fd)
{
#ifdef WEFT_TSAN
	__sanitizer_syscall_pre_impl_close(fd);
#endif
}

/* What the sanitizer knows of frames on this stack that never returned: whoever has the memory next
 * must not be blamed for them. */
static always_inline void context_forget(void *bottom, size_t size)
{
#ifdef WEFT_ASAN
	__asan_unpoison_memory_region(bottom, size);
#endif
}

/* LeakSanitizer does not find our memory by itself: what pointers of the program's lie in these
 * bytes hold what they point to, until lsan_forget. All of the bytes must be readable: no guard. */
static always_inline void lsan_look_into(const void *begin, size_t size)
{
#ifdef WEFT_ASAN
	__lsan_register_root_region(begin, size);
#endif
}

static always_inline void lsan_forget(const void *begin, size_t size)
{
#ifdef WEFT_ASAN
	__lsan_unregister_root_region(begin, size);
#endif
}

/* A new context, without a stack. To ThreadSanitizer it goes on from what its creator has done. */
static always_inline void context_new(struct context *c)
{
	c->sp = NULL;
#ifdef WEFT_TSAN
	c->fiber = __tsan_create_fiber(0);
#endif
}

/* Tells AddressSanitizer of its stack [bottom, top), where it has no frames yet. */
static always_inline void context_bounds(struct context *c, void *bottom, void *top)
{
#ifdef WEFT_ASAN
	c->fake_stack = NULL;
	c->bottom = bottom;
	c->size = (size_t)((char *)top - (char *)bottom);
#endif
}

/* Puts it on the stack [bottom, top), where it will enter weft__task_entry. */
static always_inline void context_mount(struct context *c, void *bottom, void *top,
					uintptr_t fp_env)
{
	c->sp = frame_prepare(top, fp_env);
	context_bounds(c, bottom, top);
	context_forget(bottom, (size_t)((char *)top - (char *)bottom));
}

/* Puts it on the stack [bottom, top) that the calling context is about to leave for ever. */
static always_inline void context_inherit(struct context *c, void *bottom, void *top)
{
	c->sp = NULL;
	context_bounds(c, bottom, top);
}

/* Enters the context that has inherited the caller's stack: nothing of the caller's is left. What
 * AddressSanitizer knows of the caller's frames is forgotten last: only the jump comes after it. */
static always_inline _Noreturn void context_start_over(struct context *c, void *top,
						       struct thread *t, uintptr_t fp_env)
{
	arch_fp_env_set(fp_env);
#ifdef WEFT_ASAN
	__sanitizer_start_switch_fiber(NULL, c->bottom, c->size);
	__asan_unpoison_memory_region(c->bottom, c->size);
#endif
	arch_start_over(top, t);
}

/* The context of the calling thread's own stack, before the first switch away from it. */
void weft__context_adopt(struct context *c, void *bottom, size_t size);
/* The stack will not be used again by this context. */
static always_inline void context_release(struct context *c)
{
#ifdef WEFT_TSAN
	__tsan_destroy_fiber(c->fiber);
	c->fiber = NULL;
#endif
}

/* The first thing on a stack that was switched to: what the switch away from it began. */
static always_inline void context_arrived(struct context *self)
{
#ifdef WEFT_ASAN
	__sanitizer_finish_switch_fiber(self->fake_stack, NULL, NULL);
#endif
}

/* `dying`: `from` will never be resumed. Gives the thread on which `from` goes on. */
static always_inline struct thread *context_switch(struct context *from, struct context *to,
						   struct thread *t, bool dying)
{
#ifdef WEFT_ASAN
	__sanitizer_start_switch_fiber(dying ? NULL : &from->fake_stack, to->bottom, to->size);
#endif
#ifdef WEFT_TSAN
	__tsan_switch_to_fiber(to->fiber, 1); /* 1: no synchronisation implied */
#endif
	t = weft__switch(&from->sp, to->sp, t);
	context_arrived(from);
	return t;
}

#endif
