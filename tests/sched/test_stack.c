/* SPDX-License-Identifier: MIT */
/*
 * test_stack.c: stacks of tasks. What was asked for can be used, what lies below is a guard, and a
 * task that writes there dies by name: for every size of stack and of frame, with
 * MADV_GUARD_INSTALL, without and until it is refused, with pages of 4 KiB and of 64, in memory
 * that is locked and in memory that is not.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../tasks.h"
#include "sched/sched.h"
#include "sched/stack.h"

enum { KIB = 1024, GUARD = 64 * KIB, PAGE = 4 * KIB };

static const size_t sizes[] = {
	1,	   16 * KIB,  16 * KIB + 1, 20000,	64 * KIB,   100000,
	128 * KIB, 256 * KIB, 300001,	    1024 * KIB, 8192 * KIB,
};

/* ---- other kernels: the linker brings these calls of libweft.a here ---- */

enum world { THIS_KERNEL, NO_GUARD_ADVICE, NO_MEMORY_FOR_GUARDS, PAGES_OF_64_KIB, WORLDS };
static enum world world;

long __real_sysconf(int name);
long __wrap_sysconf(int name);
int __real_madvise(void *address, size_t size, int advice);
int __wrap_madvise(void *address, size_t size, int advice);
long __real_weft__syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_weft__syscall(long number, long a, long b, long c, long d, long e, long f);

long __wrap_sysconf(int name)
{
	return name == _SC_PAGESIZE && world == PAGES_OF_64_KIB ? 64 * KIB : __real_sysconf(name);
}

/* The error of a request for a guard; 0: none. Where memory ends, the first two are granted. */
static int guard_error(void)
{
	static int requests;
	if (world == NO_GUARD_ADVICE)
		return EINVAL;
	return world == NO_MEMORY_FOR_GUARDS && requests++ > 1 ? ENOMEM : 0;
}

int __wrap_madvise(void *address, size_t size, int advice)
{
	int err = advice == 102 ? guard_error() : 0;
	if (!err)
		return __real_madvise(address, size, advice);
	errno = err;
	return -1;
}

long __wrap_weft__syscall(long number, long a, long b, long c, long d, long e, long f)
{
	int err = number == SYS_process_madvise && d == 102 ? guard_error() : 0;
	if (err)
		return -err;
	return __real_weft__syscall(number, a, b, c, d, e, f);
}

/* ---- what this task's stack is ---- */

static char *my_bottom(void)
{
	return weft__stack_bottom(((struct task *)weft_self())->stack);
}

static size_t page(void)
{
	return world == PAGES_OF_64_KIB ? 64 * KIB : PAGE;
}

static struct weft_task *start_with(size_t stack, const char *name, int (*fn)(void *), void *arg)
{
	struct weft_spawn_options o = {.size = sizeof(o), .name = name, .stack_size = stack};
	struct weft_task *task;
	expect_eq(weft_spawn(&task, &o, fn, arg), 0);
	return task;
}

/* Does the kernel read there? It refuses to read from a guard, and does not die of it. */
static bool readable(const char *address)
{
	int sink[2];
	expect_eq(pipe(sink), 0);
	bool yes = write(sink[1], address, 1) == 1;
	close(sink[0]);
	close(sink[1]);
	return yes;
}

static bool executable(const char *address)
{
	char line[512], x = '-';
	unsigned long from, to;
	FILE *maps = fopen("/proc/self/maps", "r");
	expect_ne(maps, NULL);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %*c%*c%c", &from, &to, &x) == 3 &&
		    from <= (uintptr_t)address && (uintptr_t)address < to)
			break;
	fclose(maps);
	return x == 'x';
}

/* ---- what was asked for can be used ---- */

enum { OF_OUR_OWN = 512, FRAMES_OF_A_WAIT = 8 * KIB, NEIGHBOURS = 20 };

