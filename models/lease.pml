/* SPDX-License-Identifier: MIT */
/*
 * lease.pml: the protocol of src/sched/lease.h with the store buffers of TSO machines.
 *
 * T threads run user code and enter the runtime; the monitor takes processors from threads that are
 * in user code. Inside the runtime a thread may give its processor away and take another. Each
 * thread's stores to in_runtime, to its lease word and to `processor` go through a first-in-first-
 * out buffer and reach memory at any later time; locked instructions wait for an empty buffer,
 * membarrier empties everybody's, until it is refused (then the monitor must withdraw). From then
 * on the monitor may ask a thread to fence its own stores: BARRIER -> ASKED -> FENCED. The last move
 * is the owner's at its next entry, or the monitor's once the owner has left its CPU, which empties
 * its buffer. With -DFENCED there was no membarrier from the start.
 *
 * What must hold: inside the runtime a thread works on the processor that is its own; the monitor
 * takes the processor that the thread has at that moment; a thread that gives its processor up for
 * lost has lost it; nobody but a thread without processor waits for one.
 *
 * The monitor asks which processor it is before the move to TAKEN, while its request stands: any
 * change by the owner would make that move fail. Before the request is too early (BUG_8). After the
 * move is too late, the owner may be back with another processor (BUG_13), unless the monitor holds
 * the lock under which processors are given away and got: -DUNDER_LOCK, as monitor.c
 * does.
 *
 * On x86-64 release and acquire cost nothing and mean nothing to this model; BUG_11 and BUG_12 show
 * what the compiler may do without them.
 *
 * run: pass | | membarrier, which may be refused at any time
 * run: pass | -DFENCED | no membarrier in this process: the owner fences
 * run: pass | -DUNDER_LOCK | the monitor holds the scheduler's lock meanwhile, and asks later
 * run: fail owner[proc]==t | -DBUG_1 | no barrier
 * run: fail word[t]!=2 | -DBUG_2 | monitor: HELD to REQUESTED without CAS
 * run: fail taken_is_lost | -DBUG_3 | monitor: REQUESTED to TAKEN without CAS
 * run: fail proc<2 | -DBUG_4 | monitor: REQUESTED to HELD without CAS
 * run: fail owner[proc]==t | -DBUG_5 | owner: REQUESTED to HELD without CAS
 * run: fail owner[proc]!=t | -DBUG_6 | owner: a failed CAS is not read, taken for TAKEN
 * run: fail owner[proc]==t | -DBUG_7 | owner: a failed CAS is not read, taken for HELD
 * run: fail taken<2 | -DBUG_8 | monitor: asks which processor before its request
 * run: fail owner[proc]==t | -DBUG_9 -DFENCED | no membarrier and no fence
 * run: fail owner[proc]==t | -DBUG_10 | monitor: a refused membarrier is ignored
 * run: fail owner[proc]==t | -DBUG_11 | owner: loads the word before it stores in_runtime
 * run: fail taken<2 | -DBUG_12 | owner: in_runtime = 0 visible before the new processor
 * run: fail taken<2 | -DBUG_13 | monitor: asks which processor after the move to TAKEN
 * run: fail owner[proc]==t | -DBUG_14 | monitor: takes from an owner that was asked and may not know
 * run: fail owner[proc]==t | -DBUG_15 | monitor: FENCED though the owner has not left its CPU
 * run: fail owner[proc]==t | -DBUG_16 | owner: knows that it was asked, and does not fence
 */
#define T 2
#define P 2
#define ROUNDS(t) (2 - t) /* user code and back */

#define HELD 0
#define REQUESTED 1
#define TAKEN 2

#define BARRIER 0
#define ASKED 1
#define FENCES 2

#define LOST 254 /* taken from its thread, not yet in the idle list */
#define IDLE 255 /* owner of a processor in the idle list; processor of a thread without one */

byte owner[P]; /* ghost: the thread that may work on the processor */

/* What memory holds of a thread's record. */
bool in_runtime[T];
byte word[T], processor[T], order[T];
bool refused; /* membarrier */
byte ended;

mtype = { IN_RUNTIME, WORD, PROCESSOR, ORDER };
chan buffer[T] = [6] of { mtype, byte };

inline apply(t, var, val)
{
	if
	:: var == IN_RUNTIME -> in_runtime[t] = val
	:: var == WORD -> word[t] = val
	:: var == PROCESSOR -> processor[t] = val
	:: var == ORDER -> order[t] = val
	fi
}

