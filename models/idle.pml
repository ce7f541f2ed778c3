/* SPDX-License-Identifier: MIT */
/*
 * idle.pml: threads that find no work go to sleep while somebody makes some (src/sched/proc.c,
 * steal.c, monitor.c).
 *
 * A thread that is not the runtime's queues two tasks globally, A and then B; A computes until B
 * has run. Two threads with a processor each search, run, let their processors go and sleep. Nobody
 * is woken while somebody searches: makers count on the searcher, which says farewell before its last
 * look at the global queue. That last look and letting the processor go are one step under the
 * lock; so is queueing, and afterwards the maker looks for an idle processor. So either the
 * searcher sees the work or the maker sees the idle processor. No fence is needed.
 *
 * The monitor looks for work that waits beside an idle processor, as long as any processor is in
 * use; when none is, it sleeps too. So what must never happen is work in a queue while all
 * processors are idle; work that is overlooked while one is busy costs time only. A searcher that
 * finds work and was the last to search wakes the next one, which saves that time: without it
 * (-DNO_PASSING_ON) nothing is lost.
 *
 * run: pass | | a maker, two searchers, the monitor
 * run: pass | -DNO_PASSING_ON | the last searcher that finds work wakes nobody: the monitor does
 * run: fail invalid end state | -DBUG_1 | a processor let go without a look at the queue
 * run: fail invalid end state | -DBUG_2 | ... with a look, but before the lock is taken
 * run: fail invalid end state | -DBUG_3 | the maker looks for an idle processor before it queues
 * run: fail invalid end state | -DBUG_4 | the farewell comes after letting go
 * run: fail invalid end state | -DBUG_5 | no monitor
 */
#define THREADS 2

#define A 1
#define B 2

#define PLAIN 1    /* woken with a processor */
#define SEARCHER 2 /* the same, counted in `searching` */

chan queue = [2] of { byte }; /* [lock] */
byte searching = THREADS;
byte idle_processors;         /* [lock] */
bool asleep[THREADS];         /* [lock] */
byte given[THREADS];          /* [lock] */
bool done_a, done_b;

/* With the lock held; as many threads sleep as processors are idle. */
inline start_sleeper(how)
{
	idle_processors--;
	if
	:: asleep[0] -> asleep[0] = false; given[0] = how
	:: asleep[1] -> asleep[1] = false; given[1] = how
	fi
}

/* weft__proc_wake: one sleeper becomes a searcher, if a processor is idle and nobody searches. */
inline wake()
{
	if
	:: idle_processors > 0 -> atomic {
			if
			:: searching == 0 -> searching = 1; claimed = true
			:: else
			fi
		}
	:: else
	fi;
	if
	:: claimed -> atomic {
			if
			:: idle_processors > 0 -> start_sleeper(SEARCHER)
			:: else -> searching--
			fi;
			claimed = false
		}
	:: else
	fi
}

active proctype maker()
{
	bool claimed;
#ifdef BUG_3
	wake();
	queue!A;
	queue!B;
#else
	queue!A;
	wake();
	queue!B;
	wake();
#endif
	(done_a && done_b)
}

#ifndef BUG_5
active proctype monitor()
{
end:
	do
	:: atomic {
		nempty(queue) && idle_processors > 0 && idle_processors < THREADS -> start_sleeper(PLAIN)
	}
	od
}
#endif

/* Found a task: searches no more; was it the last, it wakes the next for what remains. */
inline found()
{
	if
	:: counted ->
		atomic { searching--; last = (searching == 0); counted = false }
#ifndef NO_PASSING_ON
		if
		:: last && nempty(queue) -> wake()
		:: else
		fi;
#endif
		last = false
	:: else
	fi
}

inline run_task()
{
	if
	:: task == A -> done_b; done_a = true
	:: task == B -> done_b = true
	fi;
	task = 0
}

inline farewell()
{
	if
	:: counted -> atomic { searching--; counted = false }
	:: else
	fi
}

inline let_go(t)
{
	idle_processors++;
	asleep[t] = true
}

/* weft__proc_release: kept = work has come meanwhile */
inline release(t)
{
#if defined(BUG_1)
	atomic { let_go(t) }
#elif defined(BUG_2)
	kept = nempty(queue);
	if
	:: kept
	:: else -> atomic { let_go(t) }
	fi
#else
	atomic {
		kept = nempty(queue);
		if
		:: kept
		:: else -> let_go(t)
		fi
	}
#endif
}

proctype searcher(byte t)
{
	byte task;
	bool claimed, last, kept, counted = true;
search:
	if
	:: queue?task -> found(); run_task(); goto search
	:: empty(queue)
	fi;
#ifdef BUG_4
	release(t);
	farewell();
#else
	farewell();
	release(t);
#endif
	if
	:: kept -> kept = false; goto search
	:: else
	fi;
end:
	atomic { given[t] != 0 -> counted = (given[t] == SEARCHER); given[t] = 0 }
	goto search
}

init {
	atomic {
		run searcher(0);
		run searcher(1)
	}
}
