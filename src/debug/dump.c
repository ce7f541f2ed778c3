/* SPDX-License-Identifier: MIT */
/*
 * dump.c: writes every task, in a form close to Go's:
 *
 *   task 17 'resolver' [chan recv, 3 minutes, locked to thread 5]:
 *   	weft_chan_recv+0x4c (libweft.so.1)
 *   	resolve+0x31 (server)
 *
 * The runtime is not stopped: records are type-stable and read as they are, stacks within their
 * bounds. What changes meanwhile may look odd, like a moving thing in a photograph, but it does no
 * harm. Tasks that run on other threads are stopped one by one (stop.h). The runtime's own calls
 * above a public weft_ call are left out.
 *
 * The buffers are static and used by one dump at a time.
 */
#include "debug/dump.h"

#include <errno.h>
#include <string.h>

#include "base/sys.h"
#include "base/time.h"
#include "debug/out.h"
#include "debug/stop.h"
#include "debug/symbols.h"
#include "sched/foreign.h"
#include "sched/record.h"
#include "sched/sched.h"
#include "sched/sim.h"
#include "sched/task.h"
#include "weft/debug.h"
#include "weft/version.h"

enum { FRAMES = 64 };

static struct {
	uint32_t busy;
	bool names; /* symbols are available: nobody else uses them */
	struct out out;
	struct frame frames[FRAMES];
	struct registers own;
	struct task *self;
	int64_t now;
	unsigned count[TASK_ENDED + 1];
} dump;

static bool is_unborn(const struct task *task)
{
	return load_relaxed(&task->special) & TASK_UNBORN;
}

static const char *state_name(const struct task *task, uint32_t state)
{
	static const char *const names[] = {"free", "runnable", "running", "waiting",
					    "ended, not joined"};
	const char *why = load_relaxed(&task->why);
	if (state == TASK_WAITING && why)
		return why;
	if (state == TASK_READY && is_unborn(task))
		return "runnable, not started";
	return state < array_len(names) ? names[state] : "?";
}

static void write_duration(int64_t ns)
{
	if (ns >= SECONDS(120))
		weft__out(&dump.out, ", %lld minutes", (long long)(ns / SECONDS(60)));
	else if (ns >= SECONDS(1))
		weft__out(&dump.out, ", %lld s", (long long)(ns / SECONDS(1)));
	else
		weft__out(&dump.out, ", %lld ms", (long long)(max_of(ns, 0) / MS(1)));
}

static void write_head(const struct task *task, uint32_t state)
{
	char name[TASK_NAME] = "";
	memccpy(name, task_name(task), 0, sizeof(name) - 1);
	const struct thread *t = task_thread(task);
	const struct thread *locked = load_relaxed(&task->locked_thread);
	weft__out(&dump.out, "\ntask %llu", (unsigned long long)task->id);
	if (name[0])
		weft__out(&dump.out, " '%s'", name);
	weft__out(&dump.out, " [%s", state_name(task, state));
	if (state == TASK_WAITING)
		write_duration(dump.now - task->since);
	if (state == TASK_RUNNING && t)
		weft__out(&dump.out, " on thread %u%s", t->number,
			  load_relaxed(&t->lease.word) == LEASE_TAKEN ? " without a processor"
								      : "");
	if (load_relaxed(&task->cancelled))
		weft__out(&dump.out, ", cancelled");
	if (locked)
		weft__out(&dump.out, ", locked to thread %u", locked->number);
	weft__out(&dump.out, "]:\n");
}

/* ---- stacks ---- */

static bool is_public(const char *name)
{
	return name && strncmp(name, "weft_", 5) == 0 && name[5] != '_';
}

static struct symbol symbol_of(unsigned i)
{
	/* A return address may already belong to the next function: the call before it counts. */
	return dump.names ? weft__symbol_at(dump.frames[i].pc - (i > 0)) : (struct symbol){0};
}

/* Returns how many frames at the top are the runtime's own, up to the public call that led
 * there. */
static unsigned inner_frames(unsigned n)
{
	for (unsigned i = 0; i < n && i < 12; i++)
		if (is_public(symbol_of(i).name))
			return i;
	return 0;
}

static bool is_start(const struct symbol *s)
{
	return s->name && strcmp(s->name, "weft__task_main") == 0;
}

