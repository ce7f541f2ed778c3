/* SPDX-License-Identifier: MIT */
/*
 * test_interrupted.c: signals, siglongjmp and cancellation in the middle of a draw or of a take.
 *
 * The middle is made certain by taking memory away: without the slots' page a take faults while it
 * is the taker, without the state's page a draw faults inside the vDSO. The handler then does what
 * the test is about, once, and gives the page back.
 */
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/attr.h"
#include "random/pool.h"
#include "random/state.h"
#include "random/vdso.h"
#include "random_test.h"

enum { ENOUGH_TO_NOTICE = 200 };

static void *missing;
static unsigned faults;
static void (*in_the_middle)(void);
static sigjmp_buf out;

static void page_is_back(void)
{
	if (mprotect(missing, weft__vdso.page_size, PROT_READ | PROT_WRITE) != 0)
		abort();
}

static void on_fault(int signo)
{
	if (faults++ > 0)
		abort(); /* a real crash */
	in_the_middle();
	page_is_back();
}

/* From now on the page of `address` is missing, and the first access to it calls fn. */
static void take_away(const void *address, void (*fn)(void))
{
	struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};
	missing = (void *)((uintptr_t)address & ~(weft__vdso.page_size - 1));
	in_the_middle = fn;
	faults = 0;
	expect_eq(sigaction(SIGSEGV, &action, NULL), 0);
	expect_eq(mprotect(missing, weft__vdso.page_size, PROT_NONE), 0);
}

/* The same for the slots: the calling thread's next take meets fn, its sweep being done. */
static void take_slots_away(void (*fn)(void))
{
	int error = 0;
	weft_random_u64();
	weft__state_put();
	struct slot *slot = weft__pool_take(&error, &error);
	expect_ne(slot, NULL);
	weft__pool_give(slot);
	take_away(slot, fn);
}

static void leave(void)
{
	page_is_back();
	siglongjmp(out, 1);
}

static void end_thread(void)
{
	page_is_back();
	pthread_exit(NULL);
}

static void draw_often(void)
{
	page_is_back();
	for (int i = 0; i < ENOUGH_TO_NOTICE; i++)
		if (weft_random_u64() == 0)
			abort();
}

static void draw_little(void)
{
	page_is_back();
	if (weft_random_u64() == 0)
		abort();
}

static unsigned owned_states(void)
{
	return (unsigned)(info_now().states_mapped - info_now().states_free);
}

static void *own_one(void *distinct_states)
{
	weft_random_u64();
	*(void **)distinct_states = weft__thread_state.ready;
	return NULL;
}

static bool another_thread_gets_a_state(void)
{
	void *state = NULL;
	on_thread(own_one, &state);
	return state != NULL;
}

TEST("a take that was left closes the pool until its thread notices")
{
	needs_vdso();
	take_slots_away(leave);
	if (sigsetjmp(out, 1) == 0) {
		weft_random_u64();
		fail("the take was not interrupted");
	}
	expect_eq(faults, 1);
	expect(!another_thread_gets_a_state()); /* and it drew nevertheless */
	for (int i = 0; i < ENOUGH_TO_NOTICE; i++)
		expect_ne(weft_random_u64(), 0);
	expect(weft__state_owned());
	expect(another_thread_gets_a_state());
	expect_eq(owned_states(), 1);
}

static void *end_in_a_take(void *unused)
{
	take_slots_away(end_thread);
	weft_random_u64();
	return NULL;
}

TEST("a thread that ends in a take opens the pool")
{
	if (UNDER_TSAN)
		skip("ThreadSanitizer holds signals back until the next call that it knows");
	needs_vdso();
	on_thread(end_in_a_take, NULL);
	expect_eq(faults, 1);
	expect_eq(owned_states(), 0);
	expect(another_thread_gets_a_state());
}

TEST("a handler in a take draws by system call")
{
	needs_vdso();
	take_slots_away(draw_little);
	expect_ne(weft_random_u64(), 0);
	expect_eq(faults, 1);
	expect_ne(weft__thread_state.ready, NULL);
	expect_eq(owned_states(), 1);
}

