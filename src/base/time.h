/* SPDX-License-Identifier: MIT */
/*
 * time.h: time is int64_t nanoseconds everywhere; a constant is written with its unit.
 *
 * A point in time is one of CLOCK_MONOTONIC (weft__clock); INT64_MAX as a deadline means no limit.
 * Constants are macros of type int64_t: an enumerator is an int, and ten seconds do not fit into
 * one.
 */
#ifndef WEFT_BASE_TIME_H
#define WEFT_BASE_TIME_H

#include <stdint.h>
#include <time.h>

#define US(n) (INT64_C(1000) * (int64_t)(n))
#define MS(n) (INT64_C(1000000) * (int64_t)(n))
#define SECONDS(n) (INT64_C(1000000000) * (int64_t)(n))

static inline struct timespec timespec_of(int64_t ns)
{
	return (struct timespec){.tv_sec = ns / SECONDS(1), .tv_nsec = ns % SECONDS(1)};
}

static inline int64_t nanoseconds_of(struct timespec ts)
{
	return SECONDS(ts.tv_sec) + ts.tv_nsec;
}

#endif
