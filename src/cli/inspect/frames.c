/* SPDX-License-Identifier: MIT */
/*
 * frames.c: the call stack of another process's task, by its chain of frame pointers
 * (debug/unwind.h).
 *
 * A task that waits needs nothing of its process. For one that runs, its thread is stopped as long
 * as reading its registers and the chain takes, and continues by itself should this process die.
 */
#include <errno.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "base/attr.h"
#include "cli/inspect/target.h"
#include "cli/proc/tracee.h"
#include "cli/proc/unwind.h"

static bool inside(const struct target_task *task, uint64_t address)
{
	return address % 8 == 0 && address >= task->low && address + 16 <= task->high;
}

static unsigned follow(const struct target *t, const struct target_task *task, uint64_t pc,
		       uint64_t fp, uint64_t *pcs, unsigned room)
{
	unsigned n = 0;
	if (room && pc)
		pcs[n++] = pc;
	while (n < room && inside(task, fp)) {
		uint64_t frame[2]; /* the caller's frame pointer, the return address */
		if (!target_read(t, fp, frame, sizeof(frame)) || !frame[1])
			break;
		pcs[n++] = frame[1];
		if (frame[0] <= fp) /* callers lie above */
			break;
		fp = frame[0];
	}
	return n;
}

static unsigned parked(const struct target *t, const struct target_task *task, uint64_t *pcs,
		       unsigned room)
{
	uint64_t pc = 0, fp = 0;
	if (!inside(task, task->sp) || !target_read(t, task->sp + 8 * t->layout.frame_pc, &pc, 8) ||
	    !target_read(t, task->sp + 8 * t->layout.frame_fp, &fp, 8))
		return 0;
	return follow(t, task, pc, fp, pcs, room);
}

static unsigned running(const struct target *t, const struct target_task *task, uint64_t *pcs,
			unsigned room)
{
	struct unwind_start at;
	unsigned n = 0;
	pid_t tid = (pid_t)task->tid;
	int status;
	if (!t->pid || !tid || ptrace(PTRACE_SEIZE, tid, 0, 0) < 0)
		return 0;
	if (ptrace(PTRACE_INTERRUPT, tid, 0, 0) == 0 && waitpid(tid, &status, __WALL) == tid &&
	    weft__tracee_registers(tid, &at) == 0)
		n = follow(t, task, at.pc, at.fp, pcs, room);
	ptrace(PTRACE_DETACH, tid, 0, 0);
	return n;
}

static unsigned coming(const struct target_task *task, uint64_t *pcs, unsigned room)
{
	if (room)
		pcs[0] = task->fn;
	return min_of(room, 1u);
}

unsigned target_frames(const struct target *t, const struct target_task *task, uint64_t *pcs,
		       unsigned room)
{
	if (task->state == TARGET_ENDED)
		return 0;
	if (task->state == TARGET_READY && task->fn)
		return coming(task, pcs, room);
	return task->state == TARGET_RUNNING ? running(t, task, pcs, room)
					     : parked(t, task, pcs, room);
}
