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

/* From now on the page of `address` is missing, and whoever touches it first calls fn. */
static void take_away(const void *address, void (*fn)(void))
{
	struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};
	missing = (void *)((uintptr_t)address & ~(weft__vdso.page_size - 1));
	in_the_middle = fn;
	faults = 0;
	ck_assert_int_eq(sigaction(SIGSEGV, &action, NULL), 0);
	ck_assert_int_eq(mprotect(missing, weft__vdso.page_size, PROT_NONE), 0);
}

/* The same for the slots: the calling thread's next take meets fn, its sweep being done. */
static void take_slots_away(void (*fn)(void))
{
	int error = 0;
	weft_random_u64();
	weft__state_put();
	struct slot *slot = weft__pool_take(&error, &error);
	ck_assert_ptr_nonnull(slot);
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

START_TEST(a_take_that_was_left_closes_the_pool_until_its_thread_notices)
{
	if (skip_without_vdso())
		return;
	take_slots_away(leave);
	if (sigsetjmp(out, 1) == 0) {
		weft_random_u64();
		ck_abort_msg("the take was not interrupted");
	}
	ck_assert_uint_eq(faults, 1);
	ck_assert(!another_thread_gets_a_state()); /* and it drew nevertheless */
	for (int i = 0; i < ENOUGH_TO_NOTICE; i++)
		ck_assert_uint_ne(weft_random_u64(), 0);
	ck_assert(weft__state_owned());
	ck_assert(another_thread_gets_a_state());
	ck_assert_uint_eq(owned_states(), 1);
}
END_TEST

static void *end_in_a_take(void *unused)
{
	take_slots_away(end_thread);
	weft_random_u64();
	return NULL;
}

START_TEST(a_thread_that_ends_in_a_take_opens_the_pool)
{
	if (skip_without_vdso())
		return;
	on_thread(end_in_a_take, NULL);
	ck_assert_uint_eq(faults, 1);
	ck_assert_uint_eq(owned_states(), 0);
	ck_assert(another_thread_gets_a_state());
}
END_TEST

START_TEST(a_handler_in_a_take_draws_by_system_call)
{
	if (skip_without_vdso())
		return;
	take_slots_away(draw_little);
	ck_assert_uint_ne(weft_random_u64(), 0);
	ck_assert_uint_eq(faults, 1);
	ck_assert_ptr_nonnull(weft__thread_state.ready);
	ck_assert_uint_eq(owned_states(), 1);
}
END_TEST

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
		ck_assert_int_eq(pthread_create(&threads[i], NULL, own_together, &states[i]), 0);
	for (int i = 0; i < OWNERS; i++)
		pthread_join(threads[i], NULL);
	states[OWNERS] = weft__thread_state.ready;
	qsort(states, OWNERS + 1, sizeof(states[0]), by_address);
	for (int i = 0; i < OWNERS; i++)
		ck_assert_ptr_ne(states[i], states[i + 1]);
}

/* The handler draws so often that the take looks left; then the take goes on after all. */
START_TEST(a_take_wrongly_held_for_left_unlinks_nothing)
{
	if (skip_without_vdso())
		return;
	take_slots_away(draw_often);
	ck_assert_uint_ne(weft_random_u64(), 0);
	ck_assert_uint_eq(faults, 1);
	ck_assert_ptr_nonnull(weft__thread_state.ready);
	ck_assert_uint_eq(owned_states(), 1); /* the handler's */
	no_state_is_handed_out_twice();
	weft__state_put();
	ck_assert_uint_eq(owned_states(), 0);
}
END_TEST

/* A slot that a dead thread left at this thread's address is found while its handler takes one. */
static void *sweep_under_a_handler(void *unused)
{
	int error = 0;
	struct slot *left = weft__pool_take(&weft__thread_state, &error);
	ck_assert_ptr_nonnull(left);
	take_away(left, draw_often);
	ck_assert_uint_ne(weft_random_u64(), 0);
	ck_assert_uint_eq(faults, 1);
	ck_assert_ptr_nonnull(weft__thread_state.ready);
	ck_assert_uint_eq(owned_states(), 2); /* the handler's and this take's, not the dead one's */
	no_state_is_handed_out_twice();
	return NULL;
}

START_TEST(a_handler_in_a_sweep_keeps_what_it_took)
{
	if (skip_without_vdso())
		return;
	on_thread(sweep_under_a_handler, NULL);
	ck_assert_uint_eq(owned_states(), 0);
}
END_TEST

