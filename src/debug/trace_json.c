/* SPDX-License-Identifier: MIT */
/*
 * trace_json.c: the Trace Event Format ("Trace Event Format", Google 2016), which Perfetto reads.
 *
 *   process 1 "processors"   a track for each processor: which task it runs, wake-ups as arrows,
 *                            hand-offs
 *   process 2 "threads"      a track for each thread: which task it runs, also without a processor;
 *                            birth and end
 *
 * A span is written when it ends, so a trace that begins or ends in the middle of one is complete,
 * too.
 */
#include "debug/trace_json.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "debug/trace_order.h"
#include "sched/trace.h"

enum { PROCESSORS = 1, THREADS = 2, NOTES = 1 << 16 };

struct span {
	uint64_t task; /* 0: none */
	double start;
};

/* What is remembered of a task: a newer task replaces an older one in the same slot. */
struct note {
	uint64_t task, function, arrow;
};

struct writer {
	struct trace_log *log;
	FILE *out;
	struct span *processors, *threads;
	uint32_t thread_count;
	struct note *notes;
	uint64_t arrows;
	bool comma;
};

/* Microseconds since the first moment. */
static double when(const struct trace_log *log, uint64_t ticks)
{
	double per_tick =
		(double)(log->times[1] - log->times[0]) / (double)(log->ticks[1] - log->ticks[0]);
	return (double)(int64_t)(ticks - log->ticks[0]) * per_tick / 1000;
}

static struct note *note_of(struct writer *w, uint64_t task)
{
	struct note *n = &w->notes[task % NOTES];
	if (n->task != task)
		*n = (struct note){.task = task};
	return n;
}

static void write_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		if ((unsigned char)*text >= ' ')
			fputc(*text, out);
	}
}

/* The beginning of an event that more members may follow. */
static void begin(struct writer *w, const char *phase, unsigned process, uint64_t track, double ts)
{
	fprintf(w->out, "%s\n{\"ph\":\"%s\",\"pid\":%u,\"tid\":%llu,\"ts\":%.3f",
		w->comma ? "," : "", phase, process, (unsigned long long)track, ts);
	w->comma = true;
}

static void name_task(struct writer *w, uint64_t task)
{
	uint64_t function = note_of(w, task)->function;
	const char *name = function ? w->log->function(w->log->arg, function) : NULL;
	fprintf(w->out, ",\"name\":\"task %llu", (unsigned long long)task);
	if (name)
		fputc(' ', w->out);
	write_text(w->out, name ? name : "");
	fputc('"', w->out);
}

static void instant(struct writer *w, unsigned process, uint64_t track, double ts, const char *name)
{
	begin(w, "i", process, track, ts);
	fprintf(w->out, ",\"s\":\"t\",\"name\":\"%s\"}", name);
}

static void name_track(struct writer *w, const char *what, unsigned process, uint64_t track,
		       const char *name, long long number)
{
	begin(w, "M", process, track, 0);
	fprintf(w->out, ",\"name\":\"%s\",\"args\":{\"name\":\"%s", what, name);
	if (number >= 0)
		fprintf(w->out, " %lld", number);
	fputs("\"}}", w->out);
}

/* ---- spans ---- */

static void end_span(struct writer *w, struct span *s, unsigned process, uint64_t track, double ts,
		     uint64_t why)
{
	const char *text = why ? w->log->text(w->log->arg, why) : NULL;
	if (!s->task)
		return;
	begin(w, "X", process, track, s->start);
	name_task(w, s->task);
	fprintf(w->out, ",\"dur\":%.3f", max_of(ts - s->start, 0.0));
	if (text) {
		fputs(",\"args\":{\"then\":\"", w->out);
		write_text(w->out, text);
		fputs("\"}", w->out);
	}
	fputc('}', w->out);
	s->task = 0;
}

static struct span *processor_of(struct writer *w, uint64_t number)
{
	return number < w->log->processors ? &w->processors[number] : NULL;
}

/* The task that ran on this event's processor and thread leaves. */
static void on_stop(struct writer *w, const struct trace_item *e, double ts)
{
	struct span *s = processor_of(w, e->processor);
	if (s)
		end_span(w, s, PROCESSORS, e->processor, ts, e->b);
	end_span(w, &w->threads[e->thread], THREADS, e->thread, ts, e->b);
}

static void on_run(struct writer *w, const struct trace_item *e, double ts)
{
	struct span *s = processor_of(w, e->processor);
	struct note *n = note_of(w, e->a);
	on_stop(w, e, ts);
	if (s)
		*s = (struct span){e->a, ts};
	w->threads[e->thread] = (struct span){e->a, ts};
	if (s && n->arrow) {
		begin(w, "f", PROCESSORS, e->processor, ts);
		fprintf(w->out, ",\"bp\":\"e\",\"cat\":\"wake\",\"name\":\"wake\",\"id\":%llu}",
			(unsigned long long)n->arrow);
	}
	n->arrow = 0;
}

