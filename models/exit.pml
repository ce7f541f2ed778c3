/* SPDX-License-Identifier: MIT */
/*
 * exit.pml: the end of a thread whose task ended locked (the numbered list in src/sched/thread.c).
 *
 * N locked tasks, each on a thread of its own, draw random bytes, perhaps meet at a barrier, and
 * end: every thread goes through the seven steps of the exit order. The template thread starts
 * threads and reaps them. P processors move between threads, template and the idle list. Two things
 * can be arranged in two ways each:
 *
 *   the order      state given back while the processor is held (default), or after the
 *                  hand-off: -DOLD_ORDER
 *   the free list  intrusive: giving back links a record (default), or one that grows by
 *                  allocating from the processor's cache, its capacity that of the first batch of
 *                  states: -DGROWING
 *
 * What must hold: a cache is touched by the holder of its processor alone; a processor is handed
 * off exactly once; nothing of the runtime is touched after BARE; a record is freed by the reaper
 * alone; no tainted thread starts another; in the end no thread is left, every processor is idle
 * and every state is free.
 *
 * Left out on purpose: lost wake-ups of the hand-off (locked.pml) and of going idle (idle.pml);
 * here giving a processor away and getting one are single steps.
 *
 * run: pass | | weft: state, then processor; intrusive list; destructors that draw late
 * run: pass | -DOLD_ORDER | the structure alone: the old order is harmless with an intrusive list
 * run: pass | -DGROWING | Go 1.24.3: the right order alone
 * run: pass | -DBUG_1 -DN=2 | Go 1.24.0-2 with as many states as the first batch holds: lives
 * run: fail cache_has_holder | -DBUG_1 | Go 1.24.0-2 with one more: the cache of a processor that is not there
 * run: pass | -DBUG_1 -DBARRIER -DEVERY_RUN_DIES -E | ... and with a barrier no run at all survives
 * run: fail !caught | -DBUG_1 -DCHECK | old order, growing list, the check: stopped before the access
 * run: fail cache_has_holder | -DGROWING -DLATE_DRAW | a growing list and a destructor that draws: no order helps
 * run: fail holder[proc]==t | -DBUG_2 | the processor handed off twice
 * run: fail invalid end state | -DBUG_3 | the processor never handed off
 * run: fail phase[t]<6 | -DBUG_4 | the thread counts itself out after BARE
 * run: fail invalid end state | -DBUG_5 | the template joins a thread whose destructor waits for a task
 * run: fail !freed[t] | -DBUG_6 | the record freed when it is unlinked
 * run: fail free_states==mapped_states | -DBUG_7 | the state not given back
 * run: fail !tainted[t] | -DBUG_8 | the dying thread starts its own replacement
 */
#ifdef BUG_1
#define OLD_ORDER
#define GROWING
#endif
#ifndef N
#define N 3
#endif
#define P     2
#define BATCH 2 /* states of one page */

#define IDLE     254 /* the holder of a processor that no thread holds */
#define TEMPLATE 253

#define BARE 6 /* phase = number of exit steps done; runs: 0, gone: 7, reaped: 8 */
#define GONE 7
#define REAPED 8

byte holder[P];
byte queued = N; /* locked tasks that have not started */
byte arrived, ended, threads, linked, leaving;
byte phase[N];
bool freed[N], tainted[N + 1];
byte free_states, mapped_states, capacity;
bool barrier, crashed, caught;

#ifdef EVERY_RUN_DIES
#define unless_dead provided(!crashed)
#else
#define unless_dead
#endif

inline cache_alloc(t)
{
	bool cache_has_holder;
	cache_has_holder = (proc != IDLE && holder[proc] == t && phase[t] < BARE);
#ifdef CHECK
	caught = !cache_has_holder;
	assert(!caught);
#endif
#ifdef EVERY_RUN_DIES
	crashed = !cache_has_holder;
#else
	assert(cache_has_holder);
#endif
}

/* The list holds free_states; a growing one allocates when that exceeds what it reserved. */
inline list_made_room(t)
{
#ifdef GROWING
	if
	:: capacity == 0 -> capacity = BATCH
	:: else
	fi;
	if
	:: free_states > capacity -> cache_alloc(t); capacity = 2 * capacity
	:: else
	fi
#else
	skip
#endif
}

inline state_take(t)
{
	atomic {
		if
		:: free_states == 0 ->
			mapped_states = mapped_states + BATCH;
			free_states = BATCH;
			list_made_room(t)
		:: else
		fi;
		free_states--
	}
}

