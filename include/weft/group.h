/* SPDX-License-Identifier: MIT */
/*
 * weft/group.h: structured concurrency: tasks that belong together, end together, and fail
 * together. Since 0.1.
 *
 * The first member that returns non-zero cancels the others; weft_group_wait returns that first
 * result once all have ended.
 *
 * A group belongs to the task that made it, which alone waits for it, and must do so before it ends
 * (key destructors included); members may start members, and whoever knows the group may cancel it.
 * One that a thread made which is not the runtime's is nobody's: anybody may wait for it, one at a
 * time, and it ends with the run (weft/task.h). Waiting for a group of another task, or for one
 * that the caller is a member of, and ending with a group not waited for, are misuse: a message and
 * abort.
 *
 * Cancellation goes down: when a task is cancelled (weft_cancel, weft_stop, its group), every group
 * that it made and has not waited for is cancelled, too, and so on at any depth. A mask
 * (weft_cancel_mask) holds back the task's own mark only; but a group made under a mask is left
 * out, so clean-up may use one. A group made by a cancelled task that is not masked is born
 * cancelled. weft_cancel_clear clears the task alone. Members inherit the limit (weft_limit) that
 * their maker had when it made the group, none under a mask.
 */
#ifndef WEFT_GROUP_H
#define WEFT_GROUP_H

#include <stddef.h>
#include <stdint.h>

#include "weft/attr.h"

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

/* Made by weft_group_new, freed by the weft_group_wait that returns 0. */
struct weft_group;

/*
 * What weft_group_new_with may be told. A zero field means its default. Read during the call only;
 * `name` is copied. Since 0.2.
 */
struct weft_group_options {
	/* sizeof(struct weft_group_options); 0: that of version 0.2. */
	size_t size;
	/* The members' name, as in struct weft_spawn_options. Default none. */
	const char *name;
	/* The members' stack, as in struct weft_spawn_options. */
	size_t stack_size;
	/* How many members there may be at once. Default: any number. */
	unsigned limit;
	/* 0. */
	unsigned flags;
};

/* Returns an empty group; the caller owns it and must wait for it. NULL: no memory, or no runtime
 * runs. */
WEFT_MALLOC struct weft_group *weft_group_new(void);

/*
 * The same with options, which may be NULL; stores the group in *group. Returns 0. Errors: -ENOMEM;
 * -EINVAL no runtime runs, `group` is NULL, an unknown flag, or an absurd stack size; -E2BIG
 * options of a later version; -ENOTSUP in a forked child. Since 0.2.
 */
WEFT_MUST_CHECK int weft_group_new_with(struct weft_group **group,
					const struct weft_group_options *options);

/*
 * Starts a member. Members may start more. When there are as many as the group's options allow, it
 * waits until one ends; but a member of this group gets -EAGAIN then, since all might wait for each
 * other. Errors, nothing started: -ECANCELED the group is cancelled, or the caller was while it
 * waited; -ETIMEDOUT the caller's limit passed; -ENOMEM; -ESHUTDOWN after weft_stop; -EINVAL no
 * runtime runs, or a NULL argument.
 */
WEFT_MUST_CHECK int weft_group_go(struct weft_group *group, int (*fn)(void *arg), void *arg);

/* The same, but it never waits: -EAGAIN when there is no place. Since 0.2. */
WEFT_MUST_CHECK int weft_group_try_go(struct weft_group *group, int (*fn)(void *arg), void *arg);

/*
 * Waits until all members have ended. Returns 0 when they have, and the group is freed. When the
 * caller is cancelled (and not masked), or its limit passes (weft_limit), it cancels the members
 * and goes on waiting for them. *result (may be NULL) is the first result that was not 0; if there
 * is none, -ECANCELED (-ETIMEDOUT for the limit) when members still ran then, else 0.
 *
 * Errors, the group lives on: -EAGAIN, -ETIMEDOUT for `deadline` alone; -ENOMEM no memory to watch
 * `deadline`; -EINVAL no runtime runs, or `group` is NULL. So weft_group_wait(g, &result,
 * WEFT_FOREVER) always is the last line of a group. Hold no lock there that members want.
 */
WEFT_MUST_CHECK int weft_group_wait(struct weft_group *group, int *result, int64_t deadline);

/*
 * Cancels all members, now and later, and the groups below them. Sticky; twice is once. Returns 0,
 * or -EINVAL when no runtime runs or `group` is NULL.
 */
int weft_group_cancel(struct weft_group *group);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif
