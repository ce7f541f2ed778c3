/* SPDX-License-Identifier: MIT */
/*
 * deadlock.c: every task waits, for ever: say so, and end the process with status 2.
 *
 * The monitor asks when all processors have been idle for a while although tasks live, no task is
 * in user code, no timer runs and no descriptor is waited for. What it cannot know is whether the
 * process has threads that are not the runtime's: any of them may call weft_chan_send in the next
 * second. So the report comes only when /proc/self/task shows none, and never when that cannot be
 * read. Signal channels and child waits count as sched.outside_wakers.
 *
 * While such threads are there it asks again and again, ever more rarely: they may go, as one does
 * that has just ended and is still listed for a moment.
 */
#include "debug/deadlock.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"
#include "debug/dump.h"
#include "sched/schedule.h"

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
 * A thread on sched.leaving is not among them: the program's key destructors run on it, and may
 * wake a task. When they have returned the kernel does not list it any more, reaped or not.
 */
static bool is_ours(pid_t tid)
{
	return tid == sched.caller_tid || tid == load_relaxed(&sched.template_tid) ||
	       tid == load_relaxed(&sched.monitor_tid) || in_list(&sched.threads, tid);
}

/* How many threads these bytes of getdents64 list; *ours becomes false when one is not ours. */
static unsigned count_listed(const char *entries, long size, bool *ours)
{
	unsigned listed = 0;
	for (long at = 0; at < size;) {
		const struct linux_dirent64 *d = (const void *)(entries + at);
		at += d->length;
		if (d->name[0] == '.')
			continue;
		*ours &= is_ours((pid_t)atoi(d->name));
		listed++;
	}
	return listed;
}

/* How many threads the process has, by the links of its directory of them. */
static unsigned thread_links(int directory)
{
	struct stat s;
	return fstat(directory, &s) == 0 && s.st_nlink >= 2 ? (unsigned)s.st_nlink - 2 : 0;
}

/*
 * Are all threads of the process the runtime's? False also when it cannot be told: the list ends
 * early when a thread on it dies while it is read, so it must be as long as the kernel says.
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

bool weft__deadlock_judge(void)
{
	/* pairs with signal.c:change */
	if (load_relaxed(&sched.outside_wakers) || !weft__fatal_hook)
		return false; /* without the hook the process is dying of something else already */
	if (load_relaxed(&sched.foreign_inside) || has_strangers())
		return true;
	if (load_relaxed(&sched.main_returned)) {
		unsigned long long n = weft__task_count();
		weft__warn("main returned; %llu task%s still wait%s", n, n == 1 ? "" : "s",
			   n == 1 ? "s" : "");
	}
	weft__warn("all tasks are asleep - deadlock!");
	weft__dump_to(STDERR_FILENO, NULL);
	_exit(2);
}