/* A thread's oldest store reaches memory, sooner or later. */
proctype drain(byte t)
{
	mtype var;
	byte val;
end:
	do
	:: atomic { buffer[t]?var, val -> apply(t, var, val); var = 0; val = 0 }
	od
}

inline empty_all_buffers()
{
	d_step {
		do
		:: buffer[0]?var, val -> apply(0, var, val)
		:: buffer[1]?var, val -> apply(1, var, val)
		:: empty(buffer[0]) && empty(buffer[1]) -> break
		od;
		var = 0;
		val = 0
	}
}

#define store(t, var, val) buffer[t]!var, val
#define locked(t) empty(buffer[t])

/* The scheduler's lock. */
#ifdef UNDER_LOCK
bool held;
#define lock_take_when(condition) atomic { !held && (condition) -> held = true }
#define lock_drop() held = false
#define owner_lock_drop(t) atomic { locked(t) -> held = false }
#else
#define lock_take_when(condition) (condition)
#define lock_drop() skip
#define owner_lock_drop(t) skip
#endif

/* A thread sees its own buffered store first. TAKEN is never left there: a locked instruction
 * follows it. */
inline load_own_word(t, seen)
{
	atomic {
		if
		:: buffer[t]??[WORD, HELD] -> seen = HELD
		:: else -> seen = word[t]
		fi
	}
}

/* lease_answer(): mine is true when the processor is still the thread's own */
inline answer(t)
{
#ifdef BUG_5
	atomic { locked(t) -> seen = word[t] };
	if
	:: seen == REQUESTED -> word[t] = HELD; seen = HELD
	:: else
	fi;
#else
	atomic {
		locked(t) ->
		seen = word[t];
		if
		:: seen == REQUESTED -> word[t] = HELD
		:: else
		fi
	};
#endif
#ifdef BUG_6
	mine = (seen == REQUESTED);
#elif defined(BUG_7)
	mine = true;
#else
	mine = (seen != TAKEN);
#endif
	seen = 0
}

inline enter(t)
{
#ifdef BUG_11
	load_own_word(t, seen);
	store(t, IN_RUNTIME, 1);
#else
	store(t, IN_RUNTIME, 1);
	if
	:: order[t] == BARRIER
	:: order[t] != BARRIER ->
		store(t, ORDER, FENCES);
#if !defined(BUG_9) && !defined(BUG_16)
		locked(t)
#endif
	fi;
	load_own_word(t, seen);
#endif
	if
	:: seen == HELD -> mine = true
	:: else -> answer(t)
	fi
}

inline leave(t)
{
	store(t, IN_RUNTIME, 0)
}

inline give(t)
{
	lock_take_when(true);
	store(t, WORD, TAKEN);
	store(t, PROCESSOR, IDLE);
	atomic { locked(t) -> assert(owner[proc] == t); owner[proc] = IDLE; proc = IDLE }
	owner_lock_drop(t)
}

inline take_idle(t)
{
	lock_take_when(owner[0] == IDLE || owner[1] == IDLE);
	atomic {
		locked(t) ->
		if
		:: owner[0] == IDLE -> proc = 0
		:: owner[1] == IDLE -> proc = 1
		fi;
		owner[proc] = t
	}
#ifdef BUG_12
	store(t, WORD, HELD);
	leave(t);
	store(t, PROCESSOR, proc);
	left = true
#else
	store(t, PROCESSOR, proc);
	store(t, WORD, HELD)
#endif
	;
	owner_lock_drop(t)
}

proctype thread(byte t, proc)
{
	byte seen, round;
	bool mine, left;
	do
	:: round == ROUNDS(t) -> break
	:: else ->
		round++;
		if
		:: proc == IDLE -> take_idle(t)
		:: else -> assert(owner[proc] == t)
		fi;
		if
		:: !left -> give(t); take_idle(t) /* parks, and runs again elsewhere */
		:: !left -> give(t)               /* weft_blocking_begin: leaves without a processor */
		:: skip
		fi;
		if
		:: left -> left = false
		:: else -> leave(t)
		fi;
		/* user code */
		enter(t);
		if
		:: mine -> assert(proc < P); assert(owner[proc] == t)
		:: else ->
			if
			:: proc != IDLE -> assert(owner[proc] != t); proc = IDLE
			:: else
			fi
		fi;
		mine = false
	od;
	if
	:: proc != IDLE -> give(t)
	:: else
	fi;
	ended++
}

