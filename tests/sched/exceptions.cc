/* SPDX-License-Identifier: MIT */
/*
 * exceptions.cc: C++ exceptions that are in flight, or being handled, while their task waits.
 *
 * Each task throws through a destructor that waits, and waits in the handlers of two exceptions,
 * one inside the other. After each wait it must find its own count and its own current exception,
 * and must throw its own again. Prints what went wrong and exits with 1.
 */
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <initializer_list>
#include <unistd.h>

#include "weft/weft.h"

namespace
{
const int64_t ms = 1000 * 1000;
const int tasks = 16;

[[noreturn]] void wrong(const char *what, const char *wait, int found, int expected)
{
	printf("%s after %s: %d, not %d\n", what, wait, found, expected);
	fflush(stdout);
	_exit(1);
}

/* ---- every wait ---- */

struct weft_chan *full, *empty;
struct weft_mutex mutex;
struct weft_rwmutex rwmutex;
struct weft_cond never_signalled;
struct weft_sem none;

int64_t shortly()
{
	return weft_after(ms / 5);
}

int nothing(void *)
{
	return 0;
}

void wait_chan_send()
{
	int item = 0;
	weft_chan_send(full, &item, shortly());
}

void wait_chan_recv()
{
	int item;
	weft_chan_recv(empty, &item, shortly());
}

void wait_mutex()
{
	weft_mutex_lock(&mutex);
	weft_yield();
	weft_mutex_unlock(&mutex);
}

void wait_rwmutex()
{
	weft_rwmutex_wrlock(&rwmutex);
	weft_yield();
	weft_rwmutex_wrunlock(&rwmutex);
}

void wait_cond()
{
	weft_mutex_lock(&mutex);
	weft_cond_wait(&never_signalled, &mutex, shortly());
	weft_mutex_unlock(&mutex);
}

void wait_select()
{
	int item;
	struct weft_case cases[2] = {};
	for (auto &c : cases) {
		c.chan = empty;
		c.op = WEFT_CHAN_RECV;
		c.item = &item;
	}
	weft_select(cases, 2, shortly());
}

void wait_join()
{
	struct weft_task *task;
	if (weft_spawn(&task, nullptr, nothing, nullptr) == 0)
		weft_join(task, nullptr, WEFT_FOREVER);
}

void wait_group()
{
	struct weft_group *group = weft_group_new();
	weft_group_go(group, nothing, nullptr);
	weft_group_wait(group, nullptr, WEFT_FOREVER);
}

void wait_locked()
{
	weft_lock_os_thread();
	weft_yield();
	weft_sleep(ms / 10);
	weft_unlock_os_thread();
}

void wait_announced()
{
	weft_blocking_begin();
	usleep(100);
	weft_blocking_end();
}

void wait_pipe()
{
	int ends[2];
	char byte = 0;
	if (pipe(ends) < 0)
		abort();
	weft_read(ends[0], &byte, 1, shortly());
	weft_close(ends[0]);
	weft_close(ends[1]);
}

const struct {
	const char *name;
	void (*wait)();
} waits[] = {
	{"weft_yield", weft_yield},
	{"weft_sleep", [] { weft_sleep(ms / 10); }},
	{"weft_chan_send", wait_chan_send},
	{"weft_chan_recv", wait_chan_recv},
	{"weft_mutex_lock", wait_mutex},
	{"weft_rwmutex_wrlock", wait_rwmutex},
	{"weft_cond_wait", wait_cond},
	{"weft_sem_acquire", [] { weft_sem_acquire(&none, 1, shortly()); }},
	{"weft_select", wait_select},
	{"weft_join", wait_join},
	{"weft_group_wait", wait_group},
	{"a locked stay", wait_locked},
	{"announced blocking", wait_announced},
	{"blocking", [] { usleep(300); }},
	{"weft_read", wait_pipe},
};

/* ---- exceptions around a wait ---- */

struct waits_at_its_end {
	const char *name;
	void (*wait)();
	~waits_at_its_end()
	{
		wait();
		if (std::uncaught_exceptions() != 1)
			wrong("uncaught exceptions in a destructor", name,
			      std::uncaught_exceptions(), 1);
	}
};

void throw_through_wait(int value, const char *name, void (*wait)())
{
	waits_at_its_end guard = {name, wait};
	throw value;
}

int current_value()
{
	try {
		throw;
	} catch (int thrown) {
		return thrown;
	}
}

void handle_two(int value, const char *name, void (*wait)())
{
	try {
		throw value + 1;
	} catch (int inner) {
		wait();
		if (current_value() != value + 1)
			wrong("the inner exception", name, current_value(), value + 1);
	}
	wait();
	if (current_value() != value)
		wrong("the outer exception", name, current_value(), value);
}

void try_once(int value, const char *name, void (*wait)())
{
	try {
		throw_through_wait(value, name, wait);
	} catch (int thrown) {
		if (thrown != value)
			wrong("what was caught", name, thrown, value);
		handle_two(value, name, wait);
	}
	if (std::uncaught_exceptions() != 0)
		wrong("uncaught exceptions", name, std::uncaught_exceptions(), 0);
	if (std::current_exception())
		wrong("exceptions handled", name, 1, 0);
}

int task(void *number)
{
	int mine = 1000 * (int)(intptr_t)number;
	for (auto &w : waits)
		for (int i = 0; i < 8; i++)
			try_once(mine += 2, w.name, w.wait);
	return 0;
}

/* ---- the ends of tasks ---- */

/* Where LeakSanitizer finds them: one a run. */
int *volatile thrown_by_the_dead[6];
int dead_tasks;

/* The exception is never freed: a task that ends so does not unwind. */
int ends_in_a_handler(void *number)
{
	try {
		throw(int)(intptr_t) number;
	} catch (int &thrown) {
		thrown_by_the_dead[dead_tasks++] = &thrown;
		weft_exit(0);
	}
}

int begins_without(void *)
{
	if (std::uncaught_exceptions() || std::current_exception())
		wrong("exceptions", "birth", std::uncaught_exceptions(), 0);
	return 0;
}

int main_task(void *arg)
{
	struct weft_task *all[tasks], *dead;
	int item = 0;
	full = weft_chan_new(sizeof(int), 1);
	empty = weft_chan_new(sizeof(int), 1);
	weft_chan_send(full, &item, WEFT_FOREVER);
	if (arg && (std::uncaught_exceptions() || std::current_exception()))
		wrong("exceptions", "the main task's birth", 1, 0);
	if (weft_spawn(&dead, nullptr, ends_in_a_handler, nullptr) == 0)
		weft_join(dead, nullptr, WEFT_FOREVER);
	for (int i = 0; i < tasks; i++)
		if (weft_spawn(&all[i], nullptr, i ? task : begins_without, (void *)(intptr_t)i) <
		    0)
			abort();
	for (auto &t : all)
		weft_join(t, nullptr, WEFT_FOREVER);
	weft_chan_unref(full);
	weft_chan_unref(empty);
	return 42;
}

void run(unsigned processors, unsigned flags)
{
	struct weft_options options = {};
	options.size = sizeof(options);
	options.processors = processors;
	options.flags = flags;
	int result = weft_run(&options, main_task, &options);
	if (result != 42)
		wrong("the result", "weft_run", result, 42);
}

/* weft_run called while an exception is being handled: the main task has none, and the caller finds
 * its own again. */
void run_in_a_handler(unsigned flags)
{
	try {
		throw 5;
	} catch (int) {
		run(1, flags);
		if (current_value() != 5)
			wrong("the caller's exception", "weft_run", current_value(), 5);
	}
}
} // namespace

int main()
{
	for (unsigned processors : {1, 2, 4})
		run(processors, 0);
	run(2, WEFT_LOCK_MAIN);
	run_in_a_handler(0);
	run_in_a_handler(WEFT_LOCK_MAIN);
	return 0;
}
