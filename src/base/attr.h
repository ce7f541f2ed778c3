/* SPDX-License-Identifier: MIT */
/*
 * attr.h: what the compiler can be told, under one short name each.
 *
 * The lowest room of the house: it includes nothing of weft's.
 */
#ifndef WEFT_BASE_ATTR_H
#define WEFT_BASE_ATTR_H

#include <stddef.h>
#include <stdint.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#define noinline __attribute__((__noinline__))
#define always_inline inline __attribute__((always_inline))
#define cold __attribute__((__cold__, __noinline__))
#define printf_like(fmt, args) __attribute__((format(printf, fmt, args)))

#define CACHE_LINE 64
#define cache_aligned __attribute__((aligned(CACHE_LINE)))

#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))
#define array_len(a) (sizeof(a) / sizeof((a)[0]))
/* For values, not for calls: each argument is evaluated twice, and a clock would move in
 * between. */
#define min_of(a, b) ((a) < (b) ? (a) : (b))
#define max_of(a, b) ((a) > (b) ? (a) : (b))
#define round_up(n, to) (((n) + (to)-1) & ~((to)-1)) /* `to` is a power of two */

/* Neither inlined nor cloned nor analysed: the compiler must call it each time. */
#ifdef __clang__
#define noipa __attribute__((__noinline__, optnone))
#else
#define noipa __attribute__((noipa))
#endif

/*
 * A function that the storm names in its report. Its code lies in a section of its own, whose
 * bounds and functions the storm knows without a symbol table: strip(1) takes that away.
 */
#ifdef WEFT_FAULTS
#define storm_frame __attribute__((__section__("weft_evidence"), __noinline__))
#else
#define storm_frame
#endif

/* Compiled with ThreadSanitizer or AddressSanitizer? */
#if defined(WEFT_TSAN)
#elif defined(__SANITIZE_THREAD__)
#define WEFT_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define WEFT_TSAN 1
#endif
#if __has_feature(address_sanitizer)
#define WEFT_ASAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define WEFT_ASAN 1
#endif

/* For code that ThreadSanitizer must not look at. */
#ifdef WEFT_TSAN
#define no_tsan __attribute__((no_sanitize("thread")))
#else
#define no_tsan
#endif

#endif
