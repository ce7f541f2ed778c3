/* SPDX-License-Identifier: MIT */
/*
 * weft/with/curl.h: transfers of libcurl, 7.68 and later, which the program links (-lcurl). Since
 * 0.2.
 *
 * A weft_curl keeps one CURLM, so connections are kept and shared by all who use it, and one task,
 * which runs every callback of the transfers: no call of weft's in those. That task holds one
 * thread while transfers are under way, however many, and none while there are none. An easy handle
 * is for one task at a time; CURLOPT_NOSIGNAL is set, and no SIGPIPE is raised.
 *
 * States of a job, each moved by one side, the lists under the lock:
 *
 *   inbox -> active -> ended     the task of the weft_curl; at `ended` it wakes the caller
 *   give_up 0 -> 1               the caller, whose wait was over first; it waits until `ended`
 *
 * A job lies on its caller's stack: the caller takes the lock once more before it returns, so that
 * the waker has left it.
 */
#ifndef WEFT_WITH_CURL_H
#define WEFT_WITH_CURL_H

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "weft/sync.h"
#include "weft/task.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weft_curl_job_ {
	struct weft_curl_job_ *next;
	CURL *easy;
	CURLcode result;
	int give_up;
	struct weft_sem ended;
};

/* Made by weft_curl_new, freed by weft_curl_free. */
struct weft_curl {
	CURLM *multi;
	struct weft_task *task;
	struct weft_mutex lock;	       /* guards the next four, and give_up of every job */
	struct weft_cond changed;      /* one of them has */
	struct weft_curl_job_ *inbox;  /* not seen by the task yet */
	int given_up;		       /* a job of `active` was */
	int ending;		       /* weft_curl_free waits */
	struct weft_curl_job_ *active; /* of the task alone */
};

/* ---- the calls of libcurl's that write: a SIGPIPE that comes of them is taken away ---- */

struct weft_curl_quiet_ {
	sigset_t before, pending;
};

static inline void weft_curl_quiet_(struct weft_curl_quiet_ *quiet)
{
	sigset_t pipe;
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	sigpending(&quiet->pending);
	pthread_sigmask(SIG_BLOCK, &pipe, &quiet->before);
}

static inline void weft_curl_loud_(const struct weft_curl_quiet_ *quiet)
{
	const struct timespec now = {0, 0};
	sigset_t pipe;
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	if (!sigismember(&quiet->pending, SIGPIPE))
		sigtimedwait(&pipe, NULL, &now);
	pthread_sigmask(SIG_SETMASK, &quiet->before, NULL);
}

static inline void weft_curl_step_(CURLM *multi)
{
	struct weft_curl_quiet_ quiet;
	int running;
	weft_curl_quiet_(&quiet);
	curl_multi_perform(multi, &running);
	weft_curl_loud_(&quiet);
}

static inline void weft_curl_remove_(CURLM *multi, CURL *easy)
{
	struct weft_curl_quiet_ quiet;
	weft_curl_quiet_(&quiet);
	curl_multi_remove_handle(multi, easy);
	weft_curl_loud_(&quiet);
}

static inline void weft_curl_cleanup_(CURLM *multi)
{
	struct weft_curl_quiet_ quiet;
	weft_curl_quiet_(&quiet);
	curl_multi_cleanup(multi);
	weft_curl_loud_(&quiet);
}

/* ---- the task ---- */

static inline void weft_curl_end_(struct weft_curl *curl, struct weft_curl_job_ **place,
				  CURLcode result)
{
	struct weft_curl_job_ *job = *place;
	*place = job->next;
	job->result = result;
	weft_mutex_lock(&curl->lock);
	weft_sem_release(&job->ended, 1);
	weft_mutex_unlock(&curl->lock);
}

static inline void weft_curl_begin_(struct weft_curl *curl, struct weft_curl_job_ *job)
{
	job->next = curl->active;
	curl->active = job;
	if (curl_multi_add_handle(curl->multi, job->easy) != CURLM_OK)
		weft_curl_end_(curl, &curl->active, CURLE_FAILED_INIT);
}

/* The caller of each such job waits for it to be let go. */
static inline void weft_curl_let_go_(struct weft_curl *curl)
{
	struct weft_curl_job_ **place = &curl->active;
	while (*place) {
		weft_mutex_lock(&curl->lock);
		int give_up = (*place)->give_up;
		weft_mutex_unlock(&curl->lock);
		if (!give_up) {
			place = &(*place)->next;
			continue;
		}
		weft_curl_remove_(curl->multi, (*place)->easy);
		weft_curl_end_(curl, place, CURLE_OPERATION_TIMEDOUT);
	}
}

