/* SPDX-License-Identifier: MIT */
/*
 * cancel.pml: cancellation on its way down, against tasks that make groups, start members, wait for
 * them and end: src/api/cancel.c, src/api/group.c.
 *
 * A chain: task 0 makes group 0 and starts task 1 as its member, which makes group 1 and starts
 * task 2, which waits until it is cancelled, or ends by itself. Each may be masked while it waits
 * for its group, so that its own mark cannot stand in for what the walk forgot. Somebody cancels
 * task 0 at any moment; with -DTWO two do so at once; with -DFAILS task 1 may cancel group 0, as a
 * member that fails; with -DSTOP it is weft_stop, whose walk turns the groups of every task and
 * then marks every task.
 *
 * What must hold: a task sees both or neither, its own mark and its group's (weft_stop: a moment
 * later); whoever waits for a cancel is cancelled, so everything ends; no group is touched after it
 * was freed; a group is on one list at a time.
 *
 * Left out: places, results, groups made under a mask; how a marked task is woken (park.pml).
 *
 * run: pass | | one cancels
 * run: pass | -DTWO | two cancel at once
 * run: pass | -DFAILS | and a member cancels the group it is in
 * run: pass | -DSTOP | weft_stop
 * run: fail both_or_neither | -DBUG_1 | the maker's mark is read before the section that publishes
 * run: fail both_or_neither | -DBUG_2 | published, and the mark read in a later section
 * run: fail invalid end state | -DBUG_3 | a start reads `cancelled` outside the group's lock
 * run: fail refs[g]>0 | -DBUG_4 | a turned group is visited without a reference
 * run: fail invalid end state | -DTWO -DBUG_5 | two locks in both orders: made and the group's
 * run: fail both_or_neither | -DBUG_6 | the task is marked before its group is turned
 * run: fail both_or_neither | -DBUG_7 | a refused start does not wait for the canceller
 * run: fail !on_a_list[g] | -DFAILS -DBUG_8 | a group is turned by a load and a store
 * run: fail invalid end state | -DBUG_9 | a member is marked, its group is not turned
 * run: fail refs[g]>0 | -DBUG_10 | a group leaves its maker's without the lock
 * run: fail invalid end state | -DSTOP -DBUG_11 | a started task does not look whether to stop
 */
#define TASKS  3
#define GROUPS 2 /* group g: made by task g, its member is task g + 1 */

bool made[TASKS], lock[GROUPS]; /* the locks */
bool mark[TASKS], started[TASKS];
bool in_tree[GROUPS], turned[GROUPS], member[GROUPS];
byte refs[GROUPS];
bool on_a_list[GROUPS]; /* ghost */
bool stopping;

inline take(l)
{
	atomic { !l -> l = true }
}

inline drop(l)
{
	l = false
}

inline unref(group)
{
	atomic { g = group; assert(refs[g] > 0); refs[g]-- }
}

inline touch(group)
{
	atomic { g = group; assert(refs[g] > 0) }
}

inline add_reference(group)
{
#ifndef BUG_4
	refs[group]++;
#endif
	skip
}

/* Who turns it owes it a visit. */
inline turn(group)
{
	touch(group);
#ifdef BUG_8
	was_turned = turned[group];
	turned[group] = true;
#else
	atomic { was_turned = turned[group]; turned[group] = true };
#endif
	if
	:: was_turned
	:: else ->
		touch(group);
		add_reference(group);
		atomic { g = group; assert(!on_a_list[g]); on_a_list[g] = true; below[g] = true }
	fi
}

inline turn_groups(k)
{
	if
	:: k < GROUPS && in_tree[k] ->
#ifdef BUG_5
		take(lock[k]);
		turn(k);
		drop(lock[k])
#else
		turn(k)
#endif
	:: else
	fi
}

inline cancel_one(k)
{
#ifdef BUG_6
	mark[k] = true;
#endif
	take(made[k]);
	turn_groups(k);
	mark[k] = true;
	drop(made[k])
}

inline cancel_member(k)
{
#ifdef BUG_9
	mark[k] = true
#else
	cancel_one(k)
#endif
}

