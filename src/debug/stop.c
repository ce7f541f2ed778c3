/* SPDX-License-Identifier: MIT */
/*
 * stop.c: see stop.h.
 *
 *   note.state   meaning                 who moves it
 *   IDLE         no thread is asked      IDLE -> ASKED: the reader
 *   ASKED        a signal is on its way  ASKED -> HELD: the handler, by CAS
 *                                        ASKED -> IDLE: the reader, by CAS, when nobody answers
 *   HELD         registers are there     HELD -> IDLE: the reader, which wakes the handler
 *
 * A handler that comes too late finds another state, or another thread's number, and returns.
 */
#include "debug/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/attr.h"
#include "base/sys.h"
#include "base/time.h"
#include "debug/quit.h"

enum { IDLE, ASKED, HELD };
enum { REFUSALS = 4 };
#define ANSWER_WAIT MS(500)

static struct {
	uint32_t state; /* futex of both sides */
	pid_t tid;
	/* In a row, by threads that block SIGQUIT: after REFUSALS no thread is asked any more. */
	unsigned refusals;
	struct registers registers;
} note;

/* "0 0x3 0x7f.. ... SP PC": the thread is in a system call; "running": it is not. */
bool weft__stop_asleep(pid_t tid, long *call, struct registers *r)
{
	char path[48], text[256];
	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", (int)tid);
	sys_read_file(path, text, sizeof(text));
	char *pc = strrchr(text, ' ');
	if (!pc)
		return false;
	*pc = 0;
	char *sp = strrchr(text, ' ');
	*r = (struct registers){.pc = strtoul(pc + 1, NULL, 16),
				.sp = sp ? strtoul(sp, NULL, 16) : 0};
	*call = strtol(text, NULL, 10);
	return sp != NULL;
}

static int send_note(pid_t tid)
{
	siginfo_t info;
	memset(&info, 0, sizeof(info));
	info.si_code = SI_QUEUE;
	info.si_pid = getpid();
	info.si_value.sival_ptr = &note;
	return sys_rt_tgsigqueueinfo(getpid(), tid, SIGQUIT, &info);
}

static bool hold(pid_t tid, struct registers *r)
{
	int64_t limit = weft__clock() + ANSWER_WAIT;
	uint32_t seen = ASKED;
#ifdef WEFT_TSAN
	return false; /* TSan delays signals until the thread makes a call that it knows */
#endif
	if (!weft__quit_watched() || note.refusals >= REFUSALS)
		return false;
	note.tid = tid;
	store_release(&note.state, ASKED); /* pairs with weft__stop_answer */
	if (send_note(tid) == 0)
		/* pairs with weft__stop_answer */
		while (load_acquire(&note.state) == ASKED && weft__clock() < limit)
			weft__futex_wait(&note.state, ASKED, limit);
	if (cas_acq_rel(&note.state, &seen, IDLE)) { /* pairs with weft__stop_answer */
		note.refusals++;
		return false;
	}
	note.refusals = 0;
	*r = note.registers;
	return true;
}

bool weft__stop_hold(pid_t tid, struct registers *r)
{
	long call;
	return weft__stop_asleep(tid, &call, r) || hold(tid, r);
}

void weft__stop_release(void)
{
	store_release(&note.state, IDLE); /* pairs with weft__stop_answer */
	weft__futex_wake(&note.state, 1);
}

struct registers weft__stop_registers(const void *context)
{
	const mcontext_t *m = &((const ucontext_t *)context)->uc_mcontext;
#if defined(__x86_64__)
	return (struct registers){
		.pc = (uintptr_t)m->gregs[REG_RIP],
		.sp = (uintptr_t)m->gregs[REG_RSP],
		.fp = (uintptr_t)m->gregs[REG_RBP],
	};
#else
	return (struct registers){.pc = m->pc, .sp = m->sp, .fp = m->regs[29]};
#endif
}

bool weft__stop_answer(const siginfo_t *info, const void *context)
{
	uint32_t seen = ASKED;
	if (info->si_code != SI_QUEUE || info->si_value.sival_ptr != &note)
		return false;
	/* pairs with hold */
	if (note.tid != sys_gettid() || load_acquire(&note.state) != ASKED)
		return true;
	note.registers = weft__stop_registers(context);
	if (!cas_acq_rel(&note.state, &seen, HELD)) /* pairs with hold; it may have given up */
		return true;
	weft__futex_wake(&note.state, 1);
	while (load_acquire(&note.state) == HELD) /* pairs with weft__stop_release */
		weft__futex_wait(&note.state, HELD, INT64_MAX);
	return true;
}