enum { OWNERS = 60 };
static pthread_barrier_t all_own;

static void *own_together(void *state)
{
	if (weft_random_prepare() != 0)
		abort();
	*(void **)state = weft__thread_state.ready;
	pthread_barrier_wait(&all_own);
	return NULL;
}

static int by_address(const void *a, const void *b)
{
	uintptr_t x = *(const uintptr_t *)a, y = *(const uintptr_t *)b;
	return (x > y) - (x < y);
}

/* Every state that can be had, had at once: none of them twice, and none that this thread owns. */
static void no_state_is_handed_out_twice(void)
{
	void *states[OWNERS + 1];
	pthread_t threads[OWNERS];
	pthread_barrier_init(&all_own, NULL, OWNERS);
	for (int i = 0; i < OWNERS; i++)
		expect_eq(pthread_create(&threads[i], NULL, own_together, &states[i]), 0);
	for (int i = 0; i < OWNERS; i++)
		pthread_join(threads[i], NULL);
	states[OWNERS] = weft__thread_state.ready;
	qsort(states, OWNERS + 1, sizeof(states[0]), by_address);
	for (int i = 0; i < OWNERS; i++)
		expect_ne(states[i], states[i + 1]);
}

/* The handler draws so often that the take looks left; then the take goes on after all. */
TEST("a take wrongly held for left unlinks nothing")
{
	needs_vdso();
	take_slots_away(draw_often);
	expect_ne(weft_random_u64(), 0);
	expect_eq(faults, 1);
	expect_ne(weft__thread_state.ready, NULL);
	expect_eq(owned_states(), 1); /* the handler's */
	no_state_is_handed_out_twice();
	weft__state_put();
	expect_eq(owned_states(), 0);
}

/* A slot that a dead thread left at this thread's address is found while its handler takes one. */
static void *sweep_under_a_handler(void *unused)
{
	int error = 0;
	struct slot *left = weft__pool_take(&weft__thread_state, &error);
	expect_ne(left, NULL);
	take_away(left, draw_often);
	expect_ne(weft_random_u64(), 0);
	expect_eq(faults, 1);
	expect_ne(weft__thread_state.ready, NULL);
	expect_eq(owned_states(), 2); /* the handler's and this take's, not the dead one's */
	no_state_is_handed_out_twice();
	return NULL;
}

TEST("a handler in a sweep keeps what it took")
{
	needs_vdso();
	on_thread(sweep_under_a_handler, NULL);
	expect_eq(owned_states(), 0);
}

TEST("a draw that was left gets another state")
{
	needs_vdso();
	weft_random_u64();
	void *stuck = weft__thread_state.ready;
	take_away(stuck, leave);
	if (sigsetjmp(out, 1) == 0) {
		weft_random_u64();
		fail("the draw was not interrupted");
	}
	expect_eq(weft__thread_state.ready, NULL);
	for (int i = 0; i < ENOUGH_TO_NOTICE; i++)
		expect_ne(weft_random_u64(), 0);
	expect_ne(weft__thread_state.ready, NULL);
	expect_ne(weft__thread_state.ready, stuck);
	expect_eq(owned_states(), 2);
	no_state_is_handed_out_twice();
	weft__state_put();
	expect_eq(owned_states(), 0);
}

TEST("draws left again and again cost a bounded number of states")
{
	needs_vdso();
	weft_random_u64();
	for (volatile int round = 0; round < 100; round++) {
		if (!weft__thread_state.ready)
			break;
		take_away(weft__thread_state.ready, leave);
		if (sigsetjmp(out, 1) == 0)
			weft_random_u64();
		for (int i = 0; i < ENOUGH_TO_NOTICE; i++)
			expect_ne(weft_random_u64(), 0);
	}
	expect_eq(weft__thread_state.ready, NULL); /* by system call from here on */
	expect_eq(owned_states(), 16);
	weft__state_put();
	expect_eq(owned_states(), 0);
}

/* The handler takes a second state; the draw below it goes on with the first, which is still its
 * own. */