inline visit(group)
{
	atomic { below[group] = false; on_a_list[group] = false };
	touch(group);
	take(lock[group]);
	touch(group);
	if
	:: member[group] && !stopping -> cancel_member(group + 1)
	:: else
	fi;
	touch(group);
	drop(lock[group]);
#ifndef BUG_4
	unref(group)
#endif
}

inline visit_all()
{
	do
	:: below[0] -> visit(0)
	:: below[1] -> visit(1)
	:: !below[0] && !below[1] -> break
	od
}

/* Puts the group among those of its maker. */
inline group_new(k)
{
	refs[k] = 1;
#if defined(BUG_1)
	turned[k] = mark[k];
	take(made[k]);
	in_tree[k] = true;
	drop(made[k])
#elif defined(BUG_2)
	take(made[k]);
	in_tree[k] = true;
	drop(made[k]);
	was_turned = mark[k];
	turned[k] = was_turned
#else
	take(made[k]);
	turned[k] = mark[k];
	in_tree[k] = true;
	drop(made[k])
#endif
}

inline settle(k)
{
#ifndef BUG_7
	take(made[k]);
	drop(made[k]);
#endif
	both_or_neither = mark[k] || stopping;
	assert(both_or_neither)
}

inline launch(k)
{
	started[k] = true;
	run task(k);
#ifndef BUG_11
	if
	:: stopping -> mark[k] = true
	:: else
	fi
#endif
}

inline group_go(k)
{
#ifdef BUG_3
	open = !turned[k];
	take(lock[k]);
#else
	take(lock[k]);
	open = !turned[k];
#endif
	member[k] = open;
#ifdef BUG_5
	if
	:: !open -> settle(k)
	:: else
	fi;
#endif
	drop(lock[k]);
	if
	:: open -> launch(k + 1)
	:: else -> settle(k)
	fi
}

inline look(k)
{
	atomic {
		both_or_neither = !mark[k] || turned[k] || stopping;
		assert(both_or_neither)
	}
}

/* Task 1 cancels the group that it is in, or not. */
inline fail(k)
{
#ifdef FAILS
	if
	:: k == 1 -> turn(0); visit_all()
	:: true
	fi
#else
	skip
#endif
}

/* A member's end is seen once it has dropped the lock. */
inline group_wait(k)
{
	if
	:: true -> skip /* masked */
	:: true ->
		if
		:: !member[k] && !lock[k]
		:: mark[k] -> turn(k); visit_all()
		fi
	fi;
	(!member[k] && !lock[k])
}

inline retire(k)
{
#ifdef BUG_10
	in_tree[k] = false;
#else
	take(made[k]);
	in_tree[k] = false;
	drop(made[k]);
#endif
	unref(k)
}

inline ended(k)
{
	take(lock[k - 1]);
	touch(k - 1);
	member[k - 1] = false;
	drop(lock[k - 1])
}

proctype task(byte k)
{
	bool below[GROUPS], was_turned, open, both_or_neither;
	byte g;
	if
	:: k < GROUPS ->
		group_new(k);
		look(k);
		if
		:: !stopping -> group_go(k)
		:: else
		fi;
		look(k);
		fail(k);
		group_wait(k);
		retire(k)
	:: else ->
		if
		:: true -> (mark[k])
		:: true
		fi
	fi;
	if
	:: k > 0 -> ended(k)
	:: else
	fi
}

proctype canceller()
{
	bool below[GROUPS], was_turned;
	byte g;
	cancel_one(0);
	visit_all()
}

inline stop_groups(k)
{
	take(made[k]);
	turn_groups(k);
	drop(made[k]);
	visit_all()
}

inline stop_one(k)
{
	if
	:: started[k] -> mark[k] = true
	:: else
	fi
}

proctype stopper()
{
	bool below[GROUPS], was_turned;
	byte g;
	stopping = true;
	stop_groups(0);
	stop_groups(1);
	stop_one(0);
	stop_one(1);
	stop_one(2)
}

init
{
	atomic {
		started[0] = true;
		run task(0);
#ifdef STOP
		run stopper()
#else
		run canceller()
#endif
#ifdef TWO
		;
		run canceller()
#endif
	}
}
