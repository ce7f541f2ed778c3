/* SPDX-License-Identifier: MIT */
/* unwind.c: see unwind.h. */
#include "debug/unwind.h"

#include "arch/frame.h"
#include "debug/symbols.h"
#include "sched/sched.h"
#include "sched/stack.h"

/* Words of other stacks are read while they change, red zones included. */
#define reads_stacks noinline __attribute__((no_sanitize("address"), no_sanitize("thread")))

enum { GAP_WORDS = 4096, GUESSES = 16, CHAIN_MAX = 4096 };

struct bounds {
	uintptr_t low, high;
};

static struct bounds bounds_of(const struct task *task)
{
	const struct stack *stack = load_relaxed(&task->stack);
	return (struct bounds){(uintptr_t)weft__stack_bottom_of(stack), (uintptr_t)stack};
}

/* May two words be read at `address`? */
static bool inside(const struct bounds *b, uintptr_t address)
{
	return address && address % sizeof(uintptr_t) == 0 && address >= b->low &&
	       address + 2 * sizeof(uintptr_t) <= b->high;
}

static reads_stacks uintptr_t word(uintptr_t address)
{
	return *(volatile const uintptr_t *)address;
}

struct registers weft__unwind_parked(const struct task *task)
{
	struct bounds b = bounds_of(task);
	uintptr_t sp = (uintptr_t)load_relaxed(&task->context.sp);
	if (!inside(&b, sp) || sp + FRAME_WORDS * sizeof(uintptr_t) > b.high)
		return (struct registers){0};
	return (struct registers){
		.pc = word(sp + FRAME_PC * sizeof(uintptr_t)),
		.fp = word(sp + FRAME_FP * sizeof(uintptr_t)),
		.sp = sp + FRAME_WORDS * sizeof(uintptr_t),
	};
}

/* Does a call instruction end at `pc`? */
static bool follows_call(uintptr_t pc)
{
	if (!weft__symbol_is_code(pc) || !weft__symbol_is_code(pc - 8))
		return false;
	const uint8_t *code = (const uint8_t *)pc;
#if defined(__x86_64__)
	return code[-5] == 0xe8 ||
	       (code[-2] == 0xff && (code[-1] & 0x38) == 0x10) || /* call rel32; call *reg */
	       (code[-3] == 0xff && (code[-2] & 0x38) == 0x10) ||
	       (code[-6] == 0xff && code[-5] == 0x15);
#else
	uint32_t instruction = *(const uint32_t *)(code - 4);
	return instruction >> 26 == 0x25 || (instruction & 0xfffffc1f) == 0xd63f0000; /* bl; blr */
#endif
}

static bool is_bottom(uintptr_t pc)
{
	return pc >= (uintptr_t)weft__task_entry && pc < (uintptr_t)weft__task_entry + 32;
}

/* Does the chain of frames from `fp` on lead to the task's first frame? */
static bool reaches_bottom(const struct bounds *b, uintptr_t fp)
{
	for (unsigned i = 0; i < CHAIN_MAX && inside(b, fp); i++) {
		uintptr_t next = word(fp);
		if (is_bottom(word(fp + sizeof(uintptr_t))))
			return true;
		if (next <= fp) /* callers lie above */
			return false;
		fp = next;
	}
	return false;
}

/* Is there a frame at `at` that belongs to the chain? */
static bool is_frame(const struct bounds *b, uintptr_t at)
{
	return inside(b, at) && follows_call(word(at + sizeof(uintptr_t))) && reaches_bottom(b, at);
}

struct walk {
	struct bounds bounds;
	struct frame *out;
	unsigned count, room;
};

static void add(struct walk *w, uintptr_t pc, bool guess)
{
	if (w->count < w->room)
		w->out[w->count++] = (struct frame){pc, guess};
}

/*
 * Goes from the stack pointer up to the first frame of the chain; return addresses on the way are
 * guessed. Returns that frame, or 0: there is none.
 */
static uintptr_t cross_gap(struct walk *w, struct registers r)
{
	unsigned guesses = 0;
	for (uintptr_t at = r.sp;
	     at < r.sp + GAP_WORDS * sizeof(uintptr_t) && inside(&w->bounds, at);
	     at += sizeof(uintptr_t)) {
		if (at == r.fp || is_frame(&w->bounds, at))
			return at;
		if (guesses < GUESSES && follows_call(word(at))) {
			add(w, word(at), true);
			guesses++;
		}
	}
	return 0;
}

unsigned weft__unwind(const struct task *task, struct registers r, struct frame *out, unsigned room)
{
	struct walk w = {.bounds = bounds_of(task), .out = out, .room = room};
	if (!r.pc || is_bottom(r.pc))
		return 0;
	add(&w, r.pc, false);
	bool whole = reaches_bottom(&w.bounds, r.fp);
	if (!whole)
		r.fp = 0;
	if (!whole || task->state == TASK_RUNNING)
		r.fp = cross_gap(&w, r);
	while (w.count < room && inside(&w.bounds, r.fp)) {
		uintptr_t next = word(r.fp), pc = word(r.fp + sizeof(uintptr_t));
		if (is_bottom(pc))
			break;
		add(&w, pc, false);
		if (next <= r.fp)
			break;
		r.fp = next;
	}
	return w.count;
}
