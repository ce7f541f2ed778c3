/* SPDX-License-Identifier: MIT */
/*
 * kit.h: the one way to write a test in C. It needs libc alone, so that programs which are static,
 * or compiled for another processor or another libc, are tested by the same words.
 *
 *	#include "../kit.h"
 *
 *	TEST("a channel of three holds three")
 *	{
 *		expect_eq(weft_chan_cap(c), 3);
 *	}
 *
 * TEST defines a body and registers it, both at once: there is no list of tests, so none can be
 * missing from one. A body without TEST is a static function without a caller, which the build
 * refuses (cmake/weft.cmake). main is the kit's; `PROGRAM --help` says what it understands.
 *
 * Each run of a test is a process of its own, forked from the runner, which has one thread and has
 * touched nothing. The run is good when its body comes to its end, and the process ends with status
 * 0 after it. So these are failures: an expectation that does not hold, on whatever thread, task or
 * forked child; a crash; an exit before the end, be it with status 0; what a sanitizer reports,
 * leaks included; a run that is not over after its seconds. At the end of a run its process group
 * is killed, so that nothing is left behind.
 *
 * After the name come options, each as `.option = value`: the fields of struct kit_test. For bodies
 * that run inside weft_run: TASK_TEST in tasks.h.
 *
 * Expectations may be used everywhere: on task stacks, in signal handlers, in a child of fork of a
 * program with threads. They take no lock and allocate nothing.
 *
 * Rejected: Check (Debian has it for no processor but one's own and for no other libc; its tests
 * are registered by a second line, and one that was forgotten passed; a failing assertion takes
 * locks). A linker section of tests instead of constructors: AddressSanitizer pads what is in it.
 */
#ifndef TESTS_KIT_H
#define TESTS_KIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kit_test {
	const char *name;
	void (*body)(int nth);
	const char *file;
	int line;
	struct kit_test *next;

	/* The options. */
	int times;   /* so many runs; the body finds in `nth` which it is, 0 .. times-1. 0: once */
	int seconds; /* what a run may take before it is killed. 0: KIT_SECONDS */
	int ends;    /* EXITS(status) or DIES(signal): so the body itself must end the process */
	/* Calls test->body(nth) among what it prepares and clears away. */
	void (*around)(const struct kit_test *test, int nth);
};

/* No test is about speed: a busy machine under a sanitizer gets its time. */
enum { KIT_SECONDS = 120 };

#define EXITS(status) (0x100 | (status))
#define DIES(signal) (0x200 | (signal))

#define KIT_PASTE_(a, b) a##b
#define KIT_PASTE(a, b) KIT_PASTE_(a, b)

#define TEST(test_name, ...) \
	static void KIT_PASTE(test_body_, __LINE__)(int nth); \
	static void __attribute__((constructor)) KIT_PASTE(test_add_, __LINE__)(void) \
	{ \
		static struct kit_test test = {.name = test_name, \
					       .body = KIT_PASTE(test_body_, __LINE__), \
					       .file = __FILE__, \
					       .line = __LINE__, \
					       __VA_ARGS__}; \
		kit_add(&test); \
	} \
	static void KIT_PASTE(test_body_, __LINE__)(int nth)

/* ---- expectations: the first that does not hold ends the run ---- */

#define expect(x) ((x) ? (void)0 : kit_fail(__FILE__, __LINE__, "expected %s", #x))
/* The same in words of one's own: a format and its values. */
#define expect_that(x, ...) ((x) ? (void)0 : kit_fail(__FILE__, __LINE__, __VA_ARGS__))
#define fail(...) kit_fail(__FILE__, __LINE__, __VA_ARGS__)

/* Integers of any type by their value, texts by their characters, pointers. Says both sides. */
#define expect_eq(a, b) KIT_COMPARE(a, ==, b, #a " == " #b)
#define expect_ne(a, b) KIT_COMPARE(a, !=, b, #a " != " #b)
#define expect_lt(a, b) KIT_COMPARE(a, <, b, #a " < " #b)
#define expect_le(a, b) KIT_COMPARE(a, <=, b, #a " <= " #b)
#define expect_gt(a, b) KIT_COMPARE(a, >, b, #a " > " #b)
#define expect_ge(a, b) KIT_COMPARE(a, >=, b, #a " >= " #b)

/* Memory of `size` bytes. Says the first byte that differs. */
#define expect_mem_eq(a, b, size) kit_same_memory(__FILE__, __LINE__, #a " == " #b, a, b, size)
#define expect_mem_ne(a, b, size) \
	expect_that(memcmp(a, b, size) != 0, "expected %s to differ from %s", #a, #b)

/* ---- the rest of what a body may say ---- */

/* Ends the run, which counts as skipped: what is missing here. */
#define skip(...) kit_skip(__VA_ARGS__)
/* What the run is about to do, printed if it ends badly, be it by a crash: a seed, a case. */
__attribute__((format(printf, 1, 2))) void kit_doing(const char *format, ...);
/* --seed, or 1: for tests that draw. */
uint64_t kit_seed(void);
/* What stands behind `--` on the command line; ends with NULL. */
extern char **kit_arguments;

/* ---- the insides of the words above ---- */

struct kit_value {
	enum { KIT_SIGNED, KIT_UNSIGNED, KIT_POINTER, KIT_TEXT } kind;
	uint64_t bits;
};

struct kit_value kit_signed(int64_t value);
struct kit_value kit_unsigned(uint64_t value);
struct kit_value kit_pointer(const volatile void *value);
struct kit_value kit_text(const char *value);

/* clang-format off */
#define kit_value(x) \
	_Generic((x), \
		char: kit_signed, signed char: kit_signed, short: kit_signed, int: kit_signed, \
		long: kit_signed, long long: kit_signed, \
		bool: kit_unsigned, unsigned char: kit_unsigned, unsigned short: kit_unsigned, \
		unsigned: kit_unsigned, unsigned long: kit_unsigned, \
		unsigned long long: kit_unsigned, \
		char *: kit_text, const char *: kit_text, \
		default: kit_pointer)(x)
/* clang-format on */

#define KIT_COMPARE(a, op, b, text) \
	do { \
		struct kit_value kit_a = kit_value(a), kit_b = kit_value(b); \
		if (!(kit_compare(kit_a, kit_b) op 0)) \
			kit_fail_compare(__FILE__, __LINE__, text, kit_a, kit_b); \
	} while (0)

/* Negative, 0, positive. */
int kit_compare(struct kit_value a, struct kit_value b);
void kit_same_memory(const char *file, int line, const char *text, const void *a, const void *b,
		     size_t size);
void kit_add(struct kit_test *test);
_Noreturn void kit_fail_compare(const char *file, int line, const char *text, struct kit_value a,
				struct kit_value b);
__attribute__((format(printf, 3, 4))) _Noreturn void kit_fail(const char *file, int line,
							      const char *format, ...);
__attribute__((format(printf, 1, 2))) _Noreturn void kit_skip(const char *format, ...);

#endif
