/* SPDX-License-Identifier: MIT */
/* target.c: see target.h. */
#include "cli/inspect/target.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/sys.h"
#include "cli/proc/symbols.h"
#include "cli/proc/tracee.h"
#include "cli/shell/cli.h"

enum {
	CHUNK = 1 << 16,
	ALIGN = 16,
	SEGMENT_MAX = 64 << 20,
	RECORDS_MAX = 1 << 26,
	CLASSES_MAX = 64
};

bool target_read(const struct target *t, uint64_t address, void *buf, size_t size)
{
	return t->pid ? weft__tracee_read(t->pid, address, buf, size) == 0
		      : weft__core_read(&t->core, address, buf, size);
}

static uint64_t word(const struct target *t, uint64_t address)
{
	uint64_t value = 0;
	return target_read(t, address, &value, sizeof(value)) ? value : 0;
}

static uint32_t half(const struct target *t, uint64_t address)
{
	uint32_t value = 0;
	return target_read(t, address, &value, sizeof(value)) ? value : 0;
}

static uint8_t byte(const struct target *t, uint64_t address)
{
	uint8_t value = 0;
	return target_read(t, address, &value, sizeof(value)) ? value : 0;
}

uint32_t target_number(const struct target *t, uint32_t offset)
{
	return half(t, t->layout.runtime + offset);
}

void target_text(const struct target *t, uint64_t address, char *text, size_t size)
{
	size_t n = 0;
	while (n < size - 1 && address && target_read(t, address + n, &text[n], 1) && text[n])
		n++;
	text[n] = 0;
}

/* ---- finding the table ---- */

static bool take_table(struct target *t, uint64_t address)
{
	struct weft_debug_layout found = {0};
	uint32_t probe;
	if (!target_read(t, address, &found, sizeof(found)) || found.count < LAYOUT_COUNT ||
	    found.count > 4096)
		return false;
	if (!found.runtime || !found.class_size || !found.region_first_records)
		return false;
	/* Bytes of the file that were not relocated lead nowhere. */
	if (!target_read(t, found.runtime + found.runtime_running, &probe, sizeof(probe)) ||
	    !target_read(t, found.classes + found.class_used, &probe, sizeof(probe)))
		return false;
	t->layout = found;
	return true;
}

/* Looks for the table in [start, end). */
static bool search(struct target *t, uint64_t start, uint64_t end)
{
	static unsigned char chunk[CHUNK];
	for (uint64_t at = start; at < end; at += CHUNK) {
		size_t n = (size_t)min_of(end - at, (uint64_t)CHUNK);
		if (!target_read(t, at, chunk, n))
			continue;
		for (size_t i = 0; i + ALIGN <= n; i += ALIGN)
			if (memcmp(chunk + i, LAYOUT_MAGIC, ALIGN) == 0 && take_table(t, at + i))
				return true;
	}
	return false;
}

static int search_mapping(const struct tracee_mapping *m, void *arg)
{
	if (m->path[0] != '/' || m->end - m->start > SEGMENT_MAX)
		return 0;
	return search(arg, m->start, m->end);
}

static bool search_core(struct target *t)
{
	for (unsigned i = 0; i < t->core.segment_count; i++) {
		const struct core_segment *s = &t->core.segments[i];
		if (s->size <= SEGMENT_MAX && search(t, s->start, s->start + s->size))
			return true;
	}
	return false;
}

/* ---- opening ---- */

static int map_file(const struct core_file *file, void *arg)
{
	weft__symbolizer_map(arg, file->start, file->end, file->offset, file->path, NULL);
	return 0;
}

static void open_core(struct target *t, const char *path)
{
	struct stat st;
	int fd = weft__open_regular(path, &st);
	if (fd < 0)
		cli_die("%s: %s", path, strerror(-fd));
	if (weft__view_init(&t->view) < 0)
		cli_die("no memory");
	weft__view_file(&t->view, fd, 0, (uint64_t)st.st_size);
	int err = weft__core_open(&t->core, &t->view);
	if (err)
		cli_die("%s is neither a process nor a core file: %s", path, strerror(-err));
	t->symbols = weft__symbolizer_new();
	weft__core_each_file(&t->core, map_file, t->symbols);
	if (!search_core(t))
		cli_die("%s: no weft in this core file", path);
}

static void open_process(struct target *t, pid_t pid)
{
	t->pid = pid;
	t->now = weft__clock();
	t->symbols = weft__symbolizer_of(pid);
	int found = weft__tracee_mappings(pid, search_mapping, t);
	if (found < 0)
		cli_die("process %d: %s", (int)pid, strerror(-found));
	if (!found)
		cli_die("process %d: no weft in it, or its memory may not be read", (int)pid);
	if (target_number(t, t->layout.runtime_running) == 0)
		cli_die("process %d: weft does not run in it at this moment", (int)pid);
}

