/* SPDX-License-Identifier: MIT */
/* mutex.h: unlocking from within a call, as weft_cond_wait does. */
#ifndef WEFT_API_MUTEX_H
#define WEFT_API_MUTEX_H

#include "weft/sync.h"

struct thread;

/*
 * weft_mutex_unlock for a caller inside the runtime (t; NULL: a foreign thread). `call`: for the
 * message.
 */
void weft__mutex_unlock(struct thread *t, struct weft_mutex *m, const char *call);

/* Misuse, named after `call`, unless the caller holds the mutex. */
void weft__mutex_require(const struct weft_mutex *m, const char *call);

#endif
