/* SPDX-License-Identifier: MIT */
/*
 * test_threads.c: one state a thread, never two; and back it goes however the thread ends.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/attr.h"
#include "random/state.h"
#include "random/vdso.h"
#include "random_test.h"

static void all_states_are_free(void)
{
	struct weft_random_info info = info_now();
	expect_eq(info.states_free, info.states_mapped);
}

static void *draw_and_end(void *unused)
{
	weft_random_u64();
	return NULL;
}

enum { THREADS = 256, WORDS = 4000 };
static uint64_t words[THREADS * WORDS];
static pthread_barrier_t barrier;

static void *draw_many(void *to)
{
	uint64_t *mine = to;
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < WORDS; i++)
		mine[i] = weft_random_u64();
	return NULL;
}

TEST("words of 256 threads are all distinct")
{
	static pthread_t threads[THREADS];
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (int i = 0; i < THREADS; i++)
		expect_eq(pthread_create(&threads[i], NULL, draw_many, words + i * WORDS), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	expect(all_distinct(words, THREADS * WORDS));
	all_states_are_free();
}

static struct vdso vdso;
static void *shared_state;

static void *draw_from_shared_state(void *to)
{
	uint64_t *mine = to;
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < WORDS; i++) {
		mine[i] = 0;
		vdso.draw(&mine[i], sizeof(mine[i]), 0, shared_state, vdso.state_size);
	}
	return NULL;
}

/* The negative control: what the test above looks for is what two threads on one state do. */
TEST("control two threads on one state are noticed")
{
	bool distinct = true;
	weft__vdso_probe(&vdso);
	needs_vdso();
	shared_state = mmap(NULL, vdso.page_size, vdso.map_prot, vdso.map_flags, -1, 0);
	expect(shared_state != MAP_FAILED);
	pthread_barrier_init(&barrier, NULL, 2);
	for (int round = 0; round < 2000 && distinct; round++) {
		pthread_t other;
		pthread_create(&other, NULL, draw_from_shared_state, words);
		draw_from_shared_state(words + WORDS);
		pthread_join(other, NULL);
		distinct = all_distinct(words, 2 * WORDS);
	}
	expect(!distinct);
}

/* A state that one of them kept would be missed after a page of them: some 30. */
TEST("churn of threads maps no more than the peak")
{
	enum { ALIVE = 8 };
	unsigned waves = scaled(10000) / ALIVE;
	for (unsigned wave = 0; wave < waves; wave++) {
		pthread_t threads[ALIVE];
		for (int i = 0; i < ALIVE; i++)
			expect_eq(pthread_create(&threads[i], NULL, draw_and_end, NULL), 0);
		for (int i = 0; i < ALIVE; i++)
			pthread_join(threads[i], NULL);
	}
	if (has_vdso())
		expect_eq(info_now().pages, 1);
	all_states_are_free();
}

static void *end_behind_libcs_back(void *unused)
{
	weft_random_u64();
	syscall(SYS_exit, 0);
	return NULL;
}

static size_t states_in_use(void)
{
	return info_now().states_mapped - info_now().states_free;
}

/* Threads that live one after the other on one stack have all the same address. */
enum { STACK_BYTES = 256 * 1024, STACKS = 50 };
static char stacks[STACKS][STACK_BYTES] __attribute__((aligned(64 * 1024)));

static void on_stack(unsigned n, void *(*fn)(void *arg), void *arg)
{
	pthread_attr_t attr;
	pthread_t thread;
	pthread_attr_init(&attr);
	expect_eq(pthread_attr_setstack(&attr, stacks[n], STACK_BYTES), 0);
	expect_eq(pthread_create(&thread, &attr, fn, arg), 0);
	expect_eq(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attr);
}

/* The negative control: a thread without destructors keeps its state, and the count shows it. */
TEST("control threads that give nothing back are noticed")
{
	if (UNDER_SANITIZER)
		skip("sanitizers need to see a thread's end");
	needs_vdso();
	for (unsigned n = 0; n < STACKS; n++)
		on_stack(n, end_behind_libcs_back, NULL);
	expect_eq(states_in_use(), STACKS);
	expect_gt(info_now().pages, 1);
}

/* ---- what dead threads leave is given back by those that come after them ---- */

static pthread_key_t last_key;

static void draw_in_the_last_round(void *rounds)
{
	uintptr_t left = (uintptr_t)rounds;
	if (left > 1)
		pthread_setspecific(last_key, (void *)(left - 1));
	else
		weft_random_u64();
}

static void *draw_first_in_the_last_round(void *unused)
{
	pthread_setspecific(last_key, (void *)4); /* PTHREAD_DESTRUCTOR_ITERATIONS */
	return NULL;
}

static void draw_in_a_handler(int signo)
{
	weft_random_u32();
}

/* Ends with a signal on its way to it, sooner or later: `arg` says when, and has the timer then. */
static void *end_under_a_signal(void *arg)
{
	static long turn;
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1};
	struct itimerspec when = {.it_value = {.tv_nsec = 1 + (turn += 37) % 20000}};
	event._sigev_un._tid = gettid();
	expect_eq(timer_create(CLOCK_MONOTONIC, &event, arg), 0);
	timer_settime(*(timer_t *)arg, 0, &when, NULL);
	return NULL;
}

static void die_silently(unsigned n)
{
	on_stack(n, end_behind_libcs_back, NULL);
}