/* membarrier(2): 0 in `failed` when every thread has gone through a full barrier. */
inline barrier()
{
#ifdef BUG_1
	skip
#else
	if
	:: !refused -> empty_all_buffers()
	:: refused = true; failed = true
	fi
#endif
#ifdef BUG_10
	;
	failed = false
#endif
}

/* monitor.c:ask_for_fences, lease_ask: no barrier is to be had any more. */
inline ask()
{
	atomic {
		refused && (order[0] == BARRIER || order[1] == BARRIER) ->
		if
		:: order[0] == BARRIER -> order[0] = ASKED
		:: else
		fi;
		if
		:: order[1] == BARRIER -> order[1] = ASKED
		:: else
		fi
	}
}

/* lease_settle: the owner has been off its CPU since it was asked. */
inline settle(t)
{
	atomic {
		order[t] == ASKED ->
#ifndef BUG_15
		do
		:: buffer[t]?var, val -> apply(t, var, val)
		:: empty(buffer[t]) -> break
		od;
		var = 0;
		val = 0;
		if
		:: order[t] == ASKED -> order[t] = FENCES
		:: else
		fi
#else
		order[t] = FENCES
#endif
	}
}

/* The move to TAKEN: from now on the thread has no processor, whichever it was. */
inline lost(t)
{
	d_step {
		word[t] = TAKEN;
		if
		:: owner[0] == t -> owner[0] = LOST
		:: owner[1] == t -> owner[1] = LOST
		:: else
		fi
	}
}

#ifdef BUG_14
#define may_claim true
#else
#define may_claim (how != ASKED)
#endif

/* lease_take() and what its caller does with the processor */
inline take(t)
{
	lock_take_when(true);
	how = order[t];
#ifdef BUG_8
	taken = processor[t];
#endif
#ifdef BUG_2
	seen = word[t];
	if
	:: seen == HELD -> assert(word[t] != 2); word[t] = REQUESTED; claimed = true
	:: else
	fi;
#else
	atomic {
		if
		:: may_claim && word[t] == HELD -> word[t] = REQUESTED; claimed = true
		:: else
		fi
	};
#endif
	if
	:: claimed ->
		if
		:: how == BARRIER -> barrier()
		:: else
		fi;
		outside = (!failed && !in_runtime[t]);
		if
		:: outside ->
#if !defined(BUG_8) && !defined(BUG_13) && !defined(UNDER_LOCK)
			taken = processor[t];
#endif
#ifdef BUG_3
			seen = word[t];
			if
			:: seen == REQUESTED -> lost(t)
			:: else -> claimed = false
			fi;
#else
			atomic {
				if
				:: word[t] == REQUESTED -> lost(t)
				:: else -> claimed = false
				fi
			};
#endif
			if
			:: claimed ->
#if defined(BUG_13) || defined(UNDER_LOCK)
				taken = processor[t];
#endif
				atomic {
					assert(taken < P);
					taken_is_lost = (owner[taken] == LOST);
					assert(taken_is_lost);
					owner[taken] = IDLE
				}
			:: else
			fi
		:: else ->
#ifdef BUG_4
			seen = word[t];
			if
			:: seen == REQUESTED -> word[t] = HELD
			:: else
			fi
#else
			atomic {
				if
				:: word[t] == REQUESTED -> word[t] = HELD
				:: else
				fi
			}
#endif
		fi
	:: else
	fi;
	lock_drop();
	d_step {
		claimed = false;
		outside = false;
		failed = false;
		taken_is_lost = false;
		taken = 0;
		seen = 0;
		how = 0;
		t = 0
	}
}

active proctype monitor()
{
	mtype var;
	byte val, seen, taken, how, t;
	bool claimed, outside, failed, taken_is_lost;
	d_step {
		in_runtime[0] = 1;
		in_runtime[1] = 1;
		processor[0] = 0;
#ifdef FENCED
		order[0] = FENCES;
		order[1] = FENCES;
#endif
		word[1] = TAKEN;
		processor[1] = IDLE;
		owner[0] = 0;
		owner[1] = IDLE
	}
	atomic {
		run drain(0);
		run drain(1);
		run thread(0, 0);
		run thread(1, IDLE)
	}
	do
	:: ended == T -> break
	:: else ->
		if
		:: t = 0; take(t)
		:: t = 1; take(t)
		:: settle(0)
		:: settle(1)
		:: ask()
		fi
	od;
	assert(owner[0] == IDLE && owner[1] == IDLE)
}
