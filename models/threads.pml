/* SPDX-License-Identifier: MIT */
/*
 * threads.pml: no thread is to be had (src/sched/proc.c, sleep.c, template.c; docs/THREADS.md).
 *
 * Three tasks are queued, in this order or the opposite one. L locks its thread, waits for U,
 * yields, and ends, and its thread with it. U yields, wakes L and ends. K yields, blocks in user
 * code, where the monitor may take its processor, comes back and ends. As long as its processor is
 * not taken K comes back by itself; when it is, not before L, if runnable, has ended. Births fail
 * now and then, or always, or there are as many threads as there may be (MAX).
 *
 * A queue belongs to each processor, another one to nobody; `next_on` is a task in hand. A
 * processor that was let go has a holder again, or is wanted by the template, or is idle and its
 * queue empty.
 * Work that is nobody's is taken up by who goes to sleep, by who comes back from user code, by the
 * locked task's own thread, and by the template, which tries on.
 *
 * A nap of the template ends when its next attempt can change something, and the monitor looks when
 * its look can: looks that change nothing for ever would hide that everything stands still. For the
 * same reason the template does not try on where births always fail (-DREFUSED): there the threads
 * that exist must see to all work by themselves. A birth that is asked for ends the nap only by
 * waking the template. While nothing runs the monitor may sleep until it is woken.
 *
 * Left out: theft (without it fewer come to the rescue), spare threads (locked.pml), the count of
 * searchers (idle.pml), the word of a lease (lease.pml), the poller (poller.pml).
 *
 * What must hold: a locked task runs on its thread alone, which runs nothing else; a processor has
 * one holder, a thread at most one processor; an idle processor has no work; threads are as many as
 * may be; every task ends.
 *
 * run: pass | | one processor, three threads at most, one birth fails
 * run: pass | -DP=2 -DMAX=2 | as many threads as processors, one of them locked
 * run: pass | -DMAX=1 | each task needs the same place
 * run: pass | -DK_WAITS | K's code waits for U: the monitor has to take its processor
 * run: pass | -DREFUSED -DBORN=2 | two threads, never another
 * run: pass | -DREFUSED -DBORN=2 -DP=2 | two processors for them
 * run: fail invalid end state | -DREFUSED -DBORN=2 -DBUG_1 | a processor stays wanted with its work
 * run: fail invalid end state | -DREFUSED -DBORN=2 -DBUG_2 | no look on the way to sleep
 * run: fail invalid end state | -DREFUSED -DBORN=2 -DBUG_3 | a locked task waits for a third thread
 * run: fail invalid end state | -DBUG_4 | the task in hand is lost when the birth fails
 * run: fail invalid end state | -DBUG_5 | ... or stays with the processor
 * run: fail invalid end state | -DMAX=1 -DBUG_6 | the dead are not reaped at the limit
 * run: fail invalid end state | -DBUG_7 | the template does not try on
 * run: fail invalid end state | -DREFUSED -DBORN=2 -DBUG_8 | a look before it counts as asleep
 * run: fail invalid end state | -DP=2 -DMAX=2 -DBUG_9 | a birth that is asked for ends no nap
 * run: fail invalid end state | -DK_WAITS -DBUG_10 | the template does not wake the monitor
 */
#define TASKS 3
#define L 0
#define U 1
#define K 2
#ifndef P
#define P 1
#endif
#ifndef MAX
#define MAX 3
#endif
#ifndef BORN
#define BORN 1 /* threads at the start: weft__thread_first */
#endif
#define THREADS (MAX + 2) /* 0 is nobody; the dead one's number is not used again */
#define FAILS 1
#define NONE 255

/* Where a processor is */
#define HELD 0
#define IDLE 1
#define WANTED 2
#define IN_HAND 3 /* of the one who brings it from one to the other */

chan global = [TASKS] of { byte };
chan queue[P] = [TASKS] of { byte };

byte holder[P], place[P], next_on[P];
byte processor[THREADS], next_task[THREADS], given[THREADS], locked_task[THREADS];
bool wake[THREADS], idle[THREADS], locked_asleep[THREADS], blocking[THREADS], joinable[THREADS];
byte pc[TASKS], locked_to;
bool woken_l, parked_l;
byte ended;

byte born, count, fails;
bool births_fail, missed, template_wake, monitor_asleep;