static void die_drawing(unsigned n)
{
	on_stack(n, draw_first_in_the_last_round, NULL);
}

static void die_under_a_signal(unsigned n)
{
	timer_t timer;
	on_stack(n, end_under_a_signal, &timer);
	timer_delete(timer);
}

/* However many die in this way at so many addresses, one state each is the most that is missing. */
static void check_deaths(void (*die)(unsigned n), unsigned deaths)
{
	enum { ADDRESSES = 5 };
	for (unsigned i = 0; i < deaths; i++) {
		die(i % ADDRESSES);
		expect_le(states_in_use(), ADDRESSES);
	}
	for (unsigned n = 0; n < ADDRESSES; n++)
		on_stack(n, draw_and_end, NULL);
	all_states_are_free();
}

TEST("what a dead thread left is given back by the next at its address")
{
	struct sigaction action = {.sa_handler = draw_in_a_handler, .sa_flags = SA_RESTART};
	needs_vdso();
	expect_eq(pthread_key_create(&last_key, draw_in_the_last_round), 0);
	expect_eq(sigaction(SIGUSR1, &action, NULL), 0);
	check_deaths(die_silently, 100);
	check_deaths(die_drawing, 100);
	check_deaths(die_under_a_signal, scaled(20000));
}

static void *keep_until_barrier(void *unused)
{
	expect_eq(weft_random_prepare(), 0);
	pthread_barrier_wait(&barrier);
	return NULL;
}

TEST("prepare always gets a state however many compete")
{
	enum { COMPETING = 100 };
	pthread_t threads[COMPETING];
	needs_vdso();
	pthread_barrier_init(&barrier, NULL, COMPETING + 1);
	for (int i = 0; i < COMPETING; i++)
		expect_eq(pthread_create(&threads[i], NULL, keep_until_barrier, NULL), 0);
	pthread_barrier_wait(&barrier);
	for (int i = 0; i < COMPETING; i++)
		pthread_join(threads[i], NULL);
	unsigned per_page = weft__state_per_page();
	expect_eq(info_now().pages, (COMPETING + per_page - 1) / per_page);
	all_states_are_free();
}

static void *exit_early(void *unused)
{
	weft_random_u64();
	pthread_exit(NULL);
}

static uint32_t has_drawn; /* the thread that is to be cancelled has a state by now */

static void *draw_until_cancelled(void *asynchronous)
{
	pthread_setcanceltype(asynchronous ? PTHREAD_CANCEL_ASYNCHRONOUS : PTHREAD_CANCEL_DEFERRED,
			      NULL);
	for (;;) {
		weft_random_u64();
		store_release(&has_drawn, weft__state_owned()); /* pairs with cancel_one */
		if (!asynchronous)
			pthread_testcancel();
	}
	return NULL;
}

/*
 * Not before it has taken its state: a thread that is cancelled between the pool and its own record
 * loses one (state.c).
 */
static void cancel_one(bool asynchronous)
{
	pthread_t thread;
	store_relaxed(&has_drawn, 0);
	expect_eq(
		pthread_create(&thread, NULL, draw_until_cancelled, asynchronous ? &thread : NULL),
		0);
	while (!load_acquire(&has_drawn)) /* pairs with draw_until_cancelled */
		usleep(50);
	expect_eq(pthread_cancel(thread), 0);
	expect_eq(pthread_join(thread, NULL), 0);
}

TEST("threads that exit early or are cancelled give their state back")
{
	needs_vdso();
	on_thread(exit_early, NULL);
	all_states_are_free();
	for (int i = 0; i < 100; i++)
		cancel_one(false);
	all_states_are_free();
	for (int i = 0; i < 300 && !UNDER_SANITIZER;
	     i++) /* their code may not be left at any point */
		cancel_one(true);
	all_states_are_free();
	expect_eq(info_now().pages, 1);
}

static pthread_key_t late_key;
static unsigned late_draws;

/* Runs after the library's own destructor in each round, because its key was made later. */
static void draw_late(void *rounds)
{
	uintptr_t left = (uintptr_t)rounds;
	expect_ne(weft_random_u64(), 0);
	late_draws++;
	if (left > 1)
		pthread_setspecific(late_key, (void *)(left - 1));
}

static void *draw_and_arm_late_key(void *rounds)
{
	weft_random_u64();
	pthread_setspecific(late_key, rounds);
	return NULL;
}

TEST("destructors that draw after ours leave nothing behind")
{
	const uintptr_t most = UNDER_SANITIZER ? 3 : 4; /* in the last round they end the thread */
	expect_eq(pthread_key_create(&late_key, draw_late), 0);
	for (uintptr_t rounds = 1; rounds <= most; rounds++) {
		late_draws = 0;
		for (int i = 0; i < 50; i++)
			on_thread(draw_and_arm_late_key, (void *)rounds);
		expect_eq(late_draws, 50 * rounds);
		all_states_are_free();
	}
}

TEST("one state serves a thread for all its draws")
{
	needs_vdso();
	weft_random_u64();
	void *state = weft__thread_state.ready;
	expect_ne(state, NULL);
	for (int i = 0; i < 10000; i++)
		weft_random_u64();
	expect_eq(weft__thread_state.ready, state);
	expect_eq(info_now().states_mapped - info_now().states_free, 1);
}