void target_open(struct target *t, const char *what)
{
	char *end;
	long pid = strtol(what, &end, 10);
	memset(t, 0, sizeof(*t));
	if (*what && !*end && pid > 0)
		open_process(t, (pid_t)pid);
	else
		open_core(t, what);
}

void target_close(struct target *t)
{
	weft__symbolizer_free(t->symbols);
	if (t->pid)
		return;
	weft__core_close(&t->core);
	weft__view_close(&t->view);
}

/* ---- tasks: the arithmetic of sched/record.c ---- */

struct class
{
	uint64_t stack, records; /* bytes of a slot; address of the table of regions of records */
	uint32_t used;
};

/* The address of a record; 0: there is none. */
static uint64_t record_at(const struct target *t, const struct class *c, uint32_t number)
{
	const uint32_t first = t->layout.region_first_records;
	unsigned region = 31 - (unsigned)__builtin_clz(number / first + 1);
	if (region >= t->layout.region_count)
		return 0;
	uint64_t base = word(t, c->records + 8 * region);
	uint64_t place = number - first * ((1u << region) - 1);
	return base ? base + place * t->layout.task_size : 0;
}

/* A name lies at the head of the stack while there is one. */
static void read_name(const struct target *t, uint64_t at, struct target_task *task)
{
	const struct weft_debug_layout *l = &t->layout;
	uint64_t place = task->high ? task->high + l->stack_name : at + l->task_name;
	target_text(t, place, task->name, min_of(sizeof(task->name), (size_t)l->task_name_size));
}

static bool read_task(const struct target *t, const struct class *c, uint32_t number,
		      struct target_task *task)
{
	const struct weft_debug_layout *l = &t->layout;
	uint64_t at = record_at(t, c, number);
	memset(task, 0, sizeof(*task));
	task->state = at ? byte(t, at + l->task_state) : TARGET_FREE;
	if (task->state == TARGET_FREE)
		return false;
	uint64_t thread = word(t, at + l->task_thread),
		 locked = word(t, at + l->task_locked_thread);
	task->id = word(t, at + l->task_id);
	task->sp = word(t, at + l->task_sp);
	task->high = word(t, at + l->task_stack);
	task->low = task->high - min_of(task->high, c->stack);
	if (byte(t, at + l->task_special) & l->special_unborn)
		task->fn = word(t, at + l->task_fn);
	task->since = (int64_t)word(t, at + l->task_since);
	task->thread = thread ? half(t, thread + l->thread_number) : 0;
	task->tid = thread ? half(t, thread + l->thread_tid) : 0;
	task->locked = locked ? half(t, locked + l->thread_number) : 0;
	if (byte(t, at + l->task_named))
		read_name(t, at, task);
	target_text(t, word(t, at + l->task_why), task->why, sizeof(task->why));
	return true;
}

void target_each(const struct target *t, void (*each)(const struct target_task *task, void *arg),
		 void *arg)
{
	const struct weft_debug_layout *l = &t->layout;
	for (uint32_t i = 0; i < min_of(l->class_count, CLASSES_MAX); i++) {
		uint64_t at = l->classes + (uint64_t)i * l->class_size;
		struct class c = {
			.stack = word(t, at + l->class_stack),
			.records = at + l->class_records,
			.used = min_of(half(t, at + l->class_used), (uint32_t)RECORDS_MAX),
		};
		struct target_task task;
		for (uint32_t number = 0; number < c.used; number++)
			if (read_task(t, &c, number, &task))
				each(&task, arg);
	}
}

void target_describe(const struct target *t, const struct target_task *task, char *text,
		     size_t size)
{
	static const char *const names[] = {"free", "runnable", "running", "waiting",
					    "ended, not joined"};
	const char *what = task->state < array_len(names) ? names[task->state] : "?";
	char since[48] = "", on[32] = "", locked[48] = "";
	if (task->state == TARGET_WAITING && task->why[0])
		what = task->why;
	if (task->state == TARGET_READY && task->fn)
		what = "runnable, not started";
	if (task->state == TARGET_WAITING && t->now > task->since)
		snprintf(since, sizeof(since), ", %.3f s", (double)(t->now - task->since) / 1e9);
	if (task->state == TARGET_RUNNING)
		snprintf(on, sizeof(on), " on thread %u", task->thread);
	if (task->locked)
		snprintf(locked, sizeof(locked), ", locked to thread %u", task->locked);
	snprintf(text, size, "%s%s%s%s", what, on, since, locked);
}
