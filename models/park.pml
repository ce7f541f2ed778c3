/* SPDX-License-Identifier: MIT */
/*
 * park.pml: one wait of a task, and everybody who may end it (src/sched/park.h).
 *
 * A waiter is one word. Its task opens it (OPEN), tells the wakers where to find it, and leaves its stack; only then,
 * on the successor's stack, the thread commits the wait: CAS OPEN -> PARKED. A waker claims the wait by CAS to its
 * own reason: OPEN -> reason when the task is still on its way off the stack, PARKED -> reason when it has left.
 * Whoever makes the second of the two moves puts the task into the queue: the waker that found PARKED, or the commit
 * that found a reason.
 *
 *   IDLE -> OPEN      the task               PARKED -> reason   one waker, who then queues the task
 *   OPEN -> PARKED    the commit             reason -> IDLE     the task, when it runs again
 *   OPEN -> reason    one waker
 *
 * Three wakers (a channel's peer, a timer, a cancellation) race for each of two waits; two threads run whatever is
 * queued. A waker looks for the waiter in its own list, under its own lock; the task takes itself off all lists
 * before it waits again.
 *
 * What must hold: each wait ends by exactly one waker, with exactly one queueing; a stack is entered only after it
 * was left; no wait is lost; a waker never ends a later wait than the one it meant.
 *
 * run: pass | | two waits, three wakers, two threads
 * run: fail queued==0 | -DBUG_1 | a waker that finds OPEN queues the task as well
 * run: fail invalid end state | -DBUG_2 | the commit does not look at its failed CAS
 * run: fail !on_stack | -DBUG_3 | the commit runs before the stack is left
 * run: fail wakes==1 | -DBUG_4 | wakers store their reason instead of a CAS
 * run: fail meant[w]==wait | -DBUG_5 | a waker is left in its list when the wait is over
 * run: fail invalid end state | -DBUG_6 | the task tells the wakers before it opens the word
 * run: fail invalid end state | -DBUG_7 | the commit stores PARKED instead of a CAS
 */
#define WAITS 2
#define WAKERS 3
#define THREADS 2

#define IDLE 0
#define OPEN 1
#define PARKED 2
#define REASON 3 /* + number of the waker */

byte word;
byte wait;            /* number of the current wait */
bool on_stack;        /* ghost: a thread is on the task's stack */
byte queued = 1;      /* copies of the task in the run queue */
byte wakes;           /* ghost: successful claims of this wait */
bool ended;

bool listed[WAKERS];
byte meant[WAKERS]; /* ghost: the wait for which the waker was listed */

inline enqueue()
{
	atomic { assert(queued == 0); queued++ }
}

inline tell_wakers()
{
	/* each under the waker's lock */
	w = 0;
	do
	:: w < WAKERS -> atomic { listed[w] = true; meant[w] = wait; w++ }
	:: else -> break
	od
}

inline forget_wakers()
{
	w = 0;
	do
	:: w < WAKERS -> atomic { listed[w] = false; w++ }
	:: else -> break
	od
}

inline commit()
{
#ifdef BUG_7
	word = PARKED
#else
	atomic {
		if
		:: word == OPEN -> word = PARKED; committed = true
		:: else -> committed = false
		fi
	};
	if
	:: committed
	:: else ->
#ifndef BUG_2
		enqueue()
#else
		skip
#endif
	fi
#endif
}

/* The task's own code between two parkings, on the thread that took it from the queue. */
inline run_task()
{
	if
	:: wait > 0 -> /* the wait is over */
		assert(word >= REASON);
		assert(wakes == 1);
#ifndef BUG_5
		forget_wakers();
#endif
		word = IDLE;
		wakes = 0
	:: else
	fi;
	if
	:: wait == WAITS -> forget_wakers(); ended = true; on_stack = false
	:: else ->
		wait++;
#ifdef BUG_6
		tell_wakers();
		word = OPEN;
#else
		word = OPEN;
		tell_wakers();
#endif
#ifdef BUG_3
		commit();
		on_stack = false
#else
		on_stack = false; /* the switch */
		commit()
#endif
	fi
}

active [THREADS] proctype thread()
{
	byte w;
	bool committed;
	do
	:: ended -> break
	:: atomic { queued > 0 -> queued--; assert(!on_stack); on_stack = true }
		run_task()
	od
}

/* May fire at any moment while it is listed. Takes itself off its list: it fires once a wait. */
proctype waker(byte w)
{
	bool open, parked;
end:
	do
	:: atomic { /* its lock held from here to the claim */
		listed[w] ->
		listed[w] = false;
#ifdef BUG_4
		if
		:: word == OPEN -> open = true
		:: word == PARKED -> parked = true
		:: else
		fi
	}
		if
		:: open || parked -> word = REASON + w; wakes++
		:: else
		fi;
#else
		if
		:: word == OPEN -> open = true
		:: word == PARKED -> parked = true
		:: else
		fi;
		if
		:: open || parked -> assert(meant[w] == wait); word = REASON + w; wakes++
		:: else
		fi
	}
#endif
		if
		:: parked -> enqueue()
#ifdef BUG_1
		:: open -> enqueue()
#endif
		:: else
		fi;
		open = false;
		parked = false
	od
}

init {
	atomic {
		run waker(0);
		run waker(1);
		run waker(2)
	}
}