static void on_wake(struct writer *w, const struct trace_item *e, double ts)
{
	struct span *s = processor_of(w, e->processor);
	if (!s || !s->task) /* there is nothing to draw the arrow from */
		return;
	note_of(w, e->a)->arrow = ++w->arrows;
	begin(w, "s", PROCESSORS, e->processor, ts);
	fprintf(w->out, ",\"cat\":\"wake\",\"name\":\"wake\",\"id\":%llu}",
		(unsigned long long)w->arrows);
}

static void on_lease(struct writer *w, const struct trace_item *e, double ts)
{
	struct span *s = processor_of(w, e->a);
	if (!s)
		return;
	end_span(w, s, PROCESSORS, e->a, ts, 0);
	instant(w, PROCESSORS, e->a, ts, e->b ? "lease taken: computing" : "lease taken: blocked");
}

static void on_handoff(struct writer *w, const struct trace_item *e, double ts)
{
	char name[64];
	snprintf(name, sizeof(name), e->b ? "handed to thread %llu" : "waits for a new thread",
		 (unsigned long long)e->b);
	if (processor_of(w, e->a))
		instant(w, PROCESSORS, e->a, ts, name);
}

static void on_exit_step(struct writer *w, const struct trace_item *e, double ts)
{
	static const char *const steps[] = {
		"",
		"signals blocked",
		"random state given back",
		"signal stack dropped",
		"off the list of threads",
		"processor handed off",
		"bare",
	};
	char name[64];
	snprintf(name, sizeof(name), "exit %u: %s", (unsigned)e->a,
		 e->a < array_len(steps) ? steps[e->a] : "?");
	instant(w, THREADS, e->thread, ts, name);
}

static void write_event(void *arg, const struct trace_item *e)
{
	struct writer *w = arg;
	double ts = when(w->log, e->ticks);
	if (e->thread >= w->thread_count) /* another process may have written anything */
		return;
	switch (e->kind) {
	case TRACE_run:
		on_run(w, e, ts);
		break;
	case TRACE_stop:
		on_stop(w, e, ts);
		break;
	case TRACE_birth:
		note_of(w, e->a)->function = e->b;
		break;
	case TRACE_wake:
		on_wake(w, e, ts);
		break;
	case TRACE_lease:
		on_lease(w, e, ts);
		break;
	case TRACE_handoff:
		on_handoff(w, e, ts);
		break;
	case TRACE_thread_birth:
		instant(w, THREADS, e->thread, ts, "birth");
		break;
	case TRACE_thread_exit:
		on_exit_step(w, e, ts);
		break;
	}
}

/* ---- the file ---- */

static void name_tracks(struct writer *w)
{
	name_track(w, "process_name", PROCESSORS, 0, "processors", -1);
	name_track(w, "process_name", THREADS, 0, "threads", -1);
	for (unsigned i = 0; i < w->log->processors; i++)
		name_track(w, "thread_name", PROCESSORS, i, "processor", i);
	for (uint32_t i = 1; i < w->thread_count; i++)
		name_track(w, "thread_name", THREADS, i, "thread", i);
}

static int write_all(struct writer *w)
{
	struct trace_log *log = w->log;
	double end = when(log, log->ticks[1]);
	fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", w->out);
	name_tracks(w);
	int err = weft__trace_each(log, write_event, w);
	for (unsigned i = 0; i < log->processors; i++)
		end_span(w, &w->processors[i], PROCESSORS, i, end, 0);
	for (uint32_t i = 0; i < w->thread_count; i++)
		end_span(w, &w->threads[i], THREADS, i, end, 0);
	fprintf(w->out, "\n],\"otherData\":{\"source\":\"weft\",\"events\":%zu,\"lost\":%llu}}\n",
		log->count, (unsigned long long)log->lost);
	return err;
}

int weft__trace_json(struct trace_log *log, FILE *out)
{
	struct writer w = {.log = log, .out = out};
	for (size_t i = 0; i < log->count; i++)
		w.thread_count =
			max_of(w.thread_count, min_of(log->items[i].thread, UINT32_C(1) << 20) + 1);
	w.processors = calloc(log->processors + 1, sizeof(*w.processors));
	w.threads = calloc(w.thread_count + 1, sizeof(*w.threads));
	w.notes = calloc(NOTES, sizeof(*w.notes));
	int err = -ENOMEM;
	if (w.processors && w.threads && w.notes) {
		err = write_all(&w);
		err = !err && ferror(out) ? -EIO : err;
	}
	free(w.processors);
	free(w.threads);
	free(w.notes);
	return err;
}