static void write_frame(unsigned i)
{
	struct symbol s = symbol_of(i);
	const char *mark = dump.frames[i].guess ? "? " : "";
	if (is_start(&s))
		return;
	if (s.name)
		weft__out(&dump.out, "\t%s%s+0x%llx (%s)\n", mark, s.name,
			  (unsigned long long)s.offset + (i > 0), s.module);
	else if (s.module)
		weft__out(&dump.out, "\t%s%#lx (%s+0x%llx)\n", mark, dump.frames[i].pc, s.module,
			  (unsigned long long)s.offset + (i > 0));
	else
		weft__out(&dump.out, "\t%s%#lx\n", mark, dump.frames[i].pc);
}

/* The frames of a task that runs on a thread that can be stopped; 0: it cannot. */
static unsigned running_frames(struct task *task)
{
	struct registers r;
	struct thread *t = task_thread(task);
	unsigned n = 0;
	if (task == dump.self)
		return weft__unwind(task, dump.own, dump.frames, FRAMES);
	if (!t || !weft__stop_hold(load_relaxed(&t->tid), &r))
		return 0;
	if (load_relaxed(&t->task) == task)
		n = weft__unwind(task, r, dump.frames, FRAMES);
	weft__stop_release();
	return n;
}

/* What an unborn task will run, in the place of its frames. */
static unsigned coming_frames(const struct task *task)
{
	dump.frames[0] = (struct frame){(uintptr_t)task->fn.plain, false};
	return 1;
}

static unsigned frames_of(struct task *task, uint32_t state)
{
	if (state == TASK_RUNNING)
		return running_frames(task);
	return is_unborn(task) ? coming_frames(task)
			       : weft__unwind(task, weft__unwind_parked(task), dump.frames, FRAMES);
}

static void write_stack(struct task *task, uint32_t state)
{
	unsigned n = frames_of(task, state);
	if (state == TASK_RUNNING && n == 0)
		weft__out(&dump.out, "\t(its stack cannot be read while it runs)\n");
	for (unsigned i = inner_frames(n); i < n; i++)
		write_frame(i);
	if (n == FRAMES)
		weft__out(&dump.out, "\t...\n");
}

/* ---- all ---- */

static void count_task(struct task *task, void *arg)
{
	uint32_t state = load_relaxed(&task->state);
	dump.count[min_of(state, TASK_ENDED)]++;
}

static void write_task(struct task *task, void *arg)
{
	uint32_t state = load_relaxed(&task->state);
	if (state == TASK_FREE || dump.out.error)
		return;
	write_head(task, state);
	if (state == TASK_ENDED)
		return;
	write_stack(task, state);
}

static void write_all(void)
{
	const unsigned *n = dump.count;
	weft__record_each(count_task, NULL);
	weft__out(&dump.out,
		  "weft %s: %u tasks (%u running, %u runnable, %u waiting, %u ended), %u "
		  "processors, %u threads\n",
		  weft_version(), n[TASK_RUNNING] + n[TASK_READY] + n[TASK_WAITING] + n[TASK_ENDED],
		  n[TASK_RUNNING], n[TASK_READY], n[TASK_WAITING], n[TASK_ENDED],
		  sched.processor_count, load_relaxed(&sched.thread_count));
	if (sched.sim)
		weft__out(&dump.out, "WEFT_SIM=%llu runs this schedule again\n",
			  (unsigned long long)weft__sim_seed());
	weft__record_each(write_task, NULL);
	weft__out(&dump.out, "\n");
}

/* Where the caller of the function with this frame continues. */
static struct registers caller_registers(void *pc, void *frame)
{
	return (struct registers){
		.pc = (uintptr_t)pc,
		.sp = (uintptr_t)frame + 2 * sizeof(uintptr_t),
		.fp = *(uintptr_t *)frame,
	};
}

noinline int weft__dump_to(int fd, const struct registers *own)
{
	uint32_t none = 0;
	if (!cas_acq_rel(&dump.busy, &none, 1)) /* pairs with weft__dump_to: the store below */
		return -EBUSY;
	struct thread *t = weft__thread_self();
	memset(dump.count, 0, sizeof(dump.count));
	dump.self = t ? t->task : NULL;
	dump.own = own ? *own
		       : caller_registers(__builtin_return_address(0), __builtin_frame_address(0));
	dump.now = weft__sched_now();
	weft__out_begin(&dump.out, fd);
	dump.names = weft__symbols_open();
	write_all();
	if (dump.names)
		weft__symbols_close();
	int err = weft__out_flush(&dump.out);
	store_release(&dump.busy, 0); /* pairs with weft__dump_to: the CAS above */
	return err;
}

int weft_dump(int fd)
{
	int err = weft__foreign_enter();
	if (err)
		return err;
	err = weft__dump_to(fd, NULL);
	weft__foreign_leave();
	return err;
}