#if P == 1
#define wanted (place[0] == WANTED)
#define some_idle (place[0] == IDLE)
#define wanted_count ((place[0] == WANTED) + 0)
#define nothing_runs (place[0] == IDLE)
#define some_busy false
#else
#define wanted (place[0] == WANTED || place[1] == WANTED)
#define some_idle (place[0] == IDLE || place[1] == IDLE)
#define wanted_count ((place[0] == WANTED) + (place[1] == WANTED))
#define nothing_runs (place[0] == IDLE && place[1] == IDLE)
#define some_busy (!nothing_runs)
#endif
#define room (count + wanted_count < MAX)
#define birth_possible (!births_fail && room)
#if MAX == 1
#define some_thread_idle (idle[1] || idle[2])
#elif MAX == 2
#define some_thread_idle (idle[1] || idle[2] || idle[3])
#else
#define some_thread_idle (idle[1] || idle[2] || idle[3] || idle[4])
#endif
#define locked_sleeper (global??[L] && locked_to != NONE && locked_asleep[locked_to] && \
			processor[locked_to] == NONE && given[locked_to] == NONE)
/* ---- with the lock held ---- */
inline attach(to, p)
{
	assert(processor[to] == NONE && holder[p] == NONE);
	holder[p] = to;
	place[p] = HELD;
	processor[to] = p;
	next_task[to] = next_on[p];
	next_on[p] = NONE
}
inline detach(t)
{
	p = processor[t];
	assert(p != NONE && holder[p] == t);
	holder[p] = NONE;
	place[p] = IN_HAND;
	processor[t] = NONE
}
inline idle_push(p)
{
	assert(next_on[p] == 255);
	assert(len(queue[p]) == 0);
	place[p] = IDLE
}
inline start_on(p, to)
{
	if :: processor[to] != NONE -> given[to] = p :: else -> attach(to, p) fi;
	wake[to] = true
}
inline give_work_up(p)
{
#ifndef BUG_5
	if :: next_on[p] != NONE -> global!next_on[p]; next_on[p] = NONE :: else fi;
#endif
	do
	:: nempty(queue[p]) -> queue[p]?moved; global!moved
	:: empty(queue[p]) -> break
	od;
	moved = 0
}
inline do_without_a_thread(p)
{
	if
#ifndef BUG_3
	:: locked_sleeper ->
		global??L;
		missed = missed || nempty(global);
		next_on[p] = L;
		start_on(p, locked_to)
#endif
	:: else -> missed = missed || nempty(global); idle_push(p)
	fi;
	template_wake = template_wake || missed
}
/* The template is woken in the same step: locked.pml has the two apart. */
inline start(p)
{
	if
	:: idle[1] -> to = 1
	:: idle[2] -> to = 2
#if MAX > 1
	:: idle[3] -> to = 3
#endif
#if MAX > 2
	:: idle[4] -> to = 4
#endif
	:: else -> to = 0
	fi;
	idle[to] = false;
	if
	:: to != 0 -> start_on(p, to)
#ifdef BUG_1
	:: to == 0 -> place[p] = WANTED; template_wake = true
#else
	:: to == 0 && birth_possible -> place[p] = WANTED; template_wake = true
	:: to == 0 && !birth_possible -> give_work_up(p); do_without_a_thread(p)
#endif
	fi;
	to = 0
}
inline take_idle(p)
{
	if
	:: place[0] == IDLE -> p = 0; place[0] = IN_HAND
#if P > 1
	:: place[1] == IDLE -> p = 1; place[1] = IN_HAND
#endif
	:: else -> p = NONE
	fi
}
inline start_one_idle()
{
	take_idle(p);
	if :: p != NONE -> start(p) :: else fi;
	p = 0
}
inline wake_monitor()
{
	monitor_asleep = monitor_asleep && nothing_runs
}
/* ---- the lock is dropped ---- */
inline serve_waiting()
{
	atomic {
		if :: nempty(global) -> start_one_idle() :: empty(global) fi;
#ifndef BUG_10
		wake_monitor()
#endif
	}
}
inline release(t)
{
	atomic {
		if :: empty(global) -> detach(t); idle_push(p); p = 0 :: nempty(global) fi
	}
}
/* A locked thread lets its processor go, with `task` (or NONE) to run first. */
inline hand_off(t)
{
	atomic {
		detach(t);
		if
		:: task == NONE && len(queue[p]) + len(global) == 0 -> idle_push(p)
		:: else -> next_on[p] = task; task = NONE; start(p)
		fi;
		p = 0
	}
}
inline give(t)
{
	atomic {
		detach(t);
		next_on[p] = task;
		task = NONE;
		start_on(p, locked_to);
		p = 0
	}
}
inline leave(t)
{
	atomic {
		detach(t);
		if :: len(queue[p]) + len(global) == 0 -> idle_push(p) :: else -> start(p) fi;
		p = 0
	}
}
/* ---- the template ---- */
inline begin_record(p)
{
	born++;
	count++;
	assert(count <= MAX && born < THREADS);
	attach(born, p)
}
inline unborn()
{
	atomic {
		detach(born);
#ifndef BUG_4
		next_on[p] = next_task[born];
#endif
		next_task[born] = NONE;
		births_fail = true;
		born--;
		count--;
#ifdef BUG_1
		place[p] = WANTED
#else
		start(p)
#endif
		;
		p = 0
	}
}
inline create()
{
	if
#ifndef REFUSED
	:: run thread(born)
	:: fails < FAILS -> fails++; unborn()
#else
	:: unborn()
#endif
	fi
}
/* With BUG_1 a birth that failed is for another day, and its processor with it. */
#ifdef BUG_1
#define may_be_born (!births_fail)
#else
#define may_be_born true
#endif
inline start_wanted()
{
	do
	:: atomic {
		wanted && may_be_born ->
		if
		:: place[0] == WANTED -> begin_record(0)
#if P > 1
		:: place[1] == WANTED -> begin_record(1)
#endif
		fi
	   }
		create()
	:: else -> break
	od
}
inline reap_one(t)
{
	if :: joinable[t] -> joinable[t] = false; count-- :: else fi
}
/* With BUG_6 they are left for a batch that is never full. */
#define some_joinable (joinable[1] || joinable[2] || joinable[THREADS - 1] || joinable[THREADS - 2])
#ifdef BUG_6
#define can_reap false
#else
#define can_reap some_joinable
#endif
inline reap()
{
	atomic {
		if
		:: can_reap ->
			reap_one(1);
			reap_one(2);
			reap_one(THREADS - 2);
			reap_one(THREADS - 1)
		:: else
		fi
	}
}
/* The next attempt changes something, and nobody has to end the nap before. */
#define nap_over                                                                                   \
	(!wanted && (can_reap || (births_fail && room) || empty(global) ||                         \
		     (some_idle && (some_thread_idle || room || locked_sleeper))))
