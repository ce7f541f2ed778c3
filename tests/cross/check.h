/* SPDX-License-Identifier: MIT */
/*
 * check.h: the words of Check that these tests use, in one header, for cross-compiled tests.
 *
 * Debian has no Check for another architecture beside one's own. Like Check, it runs each test in
 * a process of its own, with a time limit; unlike Check it counts nothing and stops at a test's
 * first failure. Only the test_aarch64.sh of a room puts this folder before the system's.
 */
#ifndef CROSS_CHECK_H
#define CROSS_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_TESTS = 64, CK_NORMAL, CK_ENV };

typedef struct {
	const char *names[MOST_TESTS];
	void (*tests[MOST_TESTS])(int i);
	int first[MOST_TESTS], end[MOST_TESTS]; /* each runs with all numbers of such a range */
	int count, failed;
	unsigned seconds;
} TCase, Suite, SRunner;

#define START_TEST(name) static void name(int _i)
#define END_TEST
#define tcase_add_loop_test(t, name, from, to) \
	((t)->names[(t)->count] = #name, (t)->first[(t)->count] = (from), \
	 (t)->end[(t)->count] = (to), (t)->tests[(t)->count++] = (name))
#define tcase_add_test(t, name) tcase_add_loop_test(t, name, 0, 1)

#define ck_assert_msg(x, ...) \
	do { \
		if (!(x)) { \
			fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #x); \
			fprintf(stderr, __VA_ARGS__); \
			fputc('\n', stderr); \
			_exit(1); \
		} \
	} while (0)
#define ck_assert(x) ck_assert_msg(x, "failed")
#define CK_COMPARE_(a, op, b) ck_assert_msg((a)op(b), "%lld, %lld", (long long)(a), (long long)(b))
#define ck_assert_int_eq(a, b) CK_COMPARE_(a, ==, b)
#define ck_assert_int_ne(a, b) CK_COMPARE_(a, !=, b)
#define ck_assert_int_lt(a, b) CK_COMPARE_(a, <, b)
#define ck_assert_int_gt(a, b) CK_COMPARE_(a, >, b)
#define ck_assert_int_le(a, b) CK_COMPARE_(a, <=, b)
#define ck_assert_int_ge(a, b) CK_COMPARE_(a, >=, b)
#define ck_assert_uint_eq(a, b) CK_COMPARE_(a, ==, b)
#define ck_assert_uint_ne(a, b) CK_COMPARE_(a, !=, b)
#define ck_assert_uint_ge(a, b) CK_COMPARE_(a, >=, b)
#define ck_assert_uint_gt(a, b) CK_COMPARE_(a, >, b)
#define ck_assert_uint_le(a, b) CK_COMPARE_(a, <=, b)
#define ck_assert_uint_lt(a, b) CK_COMPARE_(a, <, b)
#define ck_assert_ptr_eq(a, b) ck_assert((a) == (b))
#define ck_assert_ptr_ne(a, b) ck_assert((a) != (b))
#define ck_assert_ptr_null(a) ck_assert((a) == NULL)
#define ck_assert_ptr_nonnull(a) ck_assert((a) != NULL)
#define ck_assert_str_eq(a, b) ck_assert(strcmp(a, b) == 0)
#define ck_assert_str_ne(a, b) ck_assert(strcmp(a, b) != 0)
#define ck_assert_mem_eq(a, b, n) ck_assert(memcmp(a, b, n) == 0)
#define ck_assert_mem_ne(a, b, n) ck_assert(memcmp(a, b, n) != 0)

static inline TCase *tcase_create(const char *name)
{
	return calloc(1, sizeof(TCase));
}

static inline Suite *suite_create(const char *name)
{
	return calloc(1, sizeof(Suite));
}

static inline void tcase_set_timeout(TCase *t, double seconds)
{
	t->seconds = (unsigned)seconds;
}

static inline void suite_add_tcase(Suite *s, TCase *t)
{
	*s = *t;
	free(t);
}

static inline SRunner *srunner_create(Suite *s)
{
	return s;
}

static inline void srunner_run_one(SRunner *r, int test, int i)
{
	int status = -1;
	pid_t child = fork();
	if (child == 0) {
		alarm(r->seconds ? r->seconds : 60);
		r->tests[test](i);
		fflush(stdout);
		_exit(0);
	}
	waitpid(child, &status, 0);
	if (status != 0)
		fprintf(stderr, "failed: %s:%d (status %#x)\n", r->names[test], i,
			(unsigned)status);
	r->failed += status != 0;
}

static inline void srunner_run_all(SRunner *r, int mode)
{
	for (int test = 0; test < r->count; test++)
		for (int i = r->first[test]; i < r->end[test]; i++)
			srunner_run_one(r, test, i);
}

static inline int srunner_ntests_failed(SRunner *r)
{
	return r->failed;
}

static inline void srunner_free(SRunner *r)
{
	free(r);
}

#endif