TEST("a draw wrongly held for left goes on with its own state")
{
	needs_vdso();
	weft_random_u64();
	void *first = weft__thread_state.ready;
	take_away(first, draw_often);
	expect_ne(weft_random_u64(), 0);
	expect_eq(faults, 1);
	expect_eq(weft__thread_state.ready, first);
	no_state_is_handed_out_twice();
	weft__state_put();
	expect_eq(owned_states(), 0);
}

static sem_t inside, go_on;

static void stay(void)
{
	page_is_back();
	sem_post(&inside);
	while (sem_wait(&go_on) != 0)
		;
}

static void *stay_in_a_take(void *unused)
{
	take_slots_away(stay);
	weft_random_u64();
	return NULL;
}

/* Made by a raw clone, about which no library is told. */
static void child_draws(void)
{
	pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, NULL, NULL, 0);
	if (child == 0) {
		alarm(20);
		_exit(weft_random_u64() == 0);
	}
	expect_eq(end_of(child), 0);
}

/* While one thread is in the middle of a take: no other waits, not here and not in a child that has
 * no such thread. */
TEST("a take that stands still holds up nobody")
{
	pthread_t taker;
	needs_vdso();
	sem_init(&inside, 0, 0);
	sem_init(&go_on, 0, 0);
	expect_eq(pthread_create(&taker, NULL, stay_in_a_take, NULL), 0);
	while (sem_wait(&inside) != 0)
		;
	expect(!another_thread_gets_a_state());
	if (!UNDER_TSAN)
		child_draws();
	sem_post(&go_on);
	pthread_join(taker, NULL);
	expect(another_thread_gets_a_state());
	expect_eq(owned_states(), 0);
}

enum { HANDLER_WORDS = 200000, MAIN_WORDS = 4000000 };
static uint64_t words[HANDLER_WORDS + MAIN_WORDS];
static size_t handler_words;

static void draw_in_handler(int signo)
{
	for (int i = 0; i < 4 && handler_words < HANDLER_WORDS; i++)
		words[handler_words++] = weft_random_u64();
}

static void every_microseconds(long interval)
{
	struct itimerval timer = {{0, interval}, {0, interval}};
	expect_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

TEST("a handler at 10 khz draws beside the draws that it interrupts")
{
	if (UNDER_TSAN)
		skip("ThreadSanitizer holds signals back until the next call that it knows");
	struct sigaction action = {.sa_handler = draw_in_handler, .sa_flags = SA_RESTART};
	int64_t end = 0;
	size_t count = 0;
	struct timeval now;
	sigaction(SIGALRM, &action, NULL);
	every_microseconds(100);
	for (; count < MAIN_WORDS; count++) {
		words[HANDLER_WORDS + count] = weft_random_u64();
		if (count % 1024 != 0)
			continue;
		gettimeofday(&now, NULL);
		end = end ? end : now.tv_sec * 1000000 + now.tv_usec + 1000000;
		if (now.tv_sec * 1000000 + now.tv_usec > end)
			break;
	}
	every_microseconds(0);
	expect_gt(handler_words, 100);
	memmove(words + handler_words, words + HANDLER_WORDS, count * sizeof(*words));
	expect(all_distinct(words, handler_words + count));
	if (has_vdso())
		expect_le(owned_states(), 16);
}

static void leave_by_timer(int signo)
{
	siglongjmp(out, 1);
}

TEST("draws left at any moment leave a thread that draws and gives back")
{
	if (UNDER_TSAN)
		skip("ThreadSanitizer holds signals back until the next call that it knows");
	struct sigaction action = {.sa_handler = leave_by_timer};
	static volatile unsigned left;
	sigaction(SIGALRM, &action, NULL);
	if (sigsetjmp(out, 1) != 0)
		left++;
	else
		every_microseconds(100);
	while (left < 1000)
		weft_random_u64();
	every_microseconds(0);
	expect_ne(weft_random_u64(), 0);
	weft__state_put();
	expect_eq(owned_states(), 0);
}
