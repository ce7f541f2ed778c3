/* SPDX-License-Identifier: MIT */
/*
 * stack.pml: stacks of tasks come and go (src/sched/task.c, schedule.c, cache.c, stack.c).
 *
 * Three tasks and two stacks. Two of the tasks wait for one wake and end; task K ends, and its record
 * is born once more, by who is told of it. Task L locks its thread before it ends, and its thread ends
 * with it. Two threads take tasks out of one queue: on their own stacks, where they fetch a stack
 * from everywhere, or on the stack of the task that waits or ends, where they take one of their own
 * cache alone; a task that ends hands its stack to the next that has never run. The monitor empties
 * caches into the class's list, and gives the memory of what lies there back. A dump reads the stack
 * that a task has, or had a moment ago.
 *
 * Left out: the word of a wait (park.pml), the queues (tests/explore/test_runq.c), whose number a
 * stack is, other sizes than the default, that the kernel is short of memory for ever.
 *
 * What must hold: a thread enters a stack that nobody is on, or the one that it leaves for ever; a
 * stack has one owner, a task gets one stack, and has none when its end is told; nobody runs on a
 * thread that ends; a dump reads mapped memory; every task ends, and then all stacks are free.
 *
 * run: pass | | as it is
 * run: pass | -DNO_HEIR | ThreadSanitizer: none is handed on
 * run: pass | -DSTACKS=1 | all tasks wait for the same stack
 * run: pass | -DSTACKS=3 | one for each
 * run: fail alone | -DBUG_1 | the end gives its stack back before it is left
 * run: fail stack_of[previous]==0 | -DBUG_2 | the joiner is told while the record has a stack
 * run: fail alone | -DBUG_3 | the heir's stack stays in the record that ended
 * run: fail on[stack]==0 | -DBUG_4 | a task that waits is shown to its waker before it is left
 * run: fail !leaves[me] | -DBUG_5 | a locked task hands its stack on
 * run: fail invalid end state | -DBUG_6 | who finds no stack drops the task
 * run: fail mapped[seen] | -DBUG_7 | memory that is given back is unmapped
 * run: fail stack_of[next]==0 | -DBUG_8 | a task that has begun counts as unborn
 * run: fail alone | -DBUG_9 | a task that only waits hands its stack on
 * run: fail all_free | -DBUG_10 | a locked task's stack goes with its thread
 */
#define TASKS 3
#define L 1
#define K 3
#ifndef STACKS
#define STACKS 2
#endif
#define THREADS 2
#define NONE 0 /* tasks, stacks and threads are numbered from 1 */
#define BIT(stack) (1 << (stack))
#define ALL ((2 << STACKS) - 2)

chan queue = [TASKS] of { byte };

byte stack_of[TASKS + 1], waits[TASKS + 1], lives[TASKS + 1];
bool unborn[TASKS + 1], parked[TASKS + 1];
byte on[STACKS + 1]; /* the thread whose stack pointer is there */
bool mapped[STACKS + 1];
byte cache[THREADS + 1], central; /* sets of stacks */
bool leaves[THREADS + 1];
byte ended, gone;

#define free (cache[1] | cache[2] | central)
#define owners(s) ((stack_of[1] == s) + (stack_of[2] == s) + (stack_of[3] == s) + \
		   ((free & BIT(s)) != 0))

/* From a set; it has some. */
inline pick_stack(set, stack)
{
	stack = 1;
	do
	:: set & BIT(stack) -> break
	:: else -> stack++
	od;
	set = set & ~BIT(stack)
}

/* The next task gets a stack, and the thread goes there. */
inline own(next, stack)
{
	assert(stack_of[next] == NONE);
	stack_of[next] = stack;
#ifdef BUG_8
	skip
#else
	unborn[next] = false
#endif
}

inline enter(stack)
{
	assert(on[stack] == NONE);
	assert(!leaves[me]);
	on[stack] = me
}

inline give(stack)
{
	alone = owners(stack) == 0;
	assert(alone);
	cache[me] = cache[me] | BIT(stack)
}

/* On the thread's own stack: from wherever there is one. */
inline attach(next)
{
	if
	:: !unborn[next] -> stack = stack_of[next]
	:: unborn[next] && cache[me] -> pick_stack(cache[me], stack); own(next, stack)
	:: unborn[next] && !cache[me] && central ->
		pick_stack(central, stack);
		mapped[stack] = true;
		own(next, stack)
	:: unborn[next] && !cache[me] && !central ->
		stack = NONE;
#ifndef BUG_6
		queue!next
#endif
	fi
}

inline tell(task)
{
	assert(stack_of[task] == NONE);
	if
	:: lives[task] == 1 -> ended++
	:: else ->
		lives[task]--;
		unborn[task] = true;
		queue!task
	fi
}

inline give_back(task)
{
	atomic {
		if
		:: stack_of[task] != NONE ->
			stack = stack_of[task];
			stack_of[task] = NONE;
#ifdef BUG_10
			if
			:: leaves[me]
			:: else -> give(stack)
			fi
#else
			give(stack)
#endif
		:: else
		fi
	}
}

