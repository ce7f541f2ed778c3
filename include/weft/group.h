/* SPDX-License-Identifier: MIT */
/*
 * weft/group.h: structured concurrency: tasks that belong together, end together, and fail
 * together. Since 0.1.
 *
 * The first member that returns non-zero cancels the others; weft_group_wait returns that first
 * result once all have ended. Groups are made, filled and waited for by tasks.
 */
#ifndef WEFT_GROUP_H
#define WEFT_GROUP_H

#include <stdint.h>

#include "weft/attr.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Made by weft_group_new, freed by the weft_group_wait that returns 0. */
struct weft_group;

/* Returns an empty group; the caller owns it and must wait for it. NULL: no memory, or no task. */
WEFT_MALLOC struct weft_group *weft_group_new(void);

/*
 * Starts a member. Members may start more. Errors, nothing started: -ECANCELED the group is
 * cancelled; -ENOMEM; -ESHUTDOWN after weft_stop; -EINVAL outside a task, or a NULL argument.
 */
WEFT_MUST_CHECK int weft_group_go(struct weft_group *group, int (*fn)(void *arg), void *arg);

/*
 * Waits until all members have ended. Returns 0 when they have; *result (may be NULL) is the first
 * non-zero result or 0, and the group is freed. Errors, the group lives on: -EAGAIN, -ETIMEDOUT;
 * -ECANCELED the caller was cancelled (the members were not); -EINVAL outside a task, or `group` is
 * NULL. Two tasks that wait for one group are misuse: a message and abort.
 */
WEFT_MUST_CHECK int weft_group_wait(struct weft_group *group, int *result, int64_t deadline);

/*
 * Cancels all members, and lets weft_group_go start no more. Sticky; a second call does nothing.
 * Returns 0, or -EINVAL outside a task or when `group` is NULL.
 */
int weft_group_cancel(struct weft_group *group);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
