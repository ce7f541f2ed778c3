/* SPDX-License-Identifier: MIT */
/* test_fork.c: a child never draws what its parent draws, whatever made it. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/atomic.h"
#include "base/attr.h"
#include "random/state.h"
#include "random/vdso.h"
#include "random_test.h"

enum { DRAWS = 64 };

static pid_t raw_clone(void)
{
#if defined(__s390x__)
	return (pid_t)syscall(SYS_clone, 0, SIGCHLD, NULL, NULL, 0);
#else
	return (pid_t)syscall(SYS_clone, SIGCHLD, 0, NULL, NULL, 0);
#endif
}

/* Parent and child draw DRAWS words each after `make_child`; into `words`, which both can write. */
static void draw_on_both_sides(pid_t (*make_child)(void), uint64_t *words)
{
	weft_random_u32(); /* so that there is something to copy */
	pid_t child = make_child();
	ck_assert_int_ge(child, 0);
	for (int i = 0; i < DRAWS; i++)
		words[(child == 0) * DRAWS + i] = weft_random_u64();
	if (child == 0)
		_exit(0);
	ck_assert_int_eq(end_of(child), 0);
}

static uint64_t *shared_words(size_t count)
{
	void *at = mmap(NULL, count * sizeof(uint64_t), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert(at != MAP_FAILED);
	return at;
}

START_TEST(after_fork_parent_and_child_differ)
{
	uint64_t *words = shared_words(2 * DRAWS);
	draw_on_both_sides(fork, words);
	ck_assert(all_distinct(words, 2 * DRAWS));
}
END_TEST

START_TEST(after_a_raw_clone_parent_and_child_differ)
{
	uint64_t *words = shared_words(2 * DRAWS);
	draw_on_both_sides(raw_clone, words);
	ck_assert(all_distinct(words, 2 * DRAWS));
}
END_TEST

/* The negative control: states in ordinary memory, as a library would have them that ignored the
 * kernel's flags. */
START_TEST(control_states_in_ordinary_memory_are_noticed)
{
	uint64_t *words = shared_words(2 * DRAWS);
	if (skip_without_vdso())
		return;
	weft__vdso.map_flags = MAP_PRIVATE | MAP_ANONYMOUS;
	draw_on_both_sides(fork, words);
	ck_assert_mem_eq(words, words + DRAWS, DRAWS * sizeof(uint64_t));
	ck_assert(!all_distinct(words, 2 * DRAWS));
}
END_TEST

/* The child of vfork borrows the parent's thread, and with it its state. */
START_TEST(after_vfork_parent_and_child_differ)
{
	static volatile uint64_t drawn[2 * DRAWS];
	weft_random_u32();
	pid_t child = vfork();
	if (child == 0) {
		for (int i = 0; i < DRAWS; i++)
			drawn[i] = weft_random_u64();
		_exit(0);
	}
	for (int i = 0; i < DRAWS; i++)
		drawn[DRAWS + i] = weft_random_u64();
	ck_assert_int_eq(end_of(child), 0);
	ck_assert(all_distinct((uint64_t *)drawn, 2 * DRAWS));
}
END_TEST

START_TEST(bulk_draws_differ_too)
{
	enum { BYTES = 4096 };
	unsigned char *area = (unsigned char *)shared_words(2 * BYTES / 8);
	weft_random_u32();
	pid_t child = fork();
	weft_random_bytes(area + (child == 0) * BYTES, BYTES);
	if (child == 0)
		_exit(0);
	ck_assert_int_eq(end_of(child), 0);
	ck_assert(all_distinct((uint64_t *)area, 2 * BYTES / 8));
}
END_TEST

enum { OWNERS = 50 };
static pthread_barrier_t owning, leaving;
static uint64_t *owner_words;

static void *own_until_told(void *index)
{
	weft_random_prepare();
	owner_words[(uintptr_t)index] = weft_random_u64();
	pthread_barrier_wait(&owning);
	pthread_barrier_wait(&leaving);
	return NULL;
}

static void start_owners(pthread_t *threads, uint64_t *words)
{
	owner_words = words;
	pthread_barrier_init(&owning, NULL, OWNERS + 1);
	pthread_barrier_init(&leaving, NULL, OWNERS + 1);
	for (uintptr_t i = 0; i < OWNERS; i++)
		if (pthread_create(&threads[i], NULL, own_until_told, (void *)i) != 0)
			abort();
	pthread_barrier_wait(&owning);
}

static void end_owners(const pthread_t *threads)
{
	pthread_barrier_wait(&leaving);
	for (int i = 0; i < OWNERS; i++)
		pthread_join(threads[i], NULL);
}

/* In the child, states of threads that did not come along are reused, none handed out twice. */
static bool child_reuses_states(uint64_t *words)
{
	pthread_t threads[OWNERS];
	struct weft_random_info info = info_now();
	if (info.states_free != info.states_mapped - 1)
		return false;
	start_owners(threads, words);
	bool good = info_now().pages == info.pages &&
		    info_now().states_free == info.states_mapped - OWNERS - 1;
	end_owners(threads);
	return good;
}

START_TEST(a_child_reuses_the_states_of_threads_that_are_not_there)
{
	uint64_t *words = shared_words(2 * OWNERS);
	pthread_t threads[OWNERS];
	if (skip_without_vdso())
		return;
	weft_random_u32();
	start_owners(threads, words);
	pid_t child = fork();
	if (child == 0)
		_exit(!child_reuses_states(words + OWNERS));
	ck_assert_int_eq(end_of(child), 0);
	end_owners(threads);
	ck_assert(all_distinct(words, 2 * OWNERS));
}
END_TEST

static bool churning = true;

static void *draw_once(void *unused)
{
	weft_random_u32();
	return NULL;
}

static void *churn(void *unused)
{
	while (load_relaxed(&churning))
		on_thread(draw_once, NULL);
	return NULL;
}

/* A fork at any moment of other threads' taking and giving: the child draws, starts threads, and
 * never hangs. */
START_TEST(children_of_a_busy_parent_draw_and_never_hang)
{
	pthread_t churners[2];
	for (int i = 0; i < 2; i++)
		pthread_create(&churners[i], NULL, churn, NULL);
	for (unsigned i = 0; i < scaled(500); i++) {
		pid_t child = fork();
		if (child == 0) {
			alarm(20);
			weft_random_u32();
			on_thread(draw_once, NULL);
			_exit(weft_random_u64() == 0);
		}
		ck_assert_int_eq(end_of(child), 0);
	}
	store_relaxed(&churning, false);
	for (int i = 0; i < 2; i++)
		pthread_join(churners[i], NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fork");
	TCase *tests = tcase_create("fork");

	tcase_set_timeout(tests, 240);
	tcase_add_test(tests, after_fork_parent_and_child_differ);
	tcase_add_test(tests, control_states_in_ordinary_memory_are_noticed);
	tcase_add_test(tests, bulk_draws_differ_too);
	if (!UNDER_TSAN) { /* it follows neither such children nor threads of a forked child */
		tcase_add_test(tests, after_a_raw_clone_parent_and_child_differ);
		tcase_add_test(tests, after_vfork_parent_and_child_differ);
		tcase_add_test(tests, a_child_reuses_the_states_of_threads_that_are_not_there);
	}
	if (!UNDER_SANITIZER) /* a fork may find the allocator's locks taken, for ever */
		tcase_add_test(tests, children_of_a_busy_parent_draw_and_never_hang);
	suite_add_tcase(suite, tests);
	return run_suite(suite);
}
