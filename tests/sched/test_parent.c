/* SPDX-License-Identifier: MIT */
/*
 * test_parent.c: a child that asked for a signal at its parent's death outlives the idle threads
 * that are retired, as it would outlive the tasks of a program with a thread for each.
 */
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../tasks.h"
#include "sched/sched.h"

enum { CROWD = 40, CHILDREN = 10 };

static int inside, gone;
static pid_t child[CHILDREN];

static void child_main(int ready)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (write(ready, "", 1) == 1)
		pause();
	_exit(0);
}

static pid_t start_child(void)
{
	char byte;
	int ready[2];
	expect_eq(pipe(ready), 0);
	pid_t pid = fork();
	if (pid == 0)
		child_main(ready[1]);
	close(ready[1]);
	expect_eq(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

/* In blocking code until all are, so that each has a thread of its own. Those that start a child
 * end first: threads that have been idle for longest are retired first. */
static void one_of_many(void *arg)
{
	int number = __atomic_fetch_add(&inside, 1, __ATOMIC_ACQ_REL);
	while (flag(&inside) < CROWD)
		usleep(1000);
	if (number < CHILDREN)
		child[number] = start_child();
	while (number >= CHILDREN && flag(&gone) < CHILDREN)
		usleep(1000);
	__atomic_fetch_add(&gone, 1, __ATOMIC_ACQ_REL);
}

static uint32_t idle_threads(void)
{
	return load_relaxed(&sched.idle.thread_count);
}

static int main_task(void *arg)
{
	for (int i = 0; i < CROWD; i++)
		expect_eq(weft_go(one_of_many, arg), 0);
	while (flag(&gone) < CROWD)
		weft_sleep(MS);
	while (idle_threads() > sched.processor_count + 1 + CHILDREN)
		weft_sleep(10 * MS);
	for (int i = 0; i < CHILDREN; i++)
		expect_eq(waitpid(child[i], NULL, WNOHANG), 0);
	return 0;
}

TEST("a child of a task outlives the idle threads that are retired")
{
	expect_eq(tasks_run(2, main_task, NULL), 0);
}
