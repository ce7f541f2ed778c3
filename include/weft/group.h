/* SPDX-License-Identifier: MIT */
/*
 * weft/group.h: structured concurrency: tasks that belong together, end together, and fail
 * together.
 *
 * The first member that returns non-zero cancels the others; weft_group_wait gives that first
 * result once all have ended. Groups are made, filled and waited for by tasks.
 */
#ifndef WEFT_GROUP_H
#define WEFT_GROUP_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Made by weft_group_new, freed by the weft_group_wait that gives 0. */
struct weft_group;

/* An empty group; the caller owns it and must wait for it. NULL: no memory. Since 0.1. */
struct weft_group *weft_group_new(void);

/*
 * Starts a member. Members may start more. Since 0.1.
 * Errors, nothing started: -ECANCELED the group is cancelled; -ENOMEM; -ESHUTDOWN after weft_stop;
 * -EINVAL no runtime runs, or a NULL argument.
 */
int weft_group_go(struct weft_group *g, int (*fn)(void *arg), void *arg);

/*
 * Waits until all members have ended. 0: they have; *result (may be NULL) is the first non-zero
 * result or 0, and the group is freed. Errors, the group lives on: -EAGAIN, -ETIMEDOUT; -ECANCELED
 * the caller was cancelled (the members were not). Since 0.1.
 */
int weft_group_wait(struct weft_group *g, int *result, int64_t deadline);

/* Cancels all members, now and later. Sticky; twice is once. 0; -EINVAL g is NULL. Since 0.1. */
int weft_group_cancel(struct weft_group *g);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
