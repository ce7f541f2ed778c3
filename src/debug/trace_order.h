/* SPDX-License-Identifier: MIT */
/* trace_order.h: the events of all rings in one order in which they can have happened. */
#ifndef WEFT_DEBUG_TRACE_ORDER_H
#define WEFT_DEBUG_TRACE_ORDER_H

#include "debug/trace_times.h"

/* Calls `each` for every event; its time is never earlier than the one before it. 0 or -ENOMEM. */
int weft__trace_each(struct trace_log *log, void (*each)(void *arg, const struct trace_item *item),
		     void *arg);

#endif