static int uses_all(void *arg)
{
	volatile char *bottom = my_bottom();
	char *top = __builtin_frame_address(0);
	size_t asked = *(size_t *)arg, usable = (size_t)(top - bottom);
	char mine = (char)weft_task_id(weft_self());
	expect_ge(usable + OF_OUR_OWN, round_up(asked, page()));
	expect(!executable(top));
	for (size_t at = 0; at < usable - FRAMES_OF_A_WAIT; at += 512)
		bottom[at] = mine;
	weft_sleep(MS);
	for (size_t at = 0; at < usable - FRAMES_OF_A_WAIT; at += 512)
		expect_eq(bottom[at], mine);
	return 0;
}

static int use_all_of_each_size(void *arg)
{
	struct weft_task *tasks[NEIGHBOURS];
	for (size_t i = 0; i < array_len(sizes); i++) {
		for (int k = 0; k < NEIGHBOURS; k++)
			tasks[k] = start_with(sizes[i], "", uses_all, (void *)&sizes[i]);
		for (int k = 0; k < NEIGHBOURS; k++)
			expect_eq(tasks_join(tasks[k]), 0);
	}
	return 42;
}

TEST("the asked stack is usable", .times = WORLDS)
{
	world = (enum world)nth;
	expect_eq(tasks_run(1, use_all_of_each_size, NULL), 42);
}

/* ---- below it lies a guard, and below that no head of a stack ---- */

static int looks_at_guard(void *arg)
{
	const char *bottom = my_bottom();
	const struct stack *stack = ((struct task *)weft_self())->stack;
	expect(readable(bottom));
	for (size_t below = 1; below < GUARD; below += PAGE)
		expect(!readable(bottom - below));
	expect(!readable(bottom - GUARD));
	if (stack->slot % STACK_FIRST) {
		const struct stack *next = weft__stack_at(stack->class, stack->slot - 1);
		expect_ge(bottom - GUARD - (const char *)(next + 1), 128);
	}
	weft_sleep(MS); /* so that others need stacks of their own */
	return 0;
}

static void look_at_guards(size_t size)
{
	struct weft_task *tasks[100];
	for (size_t i = 0; i < array_len(tasks); i++)
		tasks[i] = start_with(size, "", looks_at_guard, NULL);
	for (size_t i = 0; i < array_len(tasks); i++)
		expect_eq(tasks_join(tasks[i]), 0);
}

static int look_at_guards_of_each_size(void *arg)
{
	for (size_t i = 0; i < array_len(sizes); i++)
		look_at_guards(sizes[i]);
	return 42;
}

TEST("below each stack lies a guard and no head", .times = WORLDS)
{
	world = (enum world)nth;
	expect_eq(tasks_run(1, look_at_guards_of_each_size, NULL), 42);
}

/* ---- a task that writes there dies by name ---- */

static const size_t frames[] = {4 * KIB, 8 * KIB, 24 * KIB, 40 * KIB, 64 * KIB - 128, 64 * KIB};
static const size_t left_over[] = {0, 2048}; /* of the stack, when the frame is entered */
enum { SURVIVED = 3 };

static struct {
	size_t stack, frame, left;
} fall;

/* The lowest byte of a frame that is larger than what is left. */
static int falls(void *arg)
{
	volatile char *sp = my_bottom() + fall.left;
	*sp = 1;
	sp -= fall.frame;
	*sp = 1;
	return SURVIVED;
}

static int sleeps(void *arg)
{
	weft_sleep(1000 * MS);
	return 0;
}

static int fall_among_others(void *arg)
{
	for (int i = 0; i < 3; i++)
		weft_detach(start_with(fall.stack, "other", sleeps, NULL));
	return tasks_join(start_with(fall.stack, "culprit", falls, NULL));
}

