/* SPDX-License-Identifier: MIT */
/*
 * overflow.c: a task that runs over the end of its stack hits the guard, and the process dies with
 * a message that names the task:
 *
 *   weft: task 17 'resolver' overflowed its 64 KiB stack
 *
 * The handler runs on the thread's alternate signal stack (thread.c). Then the signal is passed to
 * whatever the program had installed before: a handler, or the default action, so that the process
 * dies of SIGSEGV with a core file. The same happens to faults elsewhere and to signals that
 * somebody sent: these kill at once, run the program's handler, or are ignored, as they would be
 * without this handler, which stays for a later overflow.
 */
#include "sched/overflow.h"

#include "base/attr.h"
#include "sched/handler.h"
#include "sched/record.h"
#include "sched/stack.h"
#include "sched/task.h"

static void on_fault(int signo, siginfo_t *info, void *context);

static const int signals[] = {SIGSEGV, SIGBUS};
static struct handler handlers[array_len(signals)] = {{.run = on_fault}, {.run = on_fault}};

static void on_fault(int signo, siginfo_t *info, void *context)
{
	struct task *task = info->si_code > 0 ? weft__record_guard_owner(info->si_addr) : NULL;
	if (task)
		weft__warn("task %llu '%s' overflowed its %zu KiB stack "
			   "(weft_spawn_options.stack_size gives it more)",
			   (unsigned long long)task->id, task_name(task),
			   weft__stack_classes[task->class].usable / 1024);
	weft__handler_pass(&handlers[signo == SIGBUS], signo, info, context);
}

void weft__overflow_watch(void)
{
	sigset_t none;
	sigemptyset(&none);
	for (unsigned i = 0; i < array_len(signals); i++)
		weft__handler_install(&handlers[i], signals[i], SA_NODEFER | SA_RESTART, &none);
}

void weft__overflow_unwatch(void)
{
	for (unsigned i = 0; i < array_len(signals); i++)
		weft__handler_remove(&handlers[i], signals[i]);
}
