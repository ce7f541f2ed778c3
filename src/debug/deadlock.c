/* SPDX-License-Identifier: MIT */
/*
 * deadlock.c: all tasks wait for ever: reports it and ends the process with status 2.
 *
 * The monitor asks when all processors have been idle for a while although there are tasks, no task
 * is in user code, no timer of the runtime's runs and no descriptor is waited for. The remaining
 * question is whether something outside of the runtime could still wake a task (docs/DEADLOCK.md
 * has the whole list):
 *
 *   a signal channel          counted in sched.outside_wakers
 *   a handler of the program's for a signal that may come at any time: it may call weft_stop
 *   a thread that is not the runtime's: it may send into a channel in the next second, unless it
 *   itself waits in a call of weft's, without a deadline, for somebody to wake it (sched/foreign.c)
 *
 * What cannot be found out counts as something. Handlers and threads may go away without waking a
 * task (a thread that has just ended is still listed for a moment), so while there are any the
 * monitor asks again and again, at ever longer intervals.
 *
 * Not looked for: timers of the kernel's, signalfds, asynchronous I/O. They wake a task only
 * through a handler, a thread, or a descriptor that a task waits for, and those are seen. A timer
 * whose signal has its default action ends the process; it wakes nobody.
 */
#include "debug/deadlock.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"
#include "debug/dump.h"
#include "debug/stop.h"
#include "debug/symbols.h"
#include "sched/foreign.h"
#include "sched/handler.h"
#include "sched/task.h"

struct linux_dirent64 { /* getdents64(2) */
	uint64_t inode;
	int64_t offset;
	uint16_t length;
	uint8_t type;
	char name[];
};

static bool in_list(const struct list *threads, pid_t tid)
{
	list_each (l, threads)
		if (load_relaxed(&container_of(l, struct thread, all)->tid) == tid)
			return true;
	return false;
}

/*
 * A thread on sched.leaving does not count as ours: the program's key destructors run on it, and
 * may wake a task. When they have returned the kernel no longer lists it, reaped or not.
 */
static bool is_ours(pid_t tid)
{
	return tid == sched.caller_tid || tid == load_relaxed(&sched.template.tid) ||
	       tid == load_relaxed(&sched.monitor.tid) || in_list(&sched.threads, tid);
}

/*
 * ThreadSanitizer's own thread wakes nobody. It sleeps by a system call of its own, in the
 * sanitizer's code; other threads sleep in libc. While it does not sleep it cannot be recognised.
 */
static bool is_sanitizers(pid_t tid)
{
#ifdef WEFT_TSAN
	struct registers r;
	long call;
	if (!weft__stop_asleep(tid, &call, &r) || call != SYS_nanosleep || !weft__symbols_open())
		return false;
	struct symbol s = weft__symbol_at(r.pc);
	bool in_library = s.module && strncmp(s.module, "libtsan", 7) == 0;
	bool in_program = s.name && strstr(s.name, "__sanitizer"); /* linked statically */
	weft__symbols_close();
	return in_library || in_program;
#else
	return false;
#endif
}

/* Returns how many threads these bytes of getdents64 list; *ours becomes false when one is not
 * ours. */
static unsigned count_listed(const char *entries, long size, bool *ours)
{
	unsigned listed = 0;
	for (long at = 0; at < size;) {
		const struct linux_dirent64 *d = (const void *)(entries + at);
		at += d->length;
		if (d->name[0] == '.')
			continue;
		pid_t tid = (pid_t)atoi(d->name);
		*ours &= is_ours(tid) || weft__foreign_sleeps(tid) || is_sanitizers(tid);
		listed++;
	}
	return listed;
}

/* Returns how many threads the process has, by the link count of the directory that lists them. */
static unsigned thread_links(int directory)
{
	struct stat s;
	return sys_fstat(directory, &s) == 0 && s.st_nlink >= 2 ? (unsigned)s.st_nlink - 2 : 0;
}

/*
 * Are all threads of the process the runtime's? False also when it cannot be found out: the list
 * ends early when a thread in it dies while it is read, so it must be as long as the link count
 * says.
 */
bool weft__deadlock_threads_known(int directory)
{
	char entries[2048] __attribute__((aligned(8)));
	unsigned links = thread_links(directory), listed = 0;
	bool ours = true;
	ssize_t n = 0;
	while (ours && (n = sys_getdents64(directory, entries, sizeof(entries))) > 0)
		listed += count_listed(entries, n, &ours);
	return ours && n == 0 && listed == links && thread_links(directory) == links;
}

static bool has_strangers(void)
{
	int fd = sys_openat(AT_FDCWD, "/proc/self/task", O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return true;
	bool ours = weft__deadlock_threads_known(fd);
	sys_close(fd);
	return !ours;
}

/* Has the program a handler for a signal that comes from outside, rather than from a fault of its
 * own? */
static bool has_handlers(void)
{
	for (int signo = 1; signo < NSIG; signo++)
		if (!weft__handler_faults(signo) && weft__handler_of_program(signo))
			return true;
	return false;
}

/* May something outside of the runtime still wake a task, as far as can be told? */
static bool may_be_woken(void)
{
	weft__foreign_hold();
	bool may = weft__foreign_stirs() || has_handlers() || has_strangers();
	weft__foreign_release();
	return may;
}

bool weft__deadlock_outside(void)
{
	return load_relaxed(&sched.outside_wakers) || may_be_woken();
}

bool weft__deadlock_judge(void)
{
	/* pairs with signal.c:change */
	if (load_relaxed(&sched.outside_wakers) || !weft__fatal_hook)
		return false; /* without the hook the process is dying of something else already */
	if (may_be_woken())
		return true;
	if (load_relaxed(&sched.main.returned)) {
		unsigned long long n = weft__task_count();
		weft__warn("main returned; %llu task%s still wait%s", n, n == 1 ? "" : "s",
			   n == 1 ? "s" : "");
	}
	weft__warn("all tasks are asleep - deadlock!");
	weft__dump_to(STDERR_FILENO, NULL);
	_exit(2);
}
