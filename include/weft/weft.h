/* SPDX-License-Identifier: MIT */
/*
 * weft/weft.h: all of weft, and the tour of it.
 *
 *   weft/task.h     weft_run starts the runtime with a first task;
 *                   weft_go and weft_spawn start more, by the million
 *   weft/chan.h     channels between them, and select
 *   weft/typed.h    channels whose items have a type
 *   weft/group.h    tasks that belong together: wait for all, the first
 *                   failure cancels the rest
 *   weft/sync.h     mutex, rwmutex, condition, semaphore, once, wait group
 *   weft/io.h       sockets, pipes, files, signals, child processes: waits
 *                   stop the task, not the thread
 *   weft/stream.h   buffered streams over descriptors and whatever else
 *                   reads and writes
 *   weft/timer.h    timers that send into a channel or start a task
 *   weft/thread.h   lock a task to its thread, and what happens to the
 *                   thread when the task ends
 *   weft/random.h   the kernel's random bytes without a system call
 *   weft/debug.h    dump every task, count, trace
 *   weft/sim.h      the same schedule again: find races and replay them
 *   weft/error.h    what the negative numbers mean
 *   weft/version.h  which weft this is
 *   weft/attr.h     what the compiler is told about all of these; NULL
 *
 *	static void hello(void *chan)
 *	{
 *		int answer = 42;
 *		if (weft_chan_send(chan, &answer, WEFT_FOREVER) < 0)
 *			return; // cancelled, or closed
 *	}
 *
 *	static int main_task(void *arg)
 *	{
 *		struct weft_chan *chan = weft_chan_new(sizeof(int), 0);
 *		int answer;
 *		int err = weft_go(hello, chan);
 *		if (!err)
 *			err = weft_chan_recv(chan, &answer, weft_after(1000000000));
 *		weft_chan_unref(chan);
 *		return err ? 1 : 0;
 *	}
 *
 *	int main(void)
 *	{
 *		return weft_run(NULL, main_task, NULL);
 *	}
 */
#ifndef WEFT_WEFT_H
#define WEFT_WEFT_H

#include "weft/attr.h"
#include "weft/chan.h"
#include "weft/debug.h"
#include "weft/error.h"
#include "weft/group.h"
#include "weft/io.h"
#include "weft/random.h"
#include "weft/sim.h"
#include "weft/stream.h"
#include "weft/sync.h"
#include "weft/task.h"
#include "weft/thread.h"
#include "weft/timer.h"
#include "weft/typed.h"
#include "weft/version.h"

#endif
