/* SPDX-License-Identifier: MIT */
/*
 * rows.h: the rows that the weft program does, and the little that they share.
 */
#ifndef WEFT_BENCH_ROWS_H
#define WEFT_BENCH_ROWS_H

#include "../bench.h"
#include "weft/weft.h"

#define SHARE(total, parts, i) \
	((total) / (parts) + ((i) < (total) % (parts))) /* of part i, evenly */

uint64_t row_yield(const struct bench *b);
uint64_t row_spawn(const struct bench *b);
uint64_t row_pingpong(const struct bench *b);
uint64_t row_buffered(const struct bench *b);
uint64_t row_select(const struct bench *b);
uint64_t row_mutex(const struct bench *b);
uint64_t row_skynet(const struct bench *b);
uint64_t row_sleepers(const struct bench *b);
uint64_t row_parked(const struct bench *b);
uint64_t row_nanosleep(const struct bench *b);
uint64_t row_usleep(const struct bench *b);
uint64_t row_locked_1(const struct bench *b);
uint64_t row_locked_16(const struct bench *b);
uint64_t row_idle(const struct bench *b);
uint64_t row_bursts(const struct bench *b);
uint64_t row_fair(const struct bench *b);
uint64_t row_fair_calls(const struct bench *b);
uint64_t row_echo(const struct bench *b);

/* Starts and joins for rows: no errors to handle, they end the program. */
struct weft_task *start(int (*fn)(void *arg), void *arg);
void finish(struct weft_task *task);
struct weft_chan *channel(size_t item_size, size_t capacity);
struct weft_stats stats(void);

#endif