START_TEST(a_draw_that_was_left_gets_another_state)
{
	if (skip_without_vdso())
		return;
	weft_random_u64();
	void *stuck = weft__thread_state.ready;
	take_away(stuck, leave);
	if (sigsetjmp(out, 1) == 0) {
		weft_random_u64();
		ck_abort_msg("the draw was not interrupted");
	}
	ck_assert_ptr_null(weft__thread_state.ready);
	for (int i = 0; i < ENOUGH_TO_NOTICE; i++)
		ck_assert_uint_ne(weft_random_u64(), 0);
	ck_assert_ptr_nonnull(weft__thread_state.ready);
	ck_assert_ptr_ne(weft__thread_state.ready, stuck);
	ck_assert_uint_eq(owned_states(), 2);
	no_state_is_handed_out_twice();
	weft__state_put();
	ck_assert_uint_eq(owned_states(), 0);
}
END_TEST

START_TEST(draws_left_again_and_again_cost_a_bounded_number_of_states)
{
	if (skip_without_vdso())
		return;
	weft_random_u64();
	for (volatile int round = 0; round < 100; round++) {
		if (!weft__thread_state.ready)
			break;
		take_away(weft__thread_state.ready, leave);
		if (sigsetjmp(out, 1) == 0)
			weft_random_u64();
		for (int i = 0; i < ENOUGH_TO_NOTICE; i++)
			ck_assert_uint_ne(weft_random_u64(), 0);
	}
	ck_assert_ptr_null(weft__thread_state.ready); /* by system call from here on */
	ck_assert_uint_eq(owned_states(), 16);
	weft__state_put();
	ck_assert_uint_eq(owned_states(), 0);
}
END_TEST

/* The handler takes a second state; the draw below it goes on with the first, which is still its
 * own. */
START_TEST(a_draw_wrongly_held_for_left_goes_on_with_its_own_state)
{
	if (skip_without_vdso())
		return;
	weft_random_u64();
	void *first = weft__thread_state.ready;
	take_away(first, draw_often);
	ck_assert_uint_ne(weft_random_u64(), 0);
	ck_assert_uint_eq(faults, 1);
	ck_assert_ptr_eq(weft__thread_state.ready, first);
	no_state_is_handed_out_twice();
	weft__state_put();
	ck_assert_uint_eq(owned_states(), 0);
}
END_TEST

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
	ck_assert_int_eq(end_of(child), 0);
}

/* While one thread is in the middle of a take: nobody waits, not here and not in a child that has
 * no such thread. */
START_TEST(a_take_that_stands_still_holds_up_nobody)
{
	pthread_t taker;
	if (skip_without_vdso())
		return;
	sem_init(&inside, 0, 0);
	sem_init(&go_on, 0, 0);
	ck_assert_int_eq(pthread_create(&taker, NULL, stay_in_a_take, NULL), 0);
	while (sem_wait(&inside) != 0)
		;
	ck_assert(!another_thread_gets_a_state());
	if (!UNDER_TSAN)
		child_draws();
	sem_post(&go_on);
	pthread_join(taker, NULL);
	ck_assert(another_thread_gets_a_state());
	ck_assert_uint_eq(owned_states(), 0);
}
END_TEST

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
	ck_assert_int_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

START_TEST(a_handler_at_10_khz_draws_beside_the_draws_that_it_interrupts)
{
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
	ck_assert_uint_gt(handler_words, 100);
	memmove(words + handler_words, words + HANDLER_WORDS, count * sizeof(*words));
	ck_assert(all_distinct(words, handler_words + count));
	if (!skip_without_vdso())
		ck_assert_uint_le(owned_states(), 16);
}
END_TEST

static void leave_by_timer(int signo)
{
	siglongjmp(out, 1);
}

START_TEST(draws_left_at_any_moment_leave_a_thread_that_draws_and_gives_back)
{
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
	ck_assert_uint_ne(weft_random_u64(), 0);
	weft__state_put();
	ck_assert_uint_eq(owned_states(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("interrupted");
	TCase *tests = tcase_create("interrupted");

	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, a_take_that_was_left_closes_the_pool_until_its_thread_notices);
	tcase_add_test(tests, a_handler_in_a_take_draws_by_system_call);
	tcase_add_test(tests, a_take_wrongly_held_for_left_unlinks_nothing);
	tcase_add_test(tests, a_handler_in_a_sweep_keeps_what_it_took);
	tcase_add_test(tests, a_draw_that_was_left_gets_another_state);
	tcase_add_test(tests, draws_left_again_and_again_cost_a_bounded_number_of_states);
	tcase_add_test(tests, a_draw_wrongly_held_for_left_goes_on_with_its_own_state);
	tcase_add_test(tests, a_take_that_stands_still_holds_up_nobody);
	if (!UNDER_TSAN) { /* it holds signals back until the next call that it knows */
		tcase_add_test(tests, a_thread_that_ends_in_a_take_opens_the_pool);
		tcase_add_test(tests,
			       a_handler_at_10_khz_draws_beside_the_draws_that_it_interrupts);
		tcase_add_test(tests,
			       draws_left_at_any_moment_leave_a_thread_that_draws_and_gives_back);
	}
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
