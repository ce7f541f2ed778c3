/* SPDX-License-Identifier: MIT */
/*
 * test_fp_env.c: rounding mode, traps and the other floating-point controls belong to the task, as
 * they belong to the thread elsewhere: through every wait, from birth (the spawner's) to the end.
 */
#include <fenv.h>
#include <fpu_control.h>
#include <pthread.h>
#include <unistd.h>

#include "../tasks.h"

/* All controls of this thread: on x86-64 of SSE and of the x87, else FPCR. */
struct controls {
	unsigned vector, scalar;
};

#ifdef __x86_64__
#include <xmmintrin.h>
enum { VECTOR_CONTROLS = 0xffc0 }; /* MXCSR without its exception flags */
static unsigned vector_controls(void)
{
	return _mm_getcsr() & VECTOR_CONTROLS;
}

/* Flushing to zero is a control that libc knows nothing of. */
static void set_flush(bool on)
{
	_MM_SET_FLUSH_ZERO_MODE(on ? _MM_FLUSH_ZERO_ON : _MM_FLUSH_ZERO_OFF);
}
#else
static unsigned vector_controls(void)
{
	return 0;
}

static void set_flush(bool on)
{
	fpu_control_t fpcr;
	_FPU_GETCW(fpcr);
	fpcr = on ? fpcr | 1u << 24 : fpcr & ~(1u << 24);
	_FPU_SETCW(fpcr);
}
#endif

static struct controls controls(void)
{
	fpu_control_t scalar;
	_FPU_GETCW(scalar);
	return (struct controls){vector_controls(), (unsigned)scalar};
}

static void expect_controls(struct controls mine, const char *after)
{
	struct controls now = controls();
	expect_that(now.vector == mine.vector && now.scalar == mine.scalar,
		    "after %s: %#x %#x, not %#x %#x", after, now.vector, now.scalar, mine.vector,
		    mine.scalar);
}

static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};

