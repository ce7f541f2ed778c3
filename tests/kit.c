/* SPDX-License-Identifier: MIT */
/*
 * kit.c: the words of kit.h, on the side of the run: registration, expectations, skipping.
 *
 * What a run says about itself lies in memory that it shares with the runner (kit_run.c), so that
 * it is known however the run ends.
 */
#include "kit.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kit_run.h"

struct kit_test *kit_tests;
struct kit_report *kit_report;
char **kit_arguments;
uint64_t kit_given_seed = 1;

/* In the order of the file, which is the order in which constructors run. */
void kit_add(struct kit_test *test)
{
	struct kit_test **last = &kit_tests;
	while (*last)
		last = &(*last)->next;
	*last = test;
}

uint64_t kit_seed(void)
{
	kit_report->drew = true;
	return kit_given_seed;
}

void kit_doing(const char *format, ...)
{
	va_list list;
	va_start(list, format);
	vsnprintf(kit_report->doing, sizeof(kit_report->doing), format, list);
	va_end(list);
}

void kit_skip(const char *format, ...)
{
	va_list list;
	va_start(list, format);
	vsnprintf(kit_report->skipped, sizeof(kit_report->skipped), format, list);
	va_end(list);
	_exit(KIT_SKIPPED);
}

/* ---- a failure: one write, no lock, no allocation; no atexit, whose leaks are no news ---- */

static _Noreturn void end_failed(char *text, size_t room, int length)
{
	size_t n = (size_t)length < room ? (size_t)length : room - 1;
	text[n++] = '\n'; /* in the place of the zero */
	kit_report->failed = true;
	if (write(STDERR_FILENO, text, n) < 0)
		_exit(KIT_FAILED + 1);
	_exit(KIT_FAILED);
}

void kit_fail(const char *file, int line, const char *format, ...)
{
	char text[2048];
	va_list list;
	int n = snprintf(text, sizeof(text), "%s:%d: ", file, line);
	va_start(list, format);
	n += vsnprintf(text + n, sizeof(text) - (size_t)n, format, list);
	va_end(list);
	end_failed(text, sizeof(text), n);
}

static const char *shown(struct kit_value v, char *text, size_t room)
{
	switch (v.kind) {
	case KIT_SIGNED:
		snprintf(text, room, "%lld", (long long)v.bits);
		break;
	case KIT_UNSIGNED:
		snprintf(text, room, "%llu", (unsigned long long)v.bits);
		break;
	case KIT_POINTER:
		snprintf(text, room, "%p", (void *)(uintptr_t)v.bits);
		break;
	case KIT_TEXT:
		snprintf(text, room, v.bits ? "\"%s\"" : "NULL", (char *)(uintptr_t)v.bits);
	}
	return text;
}

void kit_fail_compare(const char *file, int line, const char *text, struct kit_value a,
		      struct kit_value b)
{
	char left[512], right[512];
	kit_fail(file, line, "expected %s\n\tleft:  %s\n\tright: %s", text,
		 shown(a, left, sizeof(left)), shown(b, right, sizeof(right)));
}

void kit_same_memory(const char *file, int line, const char *text, const void *a, const void *b,
		     size_t size)
{
	const unsigned char *left = a, *right = b;
	for (size_t i = 0; i < size; i++)
		if (left[i] != right[i])
			kit_fail(file, line, "expected %s: byte %zu of %zu is %#x, not %#x", text,
				 i, size, left[i], right[i]);
}

/* ---- values ---- */

struct kit_value kit_signed(int64_t value)
{
	return (struct kit_value){KIT_SIGNED, (uint64_t)value};
}

struct kit_value kit_unsigned(uint64_t value)
{
	return (struct kit_value){KIT_UNSIGNED, value};
}

struct kit_value kit_pointer(const volatile void *value)
{
	return (struct kit_value){KIT_POINTER, (uintptr_t)value};
}

struct kit_value kit_text(const char *value)
{
	return (struct kit_value){KIT_TEXT, (uintptr_t)value};
}

static bool negative(struct kit_value v)
{
	return v.kind == KIT_SIGNED && (int64_t)v.bits < 0;
}

int kit_compare(struct kit_value a, struct kit_value b)
{
	if (a.kind == KIT_TEXT && b.kind == KIT_TEXT && a.bits && b.bits)
		return strcmp((char *)(uintptr_t)a.bits, (char *)(uintptr_t)b.bits);
	if (negative(a) != negative(b))
		return negative(a) ? -1 : 1;
	return (a.bits > b.bits) - (a.bits < b.bits); /* two's complement keeps the order */
}