/* finish_switch: on the stack that comes next */
inline finish_end(task)
{
#ifdef BUG_2
	atomic { tell(task) };
	give_back(task)
#else
	give_back(task);
	atomic { tell(task) }
#endif
}

inline finish(task, ends)
{
	if
	:: task != NONE && ends -> finish_end(task)
	:: task != NONE && !ends ->
#ifdef BUG_4
		skip
#else
		parked[task] = true
#endif
	:: else
	fi;
	task = NONE
}

/* Leaves its stack for that of the next task, or for the thread's own: next == NONE. */
inline leave_for(next)
{
	atomic {
		on[stack_of[self]] = NONE;
		if
		:: next != NONE -> stack = stack_of[next]; enter(stack)
		:: else
		fi;
		previous = self;
		self = next;
		next = NONE
	}
}

/* The next one of the queue that the thread may go to straight away; else it is kept in hand. */
inline look_for_next(ends)
{
	atomic {
		if
		:: !leaves[me] && queue?[next] ->
			queue?next;
			if
#ifndef NO_HEIR
#ifdef BUG_9
			:: unborn[next] ->
#else
			:: unborn[next] && ends ->
#endif
				heir = true
#endif
			:: !heir && unborn[next] && cache[me] ->
				pick_stack(cache[me], stack);
				own(next, stack)
			:: !heir && unborn[next] && !cache[me] -> in_hand = next; next = NONE
			:: !unborn[next]
			fi
#ifdef BUG_5
		:: leaves[me] && ends && queue?[next] ->
			queue?next;
			if
			:: unborn[next] -> heir = true
			:: else -> in_hand = next; next = NONE
			fi
#endif
		:: else -> next = NONE
		fi
	}
}

/* The heir starts over where the one that ends still is: nothing is entered. */
inline inherit()
{
	atomic {
		assert(!leaves[me]);
		stack = stack_of[self];
#if !defined(BUG_3) && !defined(BUG_9)
		stack_of[self] = NONE;
#endif
		own(next, stack);
		previous = self;
		self = next;
		next = NONE;
		heir = false
	}
}

inline switch_away(ends)
{
#ifdef BUG_1
	if
	:: ends -> atomic { cache[me] = cache[me] | BIT(stack_of[self]) }
	:: else
	fi;
#endif
#ifdef BUG_4
	if
	:: !ends -> parked[self] = true
	:: else
	fi;
#endif
	look_for_next(ends);
	if
	:: heir -> inherit()
	:: else -> leave_for(next)
	fi;
	finish(previous, ends)
}

/* What runs on the thread: until a switch leads to its own stack. */
inline run_tasks()
{
	do
	:: self == NONE -> break
	:: self != NONE && waits[self] -> waits[self]--; switch_away(false)
	:: self != NONE ->
		if
		:: self == L -> leaves[me] = true
		:: else
		fi;
		switch_away(true)
	od
}

proctype thread(byte me)
{
	byte self, next, previous, in_hand, stack;
	bool heir, alone;
	do
	:: leaves[me] || ended == TASKS -> break
	:: !leaves[me] && (in_hand != NONE || queue?[next]) ->
		atomic {
			if
			:: in_hand != NONE -> next = in_hand; in_hand = NONE
			:: in_hand == NONE && queue?[next] -> queue?next
			:: else -> next = NONE
			fi;
			if
			:: next != NONE ->
				attach(next);
				if
				:: stack != NONE -> enter(stack); self = next
				:: else
				fi;
				next = NONE
			:: else
			fi
		}
		run_tasks()
	od;
	atomic {
		central = central | cache[me];
		cache[me] = 0;
		gone++
	}
}

active proctype waker()
{
	byte i;
	do
	:: ended == TASKS -> break
	:: atomic { parked[1] -> parked[1] = false; queue!1 }
	:: atomic { parked[2] -> parked[2] = false; queue!2 }
	:: atomic { parked[3] -> parked[3] = false; queue!3 }
	od
}

/* Empties caches, and gives memory back. */
active proctype monitor()
{
	byte stack;
	do
	:: ended == TASKS -> break
	:: atomic { cache[1] -> central = central | cache[1]; cache[1] = 0 }
	:: atomic { cache[2] -> central = central | cache[2]; cache[2] = 0 }
#ifdef BUG_7
	:: atomic { (central & BIT(1)) && mapped[1] -> mapped[1] = false }
#endif
	od
}

active proctype dump()
{
	byte task = 1, seen;
	do
	:: task > TASKS -> break
	:: else ->
		seen = stack_of[task];
		if
		:: seen != NONE -> assert(mapped[seen])
		:: else
		fi;
		task++
	od
}

/* Not finished is not an end. */
active proctype everything_ends()
{
	bool all_free;
	(ended == TASKS && gone == THREADS);
	all_free = free == ALL;
	assert(all_free)
}

init {
	byte i;
	atomic {
		for (i : 1 .. STACKS) {
			mapped[i] = true;
			central = central | BIT(i)
		}
		for (i : 1 .. TASKS) {
			unborn[i] = true;
			waits[i] = (i != K);
			lives[i] = (i == K -> 2 : 1);
			queue!i
		}
		run thread(1);
		run thread(2)
	}
}
