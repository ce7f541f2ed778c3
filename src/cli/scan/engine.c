/* SPDX-License-Identifier: MIT */
/*
 * engine.c: workers, their list of work, their watch, and what they report.
 *
 * An item is counted in `pending` while it lies in the list; a worker that runs one is counted in
 * `busy`. The scan is over when both are zero. A worker that the watch abandons leaves `busy` at
 * that moment; what it reports later is dropped, what it pushes later is done by others or not at
 * all, and the program ends without waiting for it.
 */
#include "cli/scan/engine.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/sys.h"
#include "base/time.h"

#define WATCH_INTERVAL MS(100) /* between two looks at the workers */
#define JOBS_MAX 64u	       /* workers at most */

struct scan *weft__scan_new(const struct scan_options *options)
{
	struct scan *scan = cli_alloc(sizeof(*scan));
	pthread_condattr_t clock;
	scan->options = *options;
	weft__scan_host_read(&scan->host);
	/* Cold files wait for the disk: more workers than CPUs keep both busy. */
	if (!scan->options.jobs)
		scan->options.jobs = max_of(2 * scan->host.cpus, 4u);
	scan->options.jobs = min_of(scan->options.jobs, JOBS_MAX);
	pthread_mutex_init(&scan->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&scan->changed, NULL);
	pthread_cond_init(&scan->idle, &clock);
	pthread_condattr_destroy(&clock);
	scan->seen = weft__seen_new();
	return scan;
}

struct scan_work *weft__scan_item(void (*run)(struct scan_worker *, struct scan_work *))
{
	struct scan_work *item = cli_alloc(sizeof(*item));
	item->run = run;
	item->fd = -1;
	return item;
}

void weft__scan_push(struct scan *scan, struct scan_work *item)
{
	pthread_mutex_lock(&scan->lock);
	item->next = scan->work;
	scan->work = item;
	scan->pending++;
	pthread_cond_signal(&scan->changed);
	pthread_mutex_unlock(&scan->lock);
}

void weft__scan_begin(struct scan_worker *w, const char *path)
{
	char *old, *new = cli_strdup(path);
	pthread_mutex_lock(&w->scan->lock);
	old = w->doing;
	w->doing = new;
	pthread_mutex_unlock(&w->scan->lock);
	free(old);
	weft__scan_tick(w);
}

void weft__scan_tick(struct scan_worker *w)
{
	store_relaxed(&w->since, weft__clock());
}

void weft__scan_count(struct scan *scan, uint64_t files, uint64_t elf)
{
	pthread_mutex_lock(&scan->lock);
	scan->counts.files += files;
	scan->counts.elf += elf;
	pthread_mutex_unlock(&scan->lock);
}

/* The caller holds the lock. */
static void error_add(struct scan *scan, const char *path, const char *text)
{
	if (scan->over)
		return;
	scan->counts.errors++;
	if (scan->error_count == SCAN_ERRORS)
		return;
	scan->errors = cli_realloc(scan->errors, (scan->error_count + 1) * sizeof(*scan->errors));
	scan->errors[scan->error_count].path = cli_strdup(path);
	scan->errors[scan->error_count].message = cli_strdup(text);
	scan->error_count++;
}

void weft__scan_error(struct scan *scan, const char *path, const char *format, ...)
{
	char text[256];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	pthread_mutex_lock(&scan->lock);
	error_add(scan, path, text);
	pthread_mutex_unlock(&scan->lock);
}

static void result_free(struct scan_result *r)
{
	weft__go_judgement_free(&r->judgement);
	weft__names_free(r->own_names);
	weft__processes_free(r->processes);
	free(r->image);
	free(r->layer);
	free(r);
}

void weft__results_free(struct scan_result *results)
{
	for (struct scan_result *next; results; results = next) {
		next = results->next;
		result_free(results);
	}
}

