/* SPDX-License-Identifier: MIT */
/*
 * locked.pml: locked tasks, their threads, and the template thread (src/sched/proc.c, schedule.c,
 * lockthread.c).
 *
 * Three tasks are queued: A locks its thread, waits for B, yields and ends; B locks its thread,
 * yields, wakes A and ends; C only yields and ends. Two processors. A thread without a processor
 * sleeps: on the idle list, or, when it belongs to a task, until somebody brings a processor for
 * that task. A thread that finds a locked task in a queue gives its own processor to the task's thread. A
 * locked thread gives its processor away before it sleeps; where nobody idle is left to take it,
 * the template thread starts a new thread.
 *
 * One thing is easy to get wrong. A locked task is runnable again the moment it has left its stack,
 * while its thread still holds a processor and is about to give it away. A thread that finds the task then
 * leaves its own processor aside for the thread (`given`), which looks there, under the lock, when
 * it has let its first one go.
 *
 * Threads may also be started ahead (-DSPARES): a spare counts as idle before it lives, so a
 * processor may be its own when it begins, and when its birth fails.
 *
 * Left out: local queues (one queue that everybody with a processor may take from allows more than
 * theft does), the word of a wait (park.pml), whom to wake for new work (idle.pml; here every idle
 * processor is put to work).
 *
 * What must hold: a locked task runs on its thread alone, which runs nothing else; a processor has
 * one holder, a thread at most one processor; threads are started by the clean template alone, and
 * no more of them than processors, locked tasks and spares; every task ends, locked ones with their
 * threads; nothing hangs.
 *
 * run: pass | | two locked tasks and one that is not
 * run: fail processor[locked_to[task]]==255 | -DBUG_1 | a processor for a thread that still has one
 * run: fail runner_owns_task | -DBUG_2 | the finder runs the locked task itself
 * run: fail invalid end state | -DBUG_3 | the locked thread sleeps on its processor
 * run: fail !tainted[t] | -DBUG_4 | a locked thread starts the thread for its processor
 * run: fail invalid end state | -DBUG_5 | the template clears its wake-up after it looked
 * run: fail invalid end state | -DBUG_6 | a thread clears its wake-up after it looked, without the lock
 * run: fail templates==1 | -DBUG_7 | the first lock starts the template, unsynchronised
 * run: fail invalid end state | -DBUG_8 | the processor left aside is not looked for
 * run: pass | -DSPARES=1 | a spare thread, which may not be born
 * run: fail invalid end state | -DSPARES=1 -DBUG_9 | the processor of a spare that was not born is forgotten
 */
#define TASKS 3
#define A 0
#define B 1
#define C 2
#define P 2
#ifndef SPARES
#define SPARES 0
#endif
/* 0 is the template; P + locked tasks + spares, and those that were not born */
#define THREADS (5 + 2 * SPARES)

#define NONE 255
#define IDLE 254   /* holder of an idle processor */
#define GIVEN 252  /* of one that waits for its next holder to let go of another */
#define WANTED 253 /* holder of one for which the template must start a thread */

chan queue = [TASKS] of { byte };
byte pc[TASKS], locked_to[TASKS];
bool woken_a, parked_a;
byte ended;

byte holder[P], next_on[P];
byte processor[THREADS], next_task[THREADS], given[THREADS], locked_task[THREADS];
bool wake[THREADS], idle[THREADS], tainted[THREADS];
byte born;
bool template_wake;
byte templates;

/* ---- with the lock held ---- */

inline attach(to, p)
{
	assert(processor[to] == 255);
	holder[p] = to;
	processor[to] = p;
	next_task[to] = next_on[p];
	next_on[p] = NONE;
	wake[to] = true
}

inline detach(t)
{
	assert(holder[processor[t]] == t);
	processor[t] = NONE
}

/* Onto the idle list in the step that lets the processor go: nobody starts another thread for want
 * of this one. */
inline fall_asleep(t)
{
	wake[t] = false;
	idle[t] = true
}

/* Processor p to an idle thread, or to the template. */
inline start_on(p)
{
	if
	:: idle[1] -> idle[1] = false; attach(1, p)
	:: idle[2] -> idle[2] = false; attach(2, p)
	:: idle[3] -> idle[3] = false; attach(3, p)
	:: idle[4] -> idle[4] = false; attach(4, p)
#if SPARES
	:: idle[5] -> idle[5] = false; attach(5, p)
	:: idle[6] -> idle[6] = false; attach(6, p)
#endif
	:: else -> holder[p] = WANTED; template_wake = true
	fi
}

/* ---- taking the lock ---- */

/* A runnable task; an idle processor is put to work. */
inline ready(task)
{
	atomic {
		queue!task;
		if
		:: holder[0] == IDLE -> start_on(0)
		:: holder[1] == IDLE -> start_on(1)
		:: else
		fi
	}
}

inline let_go(t)
{
	p = processor[t];
	detach(t);
	holder[p] = IDLE;
	p = 0;
	fall_asleep(t)
}

inline release(t)
{
	atomic {
		if
		:: empty(queue) -> let_go(t)
		:: nempty(queue)
		fi
	}
}

/* A locked thread lets its processor go, with `task` (or NONE) to run first. */
inline hand_off(t, task)
{
	atomic {
		p = processor[t];
		detach(t);
		next_on[p] = task;
#ifdef BUG_4
		start_thread(t, p);
#else
		if
		:: task == NONE && empty(queue) -> holder[p] = IDLE
		:: else -> start_on(p)
		fi;
#endif
		p = 0;
		task = NONE
	}
}