#ifdef BUG_9
#define asked_for false
#else
#define asked_for wanted
#endif
inline nap()
{
	do
	:: asked_for -> break
	:: !asked_for ->
		if :: atomic { template_wake -> template_wake = false } :: nap_over -> break fi
	od
}
inline try_on()
{
	atomic { missed = false }
	nap();
	reap();
	births_fail = false;
	serve_waiting()
}

proctype template()
{
	byte p, to, moved;
	do
	:: true ->
		start_wanted();
		reap();
		if
		:: wanted && may_be_born
#if !defined(REFUSED) && !defined(BUG_7)
		:: !(wanted && may_be_born) && missed -> try_on()
		:: !(wanted && may_be_born) && !missed ->
#else
		:: !(wanted && may_be_born) ->
#endif
end:			atomic { template_wake || can_reap -> template_wake = false }
		fi
	od
}
/* ---- the monitor ---- */
#define thread_available (some_thread_idle || birth_possible)
#define held_up(t)                                                                                 \
	(!monitor_asleep && blocking[t] && processor[t] != NONE &&                             \
	 (nempty(queue[processor[t]]) || nempty(global)) && (thread_available || !missed))
/* No thread is to be had: the template is told. */
inline take(t)
{
	if
	:: thread_available -> detach(t); start(p)
	:: else -> missed = true; template_wake = true
	fi;
	t = 0;
	p = 0
}

