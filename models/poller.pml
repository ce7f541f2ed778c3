/* SPDX-License-Identifier: MIT */
/*
 * poller.pml: the poller's duty (src/sched/sleep.c, proc.c, thread.c, timer.c, monitor.c;
 * docs/DUTIES.md).
 *
 * One processor, a locked task L on a thread of its own, and two tasks S and D on the other
 * threads. L awaits a timer, is woken and ends; its thread may be the poller until then, and
 * sleeps no more afterwards. S starts a timer, awaits it and ends. D awaits a descriptor, which is
 * readable sooner or later, and ends. An idle thread may be retired. Only a thread in the poller
 * sees timers and descriptors here: no holder attends to its own, and the monitor, which would see
 * them a little later (sched.monitor.rescues), is left out.
 *
 *   step here           function
 *   go_to_sleep         sleep.c:sleep_begin, poller_begin
 *   poll                sleep.c:sleep_polling, poller_end; run_all_timers, weft__netpoll_deliver
 *   keep_ready          sleep.c:keep_ready; ready_list: schedule.c:weft__ready_list
 *   kick_if_earlier     timer.c:weft__timer_start; of a descriptor epoll itself tells the poller
 *   start               proc.c:start, weft__proc_serve_waiting
 *   leave               proc.c:weft__proc_leave, poller_missing
 *   hand_off            proc.c:weft__proc_hand_off, weft__proc_release
 *   give                proc.c:weft__proc_give
 *   retire              thread.c:weft__thread_trim
 *
 * S's timer is due at 1, L's at 2: the poller sleeps until the earliest one that it has seen
 * (`until`), so who starts an earlier one must kick it. It is 2 only when S has ended: who sleeps
 * past 1 sleeps for ever.
 *
 * Left out: the turn in which a holder attends to its own timers (it runs out by itself), searchers
 * (idle.pml), births that fail (threads.pml), the deadlock judge.
 *
 * What must hold: one thread at most polls; each timer and each descriptor is seen, and every task
 * ends.
 *
 * run: pass | | a thread that ends, two others, one of which is retired
 * run: fail invalid end state | -DBUG_1 | the end idles the processor and hands nothing on
 * run: fail invalid end state | -DBUG_2 | the poller is retired
 * run: fail invalid end state | -DBUG_3 | who polls? asked before the lock is taken, not under it
 * run: fail invalid end state | -DBUG_4 | an earlier timer does not kick
 * run: fail invalid end state | -DNO_TRIM -DBUG_5 | it looks at the timers, then says that it polls
 * run: fail invalid end state | -DBUG_6 | a processor for the poller, without a kick
 * run: fail pollers==1 | -DBUG_7 | asked before the lock is taken, and believed
 */
#define L 1
#define S 2
#define D 3
#define TASKS 3
#define THREADS 4 /* 1 to 3; 0 is nobody */
#define NONE 0

#define NOBODY_POLLS 0
#define NEVER 9

chan queue = [TASKS] of { byte };
byte pc[TASKS + 1], locked_to;
byte holder, next_on; /* of the one processor; NONE: it is idle */
byte next_task[THREADS];
bool wake[THREADS], idle[THREADS], polling[THREADS], leaving[THREADS];
byte pollers, until = NOBODY_POLLS;
bool kicked;
byte timer_l = NEVER, timer_s = NEVER, hour;
bool awaited, readable;
bool retired;
byte ended;

#define earliest (timer_l < timer_s -> timer_l : timer_s)
#define due_l (timer_l <= hour)
#define due_s (timer_s <= hour)
#define poller_missing (until == NOBODY_POLLS && (earliest != NEVER || awaited))

/* ---- with the lock held ---- */

inline attach(to)
{
	assert(holder == NONE);
	holder = to;
	next_task[to] = next_on;
	next_on = NONE;
	wake[to] = true
}

inline start_on(to)
{
	attach(to);
#ifndef BUG_6
	kicked = kicked || polling[to]
#endif
}

/* An idle thread, the one in the poller last. When there is none, who goes to sleep next looks. */
inline start()
{
	if
	:: idle[1] && !polling[1] -> to = 1
	:: idle[2] && !polling[2] -> to = 2
	:: idle[3] && !polling[3] -> to = 3
	:: else ->
		if
		:: idle[1] -> to = 1
		:: idle[2] -> to = 2
		:: idle[3] -> to = 3
		:: else -> to = NONE
		fi
	fi;
	if
	:: to != NONE -> idle[to] = false; start_on(to)
	:: to == NONE && next_on != NONE -> queue!next_on; next_on = NONE
	:: else
	fi;
	to = NONE
}

/* weft__proc_wake, weft__proc_serve_waiting */
inline serve_waiting()
{
	if
	:: holder == NONE && len(queue) > 0 -> start()
	:: else
	fi
}

inline hand_off(t)
{
	holder = NONE;
	next_on = task;
	task = NONE;
	if
	:: next_on != NONE || len(queue) > 0 -> start()
	:: else
	fi
}

inline give(t)
{
	holder = NONE;
	next_on = L;
	task = NONE;
	start_on(locked_to)
}

inline leave(t)
{
	holder = NONE;
	if
#ifdef BUG_1
	:: len(queue) > 0 -> start()
#else
	:: len(queue) > 0 || poller_missing -> start()
#endif
	:: else
	fi
}

