/* SPDX-License-Identifier: MIT */
/*
 * park.pml: one wait of a task, and all that may end it: the word of src/sched/park.h.
 *
 * The task opens the word, shows it to the wakers, and leaves its stack; then, on the successor's
 * stack, the thread adds PARKED. A waker claims the open wait by CAS (all other claims now fail),
 * hands over what it brings, and publishes its reason by a swap. Whoever makes the second of the
 * two moves, PARKED and the reason, queues the task.
 *
 * Two wakers (a channel's peer, a timer) have lists of their own, each under its lock, and may
 * never come. Somebody cancels the task once: sets its flag, then looks at the word. The task opens
 * the word, then looks at the flag. The task's opening store goes through a store buffer. Two
 * threads run whatever is queued.
 *
 * What must hold: each wait ends by one waker, and is queued once; a stack is entered only after it
 * was left; what the waker handed over is there; no waker ends a later wait than it meant; a
 * cancelled task does not wait.
 *
 * run: pass | | two waits, two wakers, one cancellation, two threads
 * run: fail queued==0 | -DBUG_1 | publish queues the task without looking for PARKED
 * run: fail invalid end state | -DBUG_2 | the thread adds PARKED without looking for a reason
 * run: fail !on_stack | -DBUG_3 | PARKED is added before the stack is left
 * run: fail claims==1 | -DBUG_4 | a claim without CAS
 * run: fail meant[w]==wait | -DBUG_5 | a waker's list still holds the waiter when the wait is over
 * run: fail invalid end state | -DBUG_6 | publish loads and stores instead of a swap
 * run: fail handed==reason | -DBUG_7 | handing over after publishing
 * run: fail invalid end state | -DBUG_8 | no fence between opening the word and the look at the flag
 * run: fail invalid end state | -DBUG_9 | PARKED is added by a load and a store
 * run: fail claims==1 | -DBUG_10 | publishing without a claim
 * run: fail meant[w]==wait | -DBUG_11 | the waker claims after it has dropped its lock
 */
#define WAITS 2
#define WAKERS 2
#define THREADS 2

#define OPEN 1
#define CLAIMED 2
#define PARKED 4
#define REASON(w) (8 + 8 * (w))
#define CANCELLED 2 /* as a waker's number */
#define NOBODY 255

byte word;
bool opening; /* the task's store of OPEN has not reached memory */
bool cancelled;

byte queued = 1; /* copies of the task in the run queue */
bool on_stack;   /* ghost: a thread is on the task's stack */
byte wait;       /* ghost: number of the current wait */
byte claims;     /* ghost: of this wait */
byte handed = NOBODY;
bool ended;

bool listed[WAKERS];
bool lock[WAKERS];
byte meant[WAKERS]; /* ghost: the wait for which it was listed */

active proctype drain()
{
end:
	do
	:: atomic { opening -> opening = false; word = OPEN }
	od
}

inline enqueue()
{
	atomic { assert(queued == 0); queued++ }
}

/* mine = the caller alone may end the wait */
inline claim()
{
#ifdef BUG_4
	mine = ((word & (OPEN | CLAIMED)) == OPEN);
	if
	:: mine -> word = word | CLAIMED; claims++
	:: else
	fi
#elif defined(BUG_10)
	atomic {
		mine = ((word & OPEN) == OPEN);
		if
		:: mine -> claims++
		:: else
		fi
	}
#else
	atomic {
		mine = ((word & (OPEN | CLAIMED)) == OPEN);
		if
		:: mine -> word = word | CLAIMED; claims++
		:: else
		fi
	}
#endif
}

/* Ends a claimed wait. */
inline publish(w)
{
#ifndef BUG_7
	handed = w;
#endif
#ifdef BUG_6
	old = word;
	word = REASON(w);
#else
	d_step { old = word; word = REASON(w) };
#endif
#ifdef BUG_7
	handed = w;
#endif
	mine = false;
	if
#ifdef BUG_1
	:: true -> enqueue()
#else
	:: old & PARKED -> enqueue()
	:: else
#endif
	fi;
	old = 0
}

inline wait_begin()
{
	wait++;
	opening = true;
#ifndef BUG_8
	!opening;
#endif
	if
	:: cancelled -> !opening; claim();
		if
		:: mine -> publish(CANCELLED)
		:: else
		fi
	:: else
	fi
}

inline show_to(w)
{
	atomic { !lock[w] && !opening -> listed[w] = true; meant[w] = wait }
}

inline hide_from(w)
{
#ifndef BUG_5
	atomic { !lock[w] -> listed[w] = false }
#else
	skip
#endif
}

inline finish_park()
{
#ifdef BUG_9
	old = word;
	word = old | PARKED;
#else
	d_step { old = word; word = old | PARKED };
#endif
	if
#ifndef BUG_2
	:: !(old & OPEN) -> old = 0; enqueue()
#endif
	:: else -> old = 0
	fi
}

inline wait_over()
{
	reason = (word >> 3) - 1;
	assert((word & OPEN) == 0);
	assert(claims == 1);
	assert(handed == reason);
	d_step { claims = 0; handed = NOBODY; reason = 0 };
	hide_from(0);
	hide_from(1)
}

/* What the task does from one parking to the next, on the thread that took it from the queue. */
inline run_task()
{
	if
	:: wait > 0 -> wait_over()
	:: else
	fi;
	if
	:: wait == WAITS -> ended = true
	:: else ->
		wait_begin();
		show_to(0);
		show_to(1);
#ifdef BUG_3
		finish_park();
		on_stack = false
#else
		on_stack = false; /* the switch */
		finish_park()
#endif
	fi
}

active [THREADS] proctype thread()
{
	byte old, reason;
	bool mine;
	do
	:: ended -> break
	:: atomic { queued > 0 -> queued--; assert(!on_stack); on_stack = true }
		run_task()
	od
}

/* A peer or a timer: finds the waiter in its list, claims it under its lock, and ends the wait. */
proctype waker(byte w)
{
	byte old;
	bool mine;
end:
	do
	:: atomic { listed[w] && !lock[w] -> lock[w] = true }
		listed[w] = false;
#ifdef BUG_11
		lock[w] = false;
#endif
		claim();
		if
		:: mine -> assert(meant[w] == wait); lock[w] = false; publish(w)
		:: else -> lock[w] = false
		fi
	:: break /* never comes (again) */
	od
}

active proctype canceller()
{
	byte old;
	bool mine;
	cancelled = true; /* seq_cst: pairs with the fence in wait_begin */
	claim();
	if
	:: mine -> publish(CANCELLED)
	:: else
	fi
}

init {
	atomic {
		run waker(0);
		run waker(1)
	}
}