inline give(t, to, task)
{
	atomic {
		p = processor[t];
		detach(t);
		next_on[p] = task;
		if
#ifndef BUG_1
		:: processor[to] != NONE -> holder[p] = GIVEN; given[to] = p; wake[to] = true
		:: else -> attach(to, p)
#else
		:: true -> attach(to, p)
#endif
		fi;
		p = 0;
		fall_asleep(t);
		task = NONE
	}
}

/* ---- threads ---- */

inline start_thread(by, p)
{
	assert(!tainted[by]);
	born++;
	assert(born < THREADS);
	attach(born, p);
	run thread(born)
}

/* On the idle list first; then it is born, or not. */
inline start_spare()
{
	atomic { born++; spares++; spare = born; idle[spare] = true };
	if
	:: run thread(spare)
	:: atomic {
		idle[spare] = false;
#ifndef BUG_9
		if
		:: processor[spare] != NONE ->
			holder[processor[spare]] = WANTED;
			next_on[processor[spare]] = next_task[spare];
			processor[spare] = NONE;
			template_wake = true
		:: else
		fi
#endif
	   }
	fi
}

proctype template()
{
	byte spare, spares;
	templates++;
	assert(templates == 1);
end:
	do
	:: template_wake ->
#ifndef BUG_5
		template_wake = false;
#endif
		atomic {
			if
			:: holder[0] == WANTED -> start_thread(0, 0)
			:: else
			fi
		}
		atomic {
			if
			:: holder[1] == WANTED -> start_thread(0, 1)
			:: else
			fi
		}
#ifdef BUG_5
		template_wake = false
#endif
#if SPARES
	:: spares < SPARES -> start_spare()
#endif
	od
}

inline lock_thread(t, task)
{
#ifdef BUG_7
	if
	:: templates == 0 -> run template()
	:: else
	fi;
#endif
	locked_to[task] = t;
	locked_task[t] = task;
	tainted[t] = true
}

inline park_a()
{
	atomic {
		if
		:: woken_a -> queue!A
		:: else -> parked_a = true
		fi
	}
}

inline wake_a()
{
	atomic {
		woken_a = true;
		if
		:: parked_a -> parked_a = false; queue!A; was_parked = true
		:: else
		fi
	}
	if
	:: was_parked -> put_idle_to_work(); was_parked = false
	:: else
	fi
}

inline put_idle_to_work()
{
	atomic {
		if
		:: holder[0] == IDLE && nempty(queue) -> start_on(0)
		:: holder[1] == IDLE && nempty(queue) -> start_on(1)
		:: else
		fi
	}
}

/* One stretch of a task on thread t; `gone` when it ended locked. Publishing it comes last. */
inline run_task(t, task)
{
	runner_owns_task = (locked_to[task] == NONE && locked_task[t] == NONE) ||
			   (locked_to[task] == t && locked_task[t] == task);
	assert(runner_owns_task);
	assert(holder[processor[t]] == t);
	runner_owns_task = false;
	pc[task]++;
	if
	:: task == A && pc[A] == 1 -> lock_thread(t, A); park_a()
	:: task == A && pc[A] == 2 -> ready(A)
	:: task == A && pc[A] == 3 -> ended++; gone = true
	:: task == B && pc[B] == 1 -> lock_thread(t, B); ready(B)
	:: task == B && pc[B] == 2 -> wake_a(); ended++; gone = true
	:: task == C && pc[C] == 1 -> ready(C)
	:: task == C && pc[C] == 2 -> ended++
	fi;
	task = NONE
}

inline pick(t)
{
	atomic {
		task = next_task[t];
		next_task[t] = NONE;
		if
		:: task == NONE && nempty(queue) -> queue?task
		:: else
		fi
	}
}

proctype thread(byte t)
{
	byte task = NONE;
	byte p;
	bool gone, runner_owns_task, was_parked;
	do
	:: gone -> break
	:: else ->
		if
		:: processor[t] == NONE ->
			/* asleep, unless a processor came meanwhile */
#ifdef BUG_6
			if
			:: processor[t] == NONE -> wake[t] = false; idle[t] = (locked_task[t] == NONE)
			:: else -> wake[t] = true
			fi;
#else
			atomic {
				if
#ifndef BUG_8
				:: given[t] != NONE -> attach(t, given[t]); given[t] = NONE
				:: given[t] == NONE && processor[t] == NONE ->
#else
				:: processor[t] == NONE ->
#endif
					wake[t] = false;
					idle[t] = (locked_task[t] == NONE)
				:: else
				fi
			}
#endif
end:			wake[t]
		:: else
		fi;
		pick(t);
		if
#ifdef BUG_2
		:: task != NONE -> run_task(t, task)
#else
		:: task != NONE && locked_to[task] == (locked_task[t] == NONE -> NONE : t) -> run_task(t, task)
		:: task != NONE && locked_to[task] != NONE && locked_task[t] == NONE ->
			give(t, locked_to[task], task)
#endif
		:: locked_task[t] != NONE && (task == NONE || locked_to[task] != t) ->
#ifdef BUG_3
			if
			:: task != NONE -> queue!task
			:: else
			fi;
			false
#else
			hand_off(t, task)
#endif
		:: task == NONE && locked_task[t] == NONE -> release(t)
		fi
	od;
	/* thread_exit: exit.pml has the rest */
	hand_off(t, task)
}

/* Not finished is not an end. */
active proctype everything_ends()
{
	(ended == TASKS)
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
		for (i : 0 .. TASKS - 1) {
			locked_to[i] = NONE;
			queue!i
		}
		for (i : 0 .. P - 1) {
			holder[i] = WANTED;
			next_on[i] = NONE
		}
#ifdef BUG_7
		start_thread(0, 0);
		start_thread(0, 1)
#else
		template_wake = true;
		run template()
#endif
	}
}
