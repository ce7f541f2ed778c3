/* SPDX-License-Identifier: MIT */
/* thread.h: records and lives of threads. */
#ifndef WEFT_SCHED_THREAD_H
#define WEFT_SCHED_THREAD_H

#include "sched/sched.h"

/* Lets half of the threads that have lain idle since the last call go. True: there may be more to
 * do. */
bool weft__thread_trim(void);
/* The thread that called weft_run gets a record and may run weft__scheduler; and back, once that
 * has returned. */
void weft__thread_adopt_caller(struct thread *t);
void weft__thread_retire_caller(struct thread *t);
/* A free record, in use from now on. NULL: max_threads is reached. [S] is held. */
struct thread *weft__thread_record_take(void);
/* The same, with the lock free. */
struct thread *weft__thread_record(void);
/* Gives a record back whose thread is gone, or was never born. [S] is held. */
void weft__thread_record_free(struct thread *t);
/* Starts the thread of a record. 0 or -errno. */
int weft__thread_create(struct thread *t);
/* Memory for max_threads records. False: there is none. */
bool weft__thread_reserve(void);
/* Frees it. */
void weft__thread_shutdown(void);

#endif
