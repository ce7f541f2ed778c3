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
	expect_ge(child, 0);
	for (int i = 0; i < DRAWS; i++)
		words[(child == 0) * DRAWS + i] = weft_random_u64();
	if (child == 0)
		_exit(0);
	expect_eq(end_of(child), 0);
}

static uint64_t *shared_words(size_t count)
{
	void *at = mmap(NULL, count * sizeof(uint64_t), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	expect(at != MAP_FAILED);
	return at;
}

TEST("after fork parent and child differ")
{
	uint64_t *words = shared_words(2 * DRAWS);
	draw_on_both_sides(fork, words);
	expect(all_distinct(words, 2 * DRAWS));
}

TEST("after a raw clone parent and child differ")
{
	if (UNDER_TSAN)
		skip("ThreadSanitizer follows neither such children nor threads of a forked child");
	uint64_t *words = shared_words(2 * DRAWS);
	draw_on_both_sides(raw_clone, words);
	expect(all_distinct(words, 2 * DRAWS));
}

/* The negative control: states in ordinary memory, as a library would have them that ignored the
 * kernel's flags. */
TEST("control states in ordinary memory are noticed")
{
	uint64_t *words = shared_words(2 * DRAWS);
	needs_vdso();
	weft__vdso.map_flags = MAP_PRIVATE | MAP_ANONYMOUS;
	draw_on_both_sides(fork, words);
	expect_mem_eq(words, words + DRAWS, DRAWS * sizeof(uint64_t));
	expect(!all_distinct(words, 2 * DRAWS));
}

/* The child of vfork borrows the parent's thread, and with it its state. */
TEST("after vfork parent and child differ")
{
	if (UNDER_TSAN)
		skip("ThreadSanitizer follows neither such children nor threads of a forked child");
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
	expect_eq(end_of(child), 0);
	expect(all_distinct((uint64_t *)drawn, 2 * DRAWS));
}

TEST("bulk draws differ too")
{
	enum { BYTES = 4096 };
	unsigned char *area = (unsigned char *)shared_words(2 * BYTES / 8);
	weft_random_u32();
	pid_t child = fork();
	weft_random_bytes(area + (child == 0) * BYTES, BYTES);
	if (child == 0)
		_exit(0);
	expect_eq(end_of(child), 0);
	expect(all_distinct((uint64_t *)area, 2 * BYTES / 8));
}

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

TEST("a child reuses the states of threads that are not there")
{
	if (UNDER_TSAN)
		skip("ThreadSanitizer follows neither such children nor threads of a forked child");
	uint64_t *words = shared_words(2 * OWNERS);
	pthread_t threads[OWNERS];
	needs_vdso();
	weft_random_u32();
	start_owners(threads, words);
	pid_t child = fork();
	if (child == 0)
		_exit(!child_reuses_states(words + OWNERS));
	expect_eq(end_of(child), 0);
	end_owners(threads);
	expect(all_distinct(words, 2 * OWNERS));
}

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
TEST("children of a busy parent draw and never hang", .seconds = 240)
{
	if (UNDER_SANITIZER)
		skip("a fork may find the sanitizer's allocator locked, for ever");
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
		expect_eq(end_of(child), 0);
	}
	store_relaxed(&churning, false);
	for (int i = 0; i < 2; i++)
		pthread_join(churners[i], NULL);
}