static unsigned draw(unsigned *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

static void set_something(unsigned *seed)
{
	fesetround(modes[draw(seed) % 4]);
	set_flush(draw(seed) % 2);
}

/* ---- every wait ---- */

static struct weft_chan *exchange;
static struct weft_mutex mutex;

static void wait_yield(unsigned *seed)
{
	weft_yield();
}

static void wait_sleep(unsigned *seed)
{
	weft_sleep(draw(seed) % (MS / 4));
}

/* A channel with room for all: half of the tasks would else wait for ever at the end. */
static void wait_channel(unsigned *seed)
{
	int item = 1;
	expect_eq(weft_chan_send(exchange, &item, soon()), 0);
	expect_eq(weft_chan_recv(exchange, &item, soon()), 0);
}

static void wait_mutex(unsigned *seed)
{
	weft_mutex_lock(&mutex);
	weft_yield();
	weft_mutex_unlock(&mutex);
}

static void wait_blocked(unsigned *seed)
{
	usleep(300); /* long enough for the processor to be taken */
}

static void wait_announced(unsigned *seed)
{
	weft_blocking_begin();
	sched_yield();
	weft_blocking_end();
}

static void wait_locked(unsigned *seed)
{
	expect_eq(weft_lock_os_thread(), 0);
	weft_yield();
	weft_sleep(1);
	weft_unlock_os_thread();
}

static int ends_otherwise(void *arg)
{
	expect_controls(*(struct controls *)arg, "birth");
	unsigned seed = (unsigned)(uintptr_t)&seed;
	set_something(&seed);
	if (seed & 0x100)
		weft_lock_os_thread();
	if (seed & 0x200)
		weft_exit(0);
	return 0;
}

static void wait_child(unsigned *seed)
{
	struct controls mine = controls();
	expect_eq(tasks_join(tasks_start(ends_otherwise, &mine)), 0);
}

static const struct {
	const char *name;
	void (*wait)(unsigned *seed);
} waits[] = {
	{"yield", wait_yield},		{"sleep", wait_sleep},
	{"channel", wait_channel},	{"mutex", wait_mutex},
	{"blocking", wait_blocked},	{"announced blocking", wait_announced},
	{"a locked stay", wait_locked}, {"a child", wait_child},
};

enum { MIXERS = 24, STEPS = 60 };

static int mixer(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	for (int i = 0; i < STEPS; i++) {
		set_something(&seed);
		struct controls mine = controls();
		unsigned which = draw(&seed) % (sizeof(waits) / sizeof(waits[0]));
		waits[which].wait(&seed);
		expect_controls(mine, waits[which].name);
	}
	return 0;
}

TASK_TEST("each task keeps its controls through every wait")
{
	struct weft_task *tasks[MIXERS];
	exchange = weft_chan_new(sizeof(int), MIXERS);
	for (uintptr_t i = 0; i < MIXERS; i++)
		tasks[i] = tasks_start(mixer, (void *)(i + 1));
	for (int i = 0; i < MIXERS; i++)
		expect_eq(tasks_join(tasks[i]), 0);
	weft_chan_unref(exchange);
}

/* ---- birth ---- */

static struct weft_chan *born;

static void tell_controls(void *arg)
{
	struct controls mine = controls();
	expect_eq(weft_chan_send(born, &mine, soon()), 0);
}

static int tell_controls_of_member(void *arg)
{
	tell_controls(arg);
	return 0;
}

static void expect_born_with(struct controls parents, const char *how)
{
	struct controls told;
	expect_eq(weft_chan_recv(born, &told, soon()), 0);
	expect_that(told.vector == parents.vector && told.scalar == parents.scalar,
		    "%s: born with %#x %#x, not %#x %#x", how, told.vector, told.scalar,
		    parents.vector, parents.scalar);
}

static void *foreign_spawner(void *arg)
{
	fesetround(FE_DOWNWARD);
	*(struct controls *)arg = controls();
	expect_eq(weft_go(tell_controls, NULL), 0);
	return NULL;
}

TASK_TEST("a task begins with its spawner's controls")
{
	struct controls mine;
	struct weft_group *group = weft_group_new();
	struct weft_timer *timer = weft_timer_new_task(tell_controls, NULL);
	pthread_t thread;
	born = weft_chan_new(sizeof(mine), 1);

	fesetround(FE_UPWARD);
	mine = controls();
	expect_eq(weft_go(tell_controls, NULL), 0);
	fesetround(FE_TONEAREST);
	expect_born_with(mine, "weft_go");

	set_flush(true);
	mine = controls();
	expect_eq(weft_group_go(group, tell_controls_of_member, NULL), 0);
	expect_born_with(mine, "weft_group_go");
	expect_eq(weft_timer_start(timer, weft_after(MS), 0), 0);
	set_flush(false);
	expect_born_with(mine, "a timer");

	expect_eq(pthread_create(&thread, NULL, foreign_spawner, &mine), 0);
	pthread_join(thread, NULL);
	expect_born_with(mine, "weft_go from a thread");

	expect_eq(weft_group_wait(group, NULL, soon()), 0);
	weft_timer_free(timer);
	weft_chan_unref(born);
}

/* ---- weft_run's caller ---- */

static int ends_with_another_mode(void *arg)
{
	expect_eq(fegetround(), FE_UPWARD);
	fesetround(FE_DOWNWARD);
	weft_yield();
	weft_sleep(MS / 10);
	expect_eq(fegetround(), FE_DOWNWARD);
	if (arg)
		weft_exit(7);
	return 7;
}

TEST("the main task begins with the caller's mode and leaves it alone", .times = 4)
{
	struct weft_options o = {.size = sizeof(o), .flags = nth & 1 ? WEFT_LOCK_MAIN : 0};
	fesetround(FE_UPWARD);
	struct controls mine = controls();
	expect_eq(weft_run(&o, ends_with_another_mode, nth & 2 ? &o : NULL), 7);
	expect_controls(mine, "weft_run");
}

/* ---- traps and flags ---- */

static volatile double zero_divisor, quotient;

static int divides_by_zero(void *arg)
{
	volatile double mine;
	for (int i = 0; i < 100; i++) {
		mine = 1.0 / zero_divisor;
		weft_yield();
	}
	(void)mine;
	return 0;
}

static int traps_division_by_zero(void *arg)
{
	volatile double sum = 0;
	feclearexcept(FE_ALL_EXCEPT);
	if (feenableexcept(FE_DIVBYZERO) < 0)
		return 0; /* no traps on this processor */
	for (int i = 0; i < 100; i++) {
		sum = 1.0 + sum;
		weft_yield();
	}
	return 0;
}

TASK_TEST("what one task traps another may do")
{
	struct weft_task *tasks[] = {tasks_start(divides_by_zero, NULL),
				     tasks_start(traps_division_by_zero, NULL),
				     tasks_start(divides_by_zero, NULL)};
	for (int i = 0; i < 3; i++)
		expect_eq(tasks_join(tasks[i]), 0);
}

#ifdef __x86_64__
static volatile long double long_zero, long_quotient;

static int divides_long_by_zero(void *arg)
{
	for (int i = 0; i < 100; i++) {
		long_quotient = 1.0L / long_zero;
		weft_yield();
	}
	return 0;
}

static int traps_long_division_by_zero(void *arg)
{
	feclearexcept(FE_ALL_EXCEPT);
	feenableexcept(FE_DIVBYZERO);
	volatile long double sum = 0;
	for (int i = 0; i < 100; i++) {
		sum = sum + 1.0L; /* dies of a flag that was raised before */
		weft_yield();
	}
	return sum == 100.0L;
}

TASK_TEST("what another task did in x87 arithmetic is no trap")
{
	struct weft_task *divides = tasks_start(divides_long_by_zero, NULL);
	struct weft_task *traps = tasks_start(traps_long_division_by_zero, NULL);
	expect_eq(tasks_join(divides), 0);
	expect_eq(tasks_join(traps), 1);
}

static int flags_stay_as_left(void *arg)
{
	bool mine = arg;
	for (int i = 0; i < 100; i++) {
		feclearexcept(FE_ALL_EXCEPT);
		if (mine)
			quotient = 1.0 / zero_divisor;
		weft_yield();
		expect_eq(fetestexcept(FE_DIVBYZERO), mine ? FE_DIVBYZERO : 0);
	}
	return 0;
}

TASK_TEST("exception flags of sse arithmetic are the task's")
{
	struct weft_task *raises = tasks_start(flags_stay_as_left, (void *)&quotient);
	struct weft_task *quiet = tasks_start(flags_stay_as_left, NULL);
	expect_eq(tasks_join(raises), 0);
	expect_eq(tasks_join(quiet), 0);
}
#endif
