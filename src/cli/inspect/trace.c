/* SPDX-License-Identifier: MIT */
/*
 * trace.c: `weft trace`: a trace of a running program, without its help and without stopping it.
 *
 * The rings are there as long as weft runs in a process (sched/trace.h): this sets the word that
 * makes its scheduler write to them, waits, clears it, and reads the rings. The clock that stamps
 * the events is the machine's.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "base/sys.h"
#include "base/time.h"
#include "cli/inspect/target.h"
#include "cli/proc/symbols.h"
#include "cli/shell/cli.h"
#include "debug/trace_json.h"
#include "sched/trace.h"

static const char about[] =
	"Records what the scheduler of the process PID does for a while, and writes it as a file "
	"for\n"
	"https://ui.perfetto.dev. The process is not stopped, and need not have been prepared.";
static const char notes[] = "Tracing another process needs the right to do so with ptrace. Exit "
			    "status: 0; 2 when it failed.";

enum { RINGS_MAX = 4097, ROOM_MAX = 1 << 20 };
#define WRITERS_DONE MS(1) /* those that saw the word have long written by then */

struct session {
	struct target target;
	uint64_t rings, ring_size;
	uint32_t ring_count, room;
	char text[128];
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signo)
{
	interrupted = 1;
}

static void write_memory(const struct session *s, uint64_t address, const void *bytes, size_t size)
{
	struct iovec from = {(void *)bytes, size}, to = {(void *)address, size};
	if (process_vm_writev(s->target.pid, &from, 1, &to, 1, 0) != (ssize_t)size)
		cli_die("process %d: cannot write to its memory: %s", (int)s->target.pid,
			strerror(errno));
}

static void set_tracing(const struct session *s, uint32_t on)
{
	write_memory(s, s->target.layout.runtime + s->target.layout.runtime_tracing, &on,
		     sizeof(on));
}

static void open_session(struct session *s, const char *what)
{
	const struct weft_debug_layout *l = &s->target.layout;
	target_open(&s->target, what);
	if (!s->target.pid)
		cli_die("%s: only a process can be traced", what);
	s->room = target_number(&s->target, l->runtime_trace_room);
	s->ring_count = target_number(&s->target, l->runtime_processor_count) + 1;
	s->ring_size = l->ring_events + (uint64_t)s->room * l->event_size;
	if (!target_read(&s->target, l->runtime + l->runtime_trace_rings, &s->rings,
			 sizeof(s->rings)) ||
	    !s->rings)
		cli_die("%s: this process has no memory for a trace", what);
	if (l->event_size != sizeof(struct trace_event) ||
	    l->ring_events != sizeof(struct trace_ring) || s->ring_count > RINGS_MAX ||
	    s->room < 2 || s->room > ROOM_MAX)
		cli_die("%s: its version of weft writes traces that this command does not know",
			what);
	if (target_number(&s->target, l->runtime_tracing))
		cli_die("%s: this process is being traced already", what);
}

/* Their heads: sched/trace.h. */
static void clear_rings(const struct session *s)
{
	static const char none[sizeof(struct trace_ring)];
	for (uint32_t i = 0; i < s->ring_count; i++)
		write_memory(s, s->rings + i * s->ring_size, none, sizeof(none));
}

/* So many ns, or until *unless is set. */
static void wait_for(int64_t time, const volatile sig_atomic_t *unless)
{
	int64_t end = weft__clock() + time;
	for (int64_t left; !(unless && *unless) && (left = end - weft__clock()) > 0;) {
		struct timespec ts = timespec_of(left);
		nanosleep(&ts, NULL);
	}
}

static void read_ring(const struct session *s, uint32_t number, struct trace_log *log)
{
	const struct weft_debug_layout *l = &s->target.layout;
	uint64_t at = s->rings + number * s->ring_size, written = 0, more = 0;
	target_read(&s->target, at + l->ring_written, &written, sizeof(written));
	target_read(&s->target, at + l->ring_at, &more, sizeof(more));
	written += more / sizeof(struct trace_event); /* trace_written */
	uint64_t n = min_of(written, (uint64_t)s->room);
	struct trace_event *events = cli_realloc(NULL, (n + 1) * sizeof(*events));
	struct trace_places places = {events, s->room, written};
	if (target_read(&s->target, at + l->ring_events, events, n * sizeof(*events)) &&
	    weft__trace_add(log, number, &places) < 0)
		cli_die("no memory for the events");
	free(events);
}

static const char *read_text(void *arg, uint64_t address)
{
	struct session *s = arg;
	target_text(&s->target, address, s->text, sizeof(s->text));
	return s->text[0] ? s->text : NULL;
}

static const char *read_function(void *arg, uint64_t address)
{
	struct session *s = arg;
	weft__symbolizer_name(s->target.symbols, address, s->text, sizeof(s->text));
	return s->text[0] == '?' ? NULL : s->text;
}

static void record(struct session *s, struct trace_log *log, uint64_t seconds, uint32_t exact)
{
	clear_rings(s);
	log->ticks[0] = weft__trace_ticks();
	log->times[0] = weft__clock();
	set_tracing(s, 1 | exact);
	signal(SIGINT, on_interrupt);
	wait_for(SECONDS(seconds), &interrupted);
	log->last = target_number(&s->target, s->target.layout.runtime_tracing);
	set_tracing(s, 0);
	wait_for(WRITERS_DONE, NULL);
	log->ticks[1] = weft__trace_ticks();
	log->times[1] = weft__clock();
	for (uint32_t i = 0; i < s->ring_count; i++)
		read_ring(s, i, log);
}

static void write_log(struct trace_log *log, const char *path)
{
	FILE *out = fopen(path, "we");
	int err = out ? weft__trace_json(log, out) : -errno;
	if (out && fclose(out) != 0 && !err)
		err = -errno;
	if (err)
		cli_die("%s: %s", path, strerror(-err));
}

int cli_trace(int argc, char **argv)
{
	const char *path = "weft-trace.json";
	uint64_t seconds = 5;
	bool exact = false;
	const struct cli_option options[] = {
		{.name = "output",
		 .letter = 'o',
		 .kind = CLI_TEXT,
		 .into = &path,
		 .value = "FILE",
		 .help = "write to FILE (default weft-trace.json)"},
		{.name = "seconds",
		 .letter = 's',
		 .kind = CLI_NUMBER,
		 .into = &seconds,
		 .value = "N",
		 .help = "record for N seconds (default 5); Ctrl-C ends it early",
		 .min = 1,
		 .max = 3600},
		{.name = "exact",
		 .kind = CLI_FLAG,
		 .into = &exact,
		 .help = "read the clock for every event: exact times, at several times the cost"},
		{0},
	};
	const struct cli_usage usage = {
		.name = "trace",
		.synopsis = "[options] PID",
		.about = about,
		.options = options,
		.notes = notes,
		.min_operands = 1,
		.max_operands = 1,
	};
	struct session session;
	cli_parse(&usage, argc, argv);
	open_session(&session, argv[1]);
	struct trace_log log = {
		.processors = session.ring_count - 1,
		.text = read_text,
		.function = read_function,
		.arg = &session,
	};
	record(&session, &log, seconds, exact ? TRACE_ALL : 0);
	write_log(&log, path);
	cli_line(stderr, "%zu events in %s%s", log.count, path,
		 log.lost ? ", the oldest were lost" : "");
	free(log.items);
	target_close(&session.target);
	return CLI_CLEAN;
}