/* ---- sleep ---- */

inline poller_begin(t)
{
	polls = true;
	polling[t] = true;
	pollers++;
	assert(pollers == 1);
	until = NEVER
}

inline go_to_sleep(t)
{
	if
	:: holder == t || leaving[t]
	:: else ->
		wake[t] = false;
		idle[t] = (locked_to != t);
		if
#if defined(BUG_3)
		:: nobody_polled && until == NOBODY_POLLS -> poller_begin(t)
#elif defined(BUG_7)
		:: nobody_polled -> poller_begin(t)
#else
		:: until == NOBODY_POLLS -> poller_begin(t)
#endif
		:: else
		fi
	fi
}

/* What was due or ready is in this thread's hands, and it polls no more. */
inline poller_end(t)
{
	kicked = false;
	carried_l = due_l;
	carried_s = due_s;
	carried_d = awaited && readable;
	timer_l = (due_l -> NEVER : timer_l);
	timer_s = (due_s -> NEVER : timer_s);
	awaited = awaited && !readable;
	polls = false;
	polling[t] = false;
	pollers--;
	until = NOBODY_POLLS;
	idle[t] = (holder == t -> idle[t] : false)
}

/* It takes an idle processor for what it may run itself: keep_ready. */
inline keep_ready(t)
{
	if
	:: holder == NONE && locked_to == t && carried_l ->
		attach(t);
		next_task[t] = L;
		carried_l = false
	:: holder == NONE && locked_to != t && (carried_l || carried_s || carried_d) -> attach(t)
	:: else
	fi
}

inline ready_list()
{
	if
	:: carried_l -> queue!L
	:: else
	fi;
	if
	:: carried_s -> queue!S
	:: else
	fi;
	if
	:: carried_d -> queue!D
	:: else
	fi;
	carried_l = false;
	carried_s = false;
	carried_d = false
}

inline poll(t)
{
#ifdef BUG_5
	until = seen;
#else
	until = earliest;
#endif
end_poll: atomic { kicked || hour >= until || (awaited && readable) -> poller_end(t) }
	atomic { keep_ready(t) }
	atomic { ready_list() }
	atomic { serve_waiting() }
}

inline sleep(t)
{
	do
	:: atomic { holder == t || leaving[t] -> break }
	:: holder != t && !leaving[t] ->
#ifdef BUG_5
		seen = earliest;
#endif
#if defined(BUG_3) || defined(BUG_7)
		nobody_polled = (until == NOBODY_POLLS);
#endif
		atomic { go_to_sleep(t) }
		atomic { serve_waiting() }
		if
		:: polls -> poll(t)
		:: !polls ->
end:			wake[t]
		fi
	od
}

/* ---- tasks ---- */

inline kick_if_earlier(when)
{
#ifdef BUG_4
	skip
#else
	atomic { kicked = kicked || when < until }
#endif
}

inline run_task(t)
{
	pc[task]++;
	if
	:: task == L && pc[L] == 1 -> locked_to = t; timer_l = 2; kick_if_earlier(2)
	:: task == L && pc[L] == 2 -> assert(locked_to == t); ended++; gone = true
	:: task == S && pc[S] == 1 -> timer_s = 1; kick_if_earlier(1)
	:: task == D && pc[D] == 1 -> awaited = true
	:: task != L && pc[task] == 2 -> ended++
	fi;
	task = NONE
}

inline pick(t)
{
	task = next_task[t];
	next_task[t] = NONE;
	if
	:: task == NONE && len(queue) > 0 -> queue?task
	:: else
	fi
}

proctype thread(byte t)
{
	byte task, to, seen;
	bool gone, polls, nobody_polled, carried_l, carried_s, carried_d;
	do
	:: gone || leaving[t] -> break
	:: else ->
		sleep(t);
		if
		:: holder == t -> atomic { pick(t) }
		:: else -> break
		fi;
		if
		:: task != NONE && (task == L -> locked_to : NONE) ==
					   (locked_to == t -> t : NONE) -> run_task(t)
		:: task == L && locked_to != NONE && locked_to != t -> atomic { give(t) }
		:: task == NONE || (task != L && locked_to == t) -> atomic { hand_off(t) }
		fi
	od;
	if
	:: gone -> atomic { leave(t) }
	:: else
	fi
}

/* ---- around them ---- */

inline retire(t)
{
	idle[t] = false;
	leaving[t] = true;
	wake[t] = true;
	kicked = kicked || polling[t];
	retired = true
}

#ifdef BUG_2
#define may_retire(t) (!retired && idle[t])
#else
#define may_retire(t) (!retired && idle[t] && !polling[t])
#endif

#ifndef NO_TRIM
active proctype trim()
{
end:
	do
	:: atomic { may_retire(1) -> retire(1) }
	:: atomic { may_retire(2) -> retire(2) }
	:: atomic { may_retire(3) -> retire(3) }
	od
}
#endif

active proctype clock()
{
	hour = 1;
	pc[S] == 2;
	hour = 2
}

active proctype peer()
{
	readable = true
}

/* Not finished is not an end. */
active proctype everything_ends()
{
	(ended == TASKS)
}

init {
	atomic {
		queue!L;
		queue!S;
		queue!D;
		run thread(1);
		run thread(2);
		run thread(3)
	}
}