inline state_put(t)
{
	atomic { free_states++; list_made_room(t) }
}

/* Every access of a thread to its own record, to the lists of threads and to its processor. */
inline touch(t)
{
	assert(phase[t] < 6);
	assert(!freed[t])
}

inline hand_off(t)
{
	atomic {
		touch(t);
		assert(holder[proc] == t);
		if
		:: queued > 0 -> holder[proc] = TEMPLATE
		:: else -> holder[proc] = IDLE
		fi
	}
}

/* Takes any idle processor. */
inline get_processor(t)
{
	if
	:: atomic { holder[0] == IDLE -> proc = 0; holder[0] = t }
	:: atomic { holder[1] == IDLE -> proc = 1; holder[1] = t }
	fi
}

inline start_thread(by, p)
{
	atomic {
		assert(!tainted[by]);
		queued--;
		holder[p] = queued;
		threads++;
		linked++;
		run thread(queued, p)
	}
}

inline step(t, number)
{
	phase[t] = number;
	printf("exit %d %d\n", t, number)
}

/* The steps 2 to 5 as weft has them, or with the state last as Go had it. */
inline owed(t)
{
#ifndef OLD_ORDER
#ifndef BUG_7
	state_put(t);
#endif
	step(t, 2);
#endif
	atomic { touch(t); assert(holder[proc] == t); step(t, 3) }
	atomic {
		touch(t);
		linked--;
		leaving++;
#ifdef BUG_6
		freed[t] = true;
#endif
		step(t, 4)
	}
#ifdef BUG_8
	if
	:: queued > 0 -> start_thread(t, proc)
	:: else -> hand_off(t)
	fi;
#elif !defined(BUG_3)
	hand_off(t);
#endif
#ifdef BUG_2
	hand_off(t);
#endif
	step(t, 5);
#ifdef OLD_ORDER
	state_put(t);
	step(t, 2);
#endif
}

/* libc's part: the program's key destructors; one waits for the other tasks, all may draw. */
inline destructors(t)
{
	if
	:: t == N - 1 -> (ended == N)
	:: else
	fi;
#if !defined(GROWING) || defined(LATE_DRAW)
	if
	:: state_take(t); state_put(t)
	:: skip
	fi
#endif
}

proctype thread(byte t, proc) unless_dead
{
	tainted[t] = true;
	state_take(t);
	if
	:: barrier ->
		arrived++;
		hand_off(t);
		(arrived == N);
		get_processor(t)
	:: else
	fi;
	ended++;
	step(t, 1);
	owed(t);
	step(t, 6);
#ifdef BUG_4
	atomic { touch(t); leaving-- };
#endif
	destructors(t);
	step(t, GONE)
}

inline template_serves(p)
{
	if
	:: queued > 0 -> start_thread(N, p)
	:: else -> holder[p] = IDLE
	fi
}

inline reap(t)
{
#ifdef BUG_5
	/* pthread_join instead of pthread_tryjoin_np: chosen as soon as the thread is on its way */
	atomic { phase[t] >= 4 && phase[t] < REAPED -> skip };
	(phase[t] == GONE);
#endif
	atomic { phase[t] == GONE -> phase[t] = REAPED; freed[t] = true; threads--; leaving-- }
}

active proctype template_thread() unless_dead
{
	byte t;
#ifdef BARRIER
	barrier = true;
#else
	if
	:: barrier = true
	:: skip
	fi;
#endif
	holder[0] = TEMPLATE;
	holder[1] = TEMPLATE;
	do
	:: holder[0] == TEMPLATE -> template_serves(0)
	:: holder[1] == TEMPLATE -> template_serves(1)
#ifdef BUG_5
	:: atomic { phase[0] >= 4 && phase[0] < REAPED -> t = 0 } reap(t)
	:: atomic { phase[1] >= 4 && phase[1] < REAPED -> t = 1 } reap(t)
	:: atomic { phase[N - 1] >= 4 && phase[N - 1] < REAPED -> t = N - 1 } reap(t)
#else
	:: atomic { phase[0] == GONE -> t = 0 } reap(t)
	:: atomic { phase[1] == GONE -> t = 1 } reap(t)
	:: atomic { phase[N - 1] == GONE -> t = N - 1 } reap(t)
#endif
	:: queued == 0 && threads == 0 && holder[0] == IDLE && holder[1] == IDLE -> break
	od;
	assert(linked == 0);
	assert(leaving == 0);
	assert(free_states == mapped_states);
#ifdef EVERY_RUN_DIES
	assert(crashed)
#endif
}