void weft__scan_report(struct scan_worker *w, struct scan_result *result)
{
	struct scan *scan = w->scan;
	pthread_mutex_lock(&scan->lock);
	bool taken = !w->abandoned && !scan->over;
	if (taken) {
		size_t size = (scan->result_count + 1) * sizeof(*scan->results);
		scan->results = cli_realloc(scan->results, size);
		scan->results[scan->result_count++] = result;
	}
	pthread_mutex_unlock(&scan->lock);
	if (!taken)
		result_free(result);
}

/*
 * The next item, or NULL when the scan is over or the worker was abandoned. Counts the worker as
 * busy.
 */
static struct scan_work *take(struct scan_worker *w, bool was_busy)
{
	struct scan *scan = w->scan;
	struct scan_work *item = NULL;
	pthread_mutex_lock(&scan->lock);
	if (was_busy && !w->abandoned && !--scan->busy && !scan->pending) {
		pthread_cond_broadcast(&scan->changed);
		pthread_cond_signal(&scan->idle);
	}
	while (!w->abandoned && !scan->pending && scan->busy)
		pthread_cond_wait(&scan->changed, &scan->lock);
	if (!w->abandoned && scan->pending) {
		item = scan->work;
		scan->work = item->next;
		scan->pending--;
		scan->busy++;
	}
	pthread_mutex_unlock(&scan->lock);
	return item;
}

static void *worker_main(void *arg)
{
	struct scan_worker *w = arg;
	bool was_busy = false;
	for (struct scan_work *item; (item = take(w, was_busy)); was_busy = true) {
		item->run(w, item);
		store_relaxed(&w->since, 0);
	}
	return NULL;
}

static void worker_start(struct scan *scan)
{
	struct scan_worker *w = cli_alloc(sizeof(*w));
	w->scan = scan;
	w->since = 0;
	if (weft__view_init(&w->view))
		cli_die("out of memory");
	pthread_mutex_lock(&scan->lock);
	int err = pthread_create(&w->thread, NULL, worker_main, w);
	if (!err) {
		w->next = scan->workers;
		scan->workers = w;
	}
	pthread_mutex_unlock(&scan->lock);
	if (!err)
		return;
	weft__view_close(&w->view);
	free(w);
	if (!scan->workers)
		cli_die("cannot start a thread: %s", strerror(err));
}

/* A large file on a slow disk takes its time; but none takes ten times the limit. */
static bool is_late(struct scan_worker *w, int64_t limit, int64_t now)
{
	int64_t since = load_relaxed(&w->since);
	uint64_t fills = load_relaxed(&w->view.fills);
	if (fills != w->fills_seen) {
		w->fills_seen = fills;
		w->answered = now;
	}
	return since && (now - max_of(since, w->answered) >= limit || now - since >= 10 * limit);
}

/* Leaves hanging workers behind; returns how many. The caller holds the lock. */
static unsigned abandon_late(struct scan *scan)
{
	int64_t limit = SECONDS(scan->options.time_limit), now = weft__clock();
	unsigned late = 0;
	for (struct scan_worker *w = scan->workers; w && limit; w = w->next) {
		if (w->abandoned || !is_late(w, limit, now))
			continue;
		char text[96];
		snprintf(text, sizeof(text),
			 "no answer for %u s; what is left of it was not looked at",
			 scan->options.time_limit);
		error_add(scan, w->doing ? w->doing : "?", text);
		w->abandoned = true;
		scan->abandoned = true;
		scan->busy--;
		late++;
	}
	return late;
}

static void show_progress(struct scan *scan)
{
	if (!scan->options.progress)
		return;
	cli_progress("%llu files, %llu ELF, %zu results", (unsigned long long)scan->counts.files,
		     (unsigned long long)scan->counts.elf, scan->result_count);
}

static void watch(struct scan *scan)
{
	unsigned late = 0;
	pthread_mutex_lock(&scan->lock);
	while (scan->pending || scan->busy) {
		int64_t at = weft__clock() + WATCH_INTERVAL;
		struct timespec until = timespec_of(at);
		pthread_cond_timedwait(&scan->idle, &scan->lock, &until);
		late = abandon_late(scan);
		show_progress(scan);
		if (!late)
			continue;
		pthread_mutex_unlock(&scan->lock);
		for (; late; late--)
			worker_start(scan);
		pthread_mutex_lock(&scan->lock);
	}
	scan->over = true;
	pthread_cond_broadcast(&scan->changed);
	pthread_mutex_unlock(&scan->lock);
}

