/* SPDX-License-Identifier: MIT */
/* monitor.h: the thread that takes leases, and does what nobody else can. */
#ifndef WEFT_SCHED_MONITOR_H
#define WEFT_SCHED_MONITOR_H

int weft__monitor_start(void);
void weft__monitor_stop(void);
/* Something runs again, or there is something to look at. Async-signal-safe. */
void weft__monitor_wake(void);
/* weft_stop was called. Async-signal-safe. */
void weft__monitor_poke(void);
/* Cancels all tasks, once, when weft_stop was called. */
void weft__monitor_stop_tasks(void);

#endif
