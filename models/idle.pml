/* SPDX-License-Identifier: MIT */
/*
 * idle.pml: a thread that finds no work goes to sleep while another makes some (src/sched/schedule.c, proc.c).
 *
 * The maker pushes a task into its own processor's queue and then looks whether somebody should be woken: only when
 * a processor is idle and nobody is searching already. The searcher gives its processor back, then says that it no
 * longer searches, and then looks at the queues once more. Each side stores first and loads second; with both
 * orders kept, at least one of the two sees the other. A searcher that finds work while nobody else searches wakes
 * the next one: makers may have counted on it.
 *
 * Thread 0 makes two tasks, A and B, and computes on until both have run; A in turn computes until B has run. So
 * both need threads of their own, and a lost wake-up is a program that stands still with work in a queue. (The
 * monitor would take a lease in the end: this is about not needing it.) Stores of the maker's queue and of the
 * searcher's farewell go through store buffers as on TSO machines. Idle lists are kept under one lock: single steps.
 *
 * run: pass | | three processors, three threads
 * run: fail invalid end state | -DBUG_1 | maker: no fence between the push and the look at the searchers
 * run: fail invalid end state | -DBUG_2 | searcher: no fence between the farewell and the second look
 * run: fail invalid end state | -DBUG_3 | the last searcher that finds work wakes nobody
 * run: fail invalid end state | -DBUG_4 | the second look comes before the farewell
 * run: fail invalid end state | -DBUG_5 | no second look
 * run: fail invalid end state | -DBUG_6 | the second look comes before the processor is given back
 */
#define THREADS 3

#define A 1
#define B 2

chan queue = [2] of { byte };  /* the maker's processor's, as memory holds it */
chan buffer = [2] of { byte }; /* pushed by the maker, not yet in memory */
bool farewell[THREADS];        /* searching--, not yet in memory */

byte searching;
byte idle_processors;    /* [lock] */
bool asleep[THREADS];    /* on the idle list [lock] */
bool given[THREADS];     /* a processor was handed over with the wake-up [lock] */
bool done_a, done_b;

active proctype drain_maker()
{
	byte task;
end:
	do
	:: atomic { buffer?task -> queue!task; task = 0 }
	od
}

active proctype drain_farewells()
{
end:
	do
	:: atomic { farewell[1] -> farewell[1] = false; searching-- }
	:: atomic { farewell[2] -> farewell[2] = false; searching-- }
	od
}

/* A locked instruction of thread t: its own stores are in memory. */
#define locked(t) (!farewell[t] && (t != 0 || empty(buffer)))

/* Wakes one sleeper as a searcher, when there is a processor for it. */
inline wake(t)
{
	if
	:: idle_processors > 0 ->
		atomic {
			if
			:: searching == 0 -> locked(t) -> skip;
				if
				:: searching == 0 -> searching = 1; claimed = true
				:: else
				fi
			:: else
			fi
		}
	:: else
	fi;
	if
	:: claimed ->
		atomic { /* the lock */
			if
			:: idle_processors > 0 && asleep[1] -> hand_over(1)
			:: idle_processors > 0 && asleep[2] -> hand_over(2)
			:: idle_processors == 0 || (!asleep[1] && !asleep[2]) -> searching--
			fi;
			claimed = false
		}
	:: else
	fi
}

inline hand_over(other)
{
	idle_processors--;
	asleep[other] = false;
	given[other] = true
}

inline push(task)
{
	buffer!task;
#ifndef BUG_1
	empty(buffer);
#endif
	wake(0)
}

proctype maker()
{
	bool claimed;
	push(A);
	push(B);
	(done_a && done_b) /* user code, with the processor */
}

/* Under the lock: processor and thread on the idle lists. */
inline go_idle(t)
{
	atomic { locked(t) -> idle_processors++; asleep[t] = true }
}

inline say_farewell(t)
{
#ifdef BUG_2
	farewell[t] = true
#else
	atomic { locked(t) -> searching-- }
#endif
}

/* The second look: back from the idle list when there is work, unless somebody was faster. */
inline look_again(t)
{
	if
	:: nempty(queue) ->
		atomic {
			locked(t) ->
			if
			:: asleep[t] && idle_processors > 0 ->
				idle_processors--;
				asleep[t] = false;
				given[t] = true;
				searching++
			:: else
			fi
		}
	:: empty(queue)
	fi
}

inline run_found(t)
{
	atomic {
		locked(t) ->
		searching--;
		last = (searching == 0)
	}
#ifndef BUG_3
	if
	:: last -> wake(t)
	:: else
	fi;
#endif
	last = false;
	if
	:: task == A -> done_b; done_a = true
	:: task == B -> done_b = true
	fi;
	task = 0;
	atomic { locked(t) -> searching++ } /* out of work: searches again */
}

proctype searcher(byte t)
{
	byte task;
	bool claimed, last;
search:
	if
	:: queue?task -> run_found(t); goto search
	:: empty(queue)
	fi;
#ifdef BUG_6
	say_farewell(t);
	if
	:: nempty(queue) -> atomic { locked(t) -> searching++ } goto search
	:: empty(queue)
	fi;
	go_idle(t);
#elif defined(BUG_4)
	go_idle(t);
	look_again(t);
	if
	:: given[t] -> atomic { given[t] = false; searching-- } goto search
	:: else
	fi;
	say_farewell(t);
#else
	go_idle(t);
	say_farewell(t);
#ifndef BUG_5
	look_again(t);
#endif
#endif
end:
	atomic { given[t] -> given[t] = false }
	goto search
}

init {
	atomic {
		searching = 2;
		run maker();
		run searcher(1);
		run searcher(2)
	}
}