active proctype monitor()
{
	byte t, p, to, moved;
end:
	do
	:: atomic { !monitor_asleep && nothing_runs -> monitor_asleep = true }
	:: atomic {
		if
		:: held_up(1) -> t = 1
		:: held_up(2) -> t = 2
#if MAX > 1
		:: held_up(3) -> t = 3
#endif
#if MAX > 2
		:: held_up(4) -> t = 4
#endif
		fi;
		take(t)
	   }
	/* spread: while a processor is in use */
	:: atomic {
		!monitor_asleep && nempty(global) && some_idle && some_busy &&
			(thread_available || locked_sleeper || !missed) -> start_one_idle()
	   }
	od
}
/* ---- threads ---- */
inline go_to_sleep(t)
{
	atomic {
		if :: given[t] != NONE -> attach(t, given[t]); given[t] = NONE :: else fi;
		if
		:: processor[t] == NONE ->
			wake[t] = false;
			locked_asleep[t] = (locked_task[t] != NONE);
			idle[t] = (locked_task[t] == NONE)
		:: else -> locked_asleep[t] = false; wake[t] = true
		fi
	}
}
inline look_once_more()
{
	if :: missed -> serve_waiting() :: else fi
}
inline sleep(t)
{
	do
	:: atomic { processor[t] != NONE -> break }
	:: atomic { processor[t] == NONE ->
#ifdef BUG_8
		look_once_more() }; atomic {
#endif
		go_to_sleep(t) }
#if !defined(BUG_2) && !defined(BUG_8)
		atomic { look_once_more() }
#endif
end:		atomic { wake[t] -> wake[t] = false }
	od
}
inline pick(t)
{
	task = next_task[t];
	next_task[t] = NONE;
	if
	:: task == NONE && len(queue[processor[t]]) > 0 -> queue[processor[t]]?task
	:: task == NONE && len(global) > 0 -> global?task
	:: else
	fi
}
inline park_l(t)
{
	atomic {
		if :: woken_l -> queue[processor[t]]!L :: else -> parked_l = true fi
	}
}
inline wake_l(t)
{
	atomic {
		woken_l = true;
		if :: parked_l -> parked_l = false; queue[processor[t]]!L :: else fi
	}
}
#ifdef K_WAITS
#define k_may_come_back(t) woken_l
#else
#define k_may_come_back(t) (processor[t] != NONE || !woken_l || pc[L] == 3)
#endif
inline come_back(t)
{
	atomic {
		blocking[t] && k_may_come_back(t) ->
		blocking[t] = false;
		if
		:: processor[t] != NONE
		:: else ->
			take_idle(p);
			if :: p != NONE -> attach(t, p); wake_monitor() :: else -> global!K fi;
			p = 0
		fi
	}
	if
	:: processor[t] == NONE -> /* weft__proc_wake */
		atomic { start_one_idle(); wake_monitor() }
	:: else -> ended++
	fi
}
/* One stretch of a task. With MAX=1 nobody else could run what L waited for. */
inline run_task(t)
{
	assert((task == L && pc[L] > 0) -> (locked_to == t && locked_task[t] == L) :
						   locked_task[t] == NONE);
	assert(holder[processor[t]] == t);
	pc[task]++;
	if
	:: task == L && pc[L] == 1 ->
		locked_to = t;
		locked_task[t] = L;
#if MAX == 1
		atomic { woken_l = true; queue[processor[t]]!L }
#else
		park_l(t)
#endif
	:: task == L && pc[L] == 2 -> queue[processor[t]]!L
	:: task == L && pc[L] == 3 -> ended++; gone = true
	:: task == U && pc[U] == 1 -> queue[processor[t]]!U
	:: task == U && pc[U] == 2 -> wake_l(t); ended++
	:: task == K && pc[K] == 1 -> queue[processor[t]]!K
	:: task == K && pc[K] == 2 -> blocking[t] = true
	:: task == K && pc[K] == 3 -> ended++ /* it came back without a processor */
	fi;
	task = NONE
}

proctype thread(byte t)
{
	byte task = NONE;
	byte p, to, moved;
	bool own, ran, gone;
	do
	:: gone -> break
	:: else ->
		sleep(t);
		atomic {
			pick(t);
			own = (task != NONE && (task == L -> locked_to : NONE) ==
						       (locked_task[t] == L -> t : NONE));
			if :: own -> own = false; ran = true; run_task(t) :: else fi
		}
		if
		:: ran && blocking[t] -> ran = false; come_back(t)
		:: ran && !blocking[t] -> ran = false
		:: !ran && locked_task[t] == L -> hand_off(t)
		:: !ran && locked_task[t] == NONE && task == NONE -> release(t)
		:: !ran && locked_task[t] == NONE && task != NONE -> give(t)
		fi
	od;
	leave(t);
	joinable[t] = true;
	template_wake = template_wake || count >= MAX
}
/* Not finished is not an end. */
active proctype everything_ends()
{
	(ended == TASKS)
}

inline queue_all()
{
	if :: global!L; global!U; global!K :: global!K; global!U; global!L fi
}

init {
	byte i;
	atomic {
		for (i : 0 .. THREADS - 1) {
			processor[i] = NONE;
			next_task[i] = NONE;
			given[i] = NONE;
			locked_task[i] = NONE
		}
		for (i : 0 .. P - 1) {
			holder[i] = NONE;
			next_on[i] = NONE;
			place[i] = IDLE
		}
		locked_to = NONE;
		queue_all();
		run template();
		for (i : 1 .. BORN) {
			born++;
			count++;
			run thread(i)
		}
		attach(1, 0)
	}
}