static void expect_death_by_name(void)
{
	char said[4096] = "", report[64];
	struct rlimit no_core = {0, 0};
	int err[2], status;
	expect_eq(pipe(err), 0);
	pid_t child = fork();
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		dup2(err[1], STDERR_FILENO);
		_exit(tasks_run(1, fall_among_others, NULL));
	}
	close(err[1]);
	for (size_t n = 0, got = 1; got && n < sizeof(said) - 1; n += got) {
		ssize_t some = read(err[0], said + n, sizeof(said) - 1 - n);
		got = some > 0 ? (size_t)some : 0;
	}
	close(err[0]);
	expect_eq(waitpid(child, &status, 0), child);
	expect_that(status && !(WIFEXITED(status) && WEXITSTATUS(status) == SURVIVED),
		    "stack %zu, frame %zu, %zu left: survived", fall.stack, fall.frame, fall.left);
	snprintf(report, sizeof(report), "'culprit' overflowed its %zu KiB stack",
		 weft__stack_class(fall.stack)->usable / KIB);
	expect_that(strstr(said, report), "stack %zu, frame %zu, %zu left: \"%s\", not \"%s\"",
		    fall.stack, fall.frame, fall.left, said, report);
}

/* ASan tells at length of each of the 132 deaths. */
TEST("a frame that does not fit dies by its task's name", .times = WORLDS, .seconds = 600)
{
	world = (enum world)nth;
	for (size_t i = 0; i < array_len(sizes); i++)
		for (size_t k = 0; k < array_len(frames); k++)
			for (size_t n = 0; n < array_len(left_over); n++) {
				fall.stack = sizes[i];
				fall.frame = frames[k];
				fall.left = left_over[n];
				expect_death_by_name();
			}
}

/* ---- locked memory: not with a sanitizer, whose shadow is too large to be locked, nor in an
 * emulator, whose own memory is locked with ours ---- */

#if !defined(WEFT_ASAN) && !defined(WEFT_TSAN) && !defined(EMULATED)
#define LOCKS_MEMORY 1
enum { MANY = 600, MIB = 1024 * KIB, RUNTIME = 32 * MIB };

static size_t locked_bytes(void)
{
	char line[256];
	size_t kib = 0;
	FILE *status = fopen("/proc/self/status", "r");
	expect_ne(status, NULL);
	while (fgets(line, sizeof(line), status) && sscanf(line, "VmLck: %zu", &kib) != 1)
		;
	fclose(status);
	return kib * KIB;
}

static int run_many(void *arg)
{
	struct weft_task *tasks[MANY];
	size_t before = *(size_t *)arg, stack = 256 * KIB;
	for (int i = 0; i < MANY; i++)
		tasks[i] = start_with(stack, "", sleeps, NULL);
	tasks_settle();
	expect_le(locked_bytes() - before, MANY * stack + RUNTIME);
	for (int i = 0; i < MANY; i++)
		expect_eq(tasks_join(tasks[i]), 0);
	look_at_guards(stack);
	return 42;
}

TEST("tasks lock no more memory than threads would")
{
	size_t before = locked_bytes();
	if (mlockall(MCL_FUTURE) < 0)
		return; /* not allowed here */
	expect_eq(tasks_run(2, run_many, &before), 42);
}

/* The limit counts what is mapped, not what is touched: room for the runtime's threads, and for few
 * of the tasks. */
TEST("tasks are to be had under a limit of locked memory")
{
	struct rlimit few = {64 * MIB, 64 * MIB};
	size_t before = locked_bytes();
	if (setrlimit(RLIMIT_MEMLOCK, &few) < 0 || (geteuid() == 0 && setuid(65534) < 0) ||
	    mlockall(MCL_FUTURE) < 0)
		return; /* not allowed here */
	expect_eq(tasks_run(2, run_many, &before), 42);
}

static int lock_everything(void *arg)
{
	look_at_guards(64 * KIB);
	if (mlockall(MCL_CURRENT | MCL_FUTURE) < 0)
		return 42; /* not allowed here */
	for (size_t i = 0; i < array_len(sizes) - 1; i++)
		look_at_guards(sizes[i]);
	return 42;
}

TEST("guards hold in memory that was locked while the runtime ran")
{
	expect_eq(tasks_run(2, lock_everything, NULL), 42);
}
#endif