/* Waits while there is nothing to do. False: the end. */
static inline int weft_curl_take_(struct weft_curl *curl)
{
	struct weft_curl_job_ *job, *next;
	weft_mutex_lock(&curl->lock);
	while (!curl->active && !curl->inbox && !curl->ending)
		if (weft_cond_wait(&curl->changed, &curl->lock, WEFT_FOREVER) < 0)
			break;
	int given_up = curl->given_up, end = curl->ending;
	job = curl->inbox;
	curl->inbox = NULL;
	curl->given_up = 0;
	weft_mutex_unlock(&curl->lock);
	for (; job; job = next) {
		next = job->next;
		weft_curl_begin_(curl, job);
	}
	if (given_up)
		weft_curl_let_go_(curl);
	return !end || curl->active;
}

static inline void weft_curl_collect_(struct weft_curl *curl)
{
	CURLMsg *message;
	int left;
	while ((message = curl_multi_info_read(curl->multi, &left))) {
		struct weft_curl_job_ **place = &curl->active;
		CURLcode result = message->data.result;
		while ((*place)->easy != message->easy_handle)
			place = &(*place)->next;
		weft_curl_remove_(curl->multi, message->easy_handle);
		weft_curl_end_(curl, place, result);
	}
}

static inline int weft_curl_main_(void *arg)
{
	struct weft_curl *curl = (struct weft_curl *)arg;
	weft_cancel_mask(1); /* only weft_curl_free ends it: callers wait for it */
	while (weft_curl_take_(curl)) {
		weft_curl_step_(curl->multi);
		weft_curl_collect_(curl);
		if (curl->active)
			curl_multi_poll(curl->multi, NULL, 0, 1000, NULL);
	}
	return 0;
}

/* ---- callers ---- */

/* Makes a weft_curl. Returns 0. -ENOMEM; -EINVAL: `curl` is NULL; errors also: weft_spawn's. */
static inline int weft_curl_new(struct weft_curl **curl)
{
	struct weft_curl *made;
	int err = -ENOMEM;
	if (!curl)
		return -EINVAL;
	made = (struct weft_curl *)calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	made->multi = curl_multi_init();
	if (made->multi)
		err = weft_spawn(&made->task, NULL, weft_curl_main_, made);
	if (err < 0) {
		curl_multi_cleanup(made->multi);
		free(made);
		return err;
	}
	*curl = made;
	return 0;
}

/* The lock is held: tells the task, wherever it waits. */
static inline void weft_curl_tell_(struct weft_curl *curl)
{
	weft_cond_signal(&curl->changed);
	curl_multi_wakeup(curl->multi);
}

static inline void weft_curl_submit_(struct weft_curl *curl, struct weft_curl_job_ *job)
{
	weft_mutex_lock(&curl->lock);
	job->next = curl->inbox;
	curl->inbox = job;
	weft_curl_tell_(curl);
	weft_mutex_unlock(&curl->lock);
}

/* Nothing uses the job any more when it returns. */
static inline void weft_curl_withdraw_(struct weft_curl *curl, struct weft_curl_job_ *job)
{
	int mask = weft_cancel_mask(1);
	weft_mutex_lock(&curl->lock);
	job->give_up = curl->given_up = 1;
	weft_curl_tell_(curl);
	weft_mutex_unlock(&curl->lock);
	while (weft_sem_acquire(&job->ended, 1, WEFT_FOREVER) < 0)
		;
	weft_cancel_mask(mask);
}

/*
 * Does the transfer of a prepared easy handle, and returns what curl_easy_perform would. What the
 * deadline ends is CURLE_OPERATION_TIMEDOUT, what weft_cancel ends CURLE_ABORTED_BY_CALLBACK; the
 * server may have done it, and the handle may be used again. CURLE_FAILED_INIT: another task uses
 * the handle; CURLE_BAD_FUNCTION_ARGUMENT: a pointer is NULL. By tasks alone.
 */
static inline CURLcode weft_curl_perform(struct weft_curl *curl, CURL *easy, int64_t deadline)
{
	struct weft_curl_job_ job = {NULL, easy, CURLE_OK, 0, WEFT_SEM_INIT(0)};
	int err;
	if (!curl || !easy)
		return CURLE_BAD_FUNCTION_ARGUMENT;
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	weft_curl_submit_(curl, &job);
	err = weft_sem_acquire(&job.ended, 1, deadline);
	if (err < 0)
		weft_curl_withdraw_(curl, &job);
	weft_mutex_lock(&curl->lock);
	weft_mutex_unlock(&curl->lock);
	if (err == -ECANCELED && job.result == CURLE_OPERATION_TIMEDOUT)
		return CURLE_ABORTED_BY_CALLBACK;
	return job.result;
}

/* Ends the task, closes the connections and frees. NULL: nothing. Nobody may be inside. */
static inline void weft_curl_free(struct weft_curl *curl)
{
	int mask;
	if (!curl)
		return;
	mask = weft_cancel_mask(1);
	weft_mutex_lock(&curl->lock);
	curl->ending = 1;
	weft_curl_tell_(curl);
	weft_mutex_unlock(&curl->lock);
	while (weft_join(curl->task, NULL, WEFT_FOREVER) < 0)
		;
	weft_cancel_mask(mask);
	weft_curl_cleanup_(curl->multi);
	free(curl);
}

#ifdef __cplusplus
}
#endif

#endif