static void workers_end(struct scan *scan)
{
	for (struct scan_worker *w = scan->workers, *next; w; w = next) {
		next = w->next;
		if (w->abandoned) /* hangs in the kernel, and owns its memory as long as it does */
			continue;
		pthread_join(w->thread, NULL);
		weft__view_close(&w->view);
		free(w->doing);
		free(w);
	}
	scan->workers = NULL;
}

static int compare_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int compare_results(const void *left, const void *right)
{
	const struct scan_result *a = *(struct scan_result *const *)left,
				 *b = *(struct scan_result *const *)right;
	int order = compare_text(a->image, b->image);
	if (!order)
		order = compare_text(a->path, b->path);
	if (!order)
		order = compare_text(a->layer, b->layer);
	return order ? order : compare_text(a->judgement.rule->id, b->judgement.rule->id);
}

static int compare_errors(const void *left, const void *right)
{
	const struct scan_error *a = left, *b = right;
	int order = compare_text(a->path, b->path);
	return order ? order : compare_text(a->message, b->message);
}

/* Results get the names and processes that were met until the end. */
static void finish(struct scan *scan)
{
	for (size_t i = 0; i < scan->result_count; i++) {
		struct scan_result *r = scan->results[i];
		r->names = r->file ? r->file->names : r->own_names;
		r->path = r->names ? r->names->path : "?";
		r->named = !r->file || r->file->named;
	}
	weft__scan_processes_finish(scan);
	if (scan->result_count)
		qsort(scan->results, scan->result_count, sizeof(*scan->results), compare_results);
	if (scan->error_count)
		qsort(scan->errors, scan->error_count, sizeof(*scan->errors), compare_errors);
	scan->counts.go = scan->result_count;
}

void weft__scan_run(struct scan *scan)
{
	for (unsigned i = 0; i < scan->options.jobs; i++)
		worker_start(scan);
	watch(scan);
	workers_end(scan);
	if (scan->options.progress)
		cli_progress_end();
	finish(scan);
}

void weft__scan_free(struct scan *scan)
{
	for (size_t i = 0; i < scan->result_count; i++)
		result_free(scan->results[i]);
	for (size_t i = 0; i < scan->error_count; i++) {
		free(scan->errors[i].path);
		free(scan->errors[i].message);
	}
	free(scan->results);
	free(scan->errors);
	if (scan->abandoned)
		return; /* the rest still belongs to the workers left behind */
	weft__seen_free(scan->seen);
	pthread_cond_destroy(&scan->changed);
	pthread_cond_destroy(&scan->idle);
	pthread_mutex_destroy(&scan->lock);
	free(scan);
}

/*
 * What counts of a result: the file's own verdict, or its worst process when only processes led to
 * it.
 */
static enum go_verdict verdict_of(const struct scan_result *r)
{
	enum go_verdict worst = GO_NOT_AFFECTED;
	if (r->named || !r->processes)
		return r->judgement.verdict;
	for (const struct scan_process *p = r->processes; p; p = p->next)
		worst = max_of(worst, p->verdict);
	return worst;
}

enum go_verdict weft__scan_worst(const struct scan *scan)
{
	enum go_verdict worst = GO_NOT_AFFECTED;
	for (size_t i = 0; i < scan->result_count; i++)
		worst = max_of(worst, verdict_of(scan->results[i]));
	return worst;
}

int weft__scan_status(const struct scan *scan, bool strict)
{
	if (weft__scan_worst(scan) >= (strict ? GO_UNKNOWN : GO_AFFECTED))
		return CLI_FINDINGS;
	return scan->counts.errors || scan->counts.denied ? CLI_FAILURE : CLI_CLEAN;
}
