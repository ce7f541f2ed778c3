/* SPDX-License-Identifier: MIT */
/*
 * engine.c: the schedule explorer's runs; what they promise is in explore.h.
 *
 * A run is a list of choices. choose(n) returns the next of the list while it lasts and 0 beyond
 * its end, and notes n. After a run, the last choice that has an alternative left is raised and all
 * behind it are dropped: that list starts the next run. When none has, everything was seen.
 *
 * There are two kinds of choices. Which fibre runs: before each operation the fibre goes on (0) or
 * another one does, as long as preemptions are left; to leave a fibre that ended or waits costs
 * none. What is in memory: a buffered store matters to others only when they touch its address. So
 * nothing is decided until then: before any access to memory, settle() asks, for each other fibre,
 * how many of its buffered stores to that address shall have arrived (with all older ones, buffers
 * are first in, first out). That is every behaviour of TSO without a choice where none shows.
 *
 * Waiting loops call cpu_relax(): such a fibre goes on only after others have changed memory. When
 * no other can go on, all buffers are emptied; when they were empty, the fibre gets a few rounds
 * more (what it waits for may have come while it waited for something else, inside the loop). Then
 * the program hangs, and that is a failure.
 *
 * Rejected: threads of the kernel held back by locks (a hundred times slower), flushing buffers at
 * random points (choices that have no effect multiply the schedules).
 */
#include "explore.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "base/atomic_explore.h"
#include "base/attr.h"
#include "base/fatal.h"
#include "engine.h"

enum {
	BUFFER = 16,
	CHOICES = 4096,
	STACK = 256 * 1024,
	OPERATIONS = 100 * 1000, /* of one run */
	FUTILE_MAX = 4,
	/* The fibre that runs what is not explored: setup and finish. */
	DIRECTOR = EXPLORE_THREADS_MAX,
};

struct store {
	void *p;
	size_t size;
	uint64_t value;
};

struct fibre {
	ucontext_t context;
	struct store buffer[BUFFER];
	unsigned stores;
	bool ended, relaxing, flushing;
	unsigned long writes; /* of its own */
	unsigned futile;      /* rounds in a loop while no other could go on */
	unsigned long looked; /* others' writes when it last began to look around in a loop */
	void (*handler)(void);
};

static struct {
	const struct explore_scenario *scenario;
	struct fibre fibres[EXPLORE_THREADS_MAX + 1];
	ucontext_t home;
	unsigned current, first;
	unsigned preemptions;
	unsigned long writes; /* to memory, in this run */
	uint8_t chosen[CHOICES], among[CHOICES];
	unsigned operations;
	unsigned given, made; /* choices prescribed, choices used */
	bool tell;
	char wrong[256]; /* empty: the run is right so far */
} x;

static char stacks[EXPLORE_THREADS_MAX + 1][STACK] __attribute__((aligned(16)));

void (*weft__fatal_hook)(void);

/* ---- choices ---- */

static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";

static unsigned choose(unsigned n)
{
	if (n <= 1)
		return 0;
	if (x.made == CHOICES)
		explore_fail("a run without end");
	if (x.made >= x.given)
		x.chosen[x.made] = 0;
	if (x.chosen[x.made] >= n)
		explore_fail("these choices belong to another program");
	x.among[x.made] = (uint8_t)n;
	return x.chosen[x.made++];
}

/* Prepares the next list of choices; false: there is none. */
bool engine_next(void)
{
	while (x.made > 0 && x.chosen[x.made - 1] + 1 == x.among[x.made - 1])
		x.made--;
	if (x.made == 0)
		return false;
	x.chosen[x.made - 1]++;
	x.given = x.made;
	return true;
}

static printf_like(1, 2) void tell(const char *format, ...)
{
	va_list args;
	if (!x.tell)
		return;
	if (x.current == DIRECTOR)
		printf("  before or after: ");
	else
		printf("  thread %u: ", x.current);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

_Noreturn void explore_fail(const char *words)
{
	snprintf(x.wrong, sizeof(x.wrong), "%s", words);
	setcontext(&x.home);
	abort();
}

/* What the code under test says about itself counts as a failure. */
_Noreturn void weft__fatal(const char *format, ...)
{
	char words[sizeof(x.wrong)];
	va_list args;
	va_start(args, format);
	vsnprintf(words, sizeof(words), format, args);
	va_end(args);
	explore_fail(words);
}

/* ---- memory ---- */

static struct fibre *self(void)
{
	return &x.fibres[x.current];
}

static uint64_t read_memory(const void *p, size_t size)
{
	uint64_t value = 0;
	memcpy(&value, p, size);
	return value;
}

static void write_memory(struct fibre *by, void *p, size_t size, uint64_t value)
{
	memcpy(p, &value, size);
	x.writes++;
	by->writes++;
}

static unsigned long others_writes(const struct fibre *f)
{
	return x.writes - f->writes;
}

static bool same_place(const struct store *s, const void *p)
{
	return s->p == p; /* the code under test accesses a word in one size only */
}

static void settle(const void *p);

/* The oldest buffered store of f reaches memory; true: it went to p. */
static bool flush_oldest(struct fibre *f, const void *p)
{
	struct store s = f->buffer[0];
	bool to_p = same_place(&s, p);
	f->flushing = true;
	settle(s.p);
	f->flushing = false;
	memmove(&f->buffer[0], &f->buffer[1], --f->stores * sizeof(s));
	write_memory(f, s.p, s.size, s.value);
	if (x.tell)
		printf("      the store of %#lx to %p by thread %td is in memory\n",
		       (unsigned long)s.value, s.p, f - x.fibres);
	return to_p;
}

static void flush_all(struct fibre *f)
{
	while (f->stores)
		flush_oldest(f, NULL);
}

/*
 * Before memory at p is read or written: which of the fibres' buffered stores to it have arrived?
 * The reader has none of its own left, and a fibre whose store is on its way keeps the later ones.
 */
static void settle(const void *p)
{
	for (unsigned i = 0; i < x.scenario->threads; i++) {
		struct fibre *f = &x.fibres[i];
		unsigned waiting = 0;
		if (f->flushing)
			continue;
		for (unsigned k = 0; k < f->stores; k++)
			waiting += same_place(&f->buffer[k], p);
		for (unsigned arrive = choose(waiting + 1); arrive;)
			arrive -= flush_oldest(f, p);
	}
}

/* The current fibre's own view: its newest buffered store, else memory. */
static uint64_t view(const void *p, size_t size)
{
	struct fibre *f = self();
	for (unsigned k = f->stores; k-- > 0;)
		if (same_place(&f->buffer[k], p))
			return f->buffer[k].value & (size == 8 ? ~0ull : (1ull << size * 8) - 1);
	settle(p);
	return read_memory(p, size);
}

/* ---- which fibre runs ---- */

static bool can_run(const struct fibre *f)
{
	return !f->ended && (!f->relaxing || f->looked != others_writes(f));
}

static void switch_to(unsigned next)
{
	struct fibre *from = self();
	x.current = next;
	x.fibres[next].relaxing = false;
	swapcontext(&from->context, &x.fibres[next].context);
}

/* The fibres but the current one that can run. Returns how many. */
static unsigned others(unsigned *list)
{
	unsigned n = 0;
	for (unsigned i = 0; i < x.scenario->threads; i++)
		if (i != x.current && can_run(&x.fibres[i]))
			list[n++] = i;
	return n;
}

/* Every operation begins here. */
static void point(void)
{
	struct fibre *f = self();
	unsigned list[EXPLORE_THREADS_MAX];
	if (x.current == DIRECTOR)
		return;
	if (++x.operations > OPERATIONS)
		explore_fail("a run without end");
	if (f->handler && choose(2)) {
		void (*handler)(void) = f->handler;
		f->handler = NULL;
		tell("a signal");
		handler();
	}
	if (x.preemptions == 0)
		return;
	unsigned next = choose(1 + others(list));
	if (next) {
		x.preemptions--;
		switch_to(list[next - 1]);
	}
}

/* All buffers reach memory; false: they were empty. */
static bool flush_everything(void)
{
	bool any = false;
	for (unsigned i = 0; i < x.scenario->threads; i++) {
		any |= x.fibres[i].stores > 0;
		flush_all(&x.fibres[i]);
	}
	return any;
}

/* Nobody can go on: one that waits in a loop gets another round. */
static unsigned another_round(void)
{
	for (unsigned i = 0; i < x.scenario->threads; i++)
		if (!x.fibres[i].ended && x.fibres[i].futile++ < FUTILE_MAX)
			return i;
	explore_fail("nobody can go on");
}

/* The current fibre cannot go on for now; returns when it can. */
static void stand_aside(void)
{
	unsigned list[EXPLORE_THREADS_MAX];
	struct fibre *f = self();
	unsigned n = others(list);
	if (n == 0 && flush_everything())
		n = others(list);
	unsigned next = x.current;
	if (n > 0)
		next = list[choose(n)];
	else if (!can_run(f))
		next = another_round();
	if (next != x.current)
		switch_to(next);
	f->relaxing = false;
}

static bool all_ended(void)
{
	for (unsigned i = 0; i < x.scenario->threads; i++)
		if (!x.fibres[i].ended)
			return false;
	return true;
}

static void run_thread(unsigned number)
{
	x.scenario->thread(number);
	x.fibres[number].ended = true;
	tell("ends");
	if (!all_ended())
		stand_aside();
	flush_everything();
	setcontext(&x.home);
}

static void run_setup(void)
{
	if (x.scenario->setup)
		x.scenario->setup();
	x.first = choose(x.scenario->threads);
	setcontext(&x.home);
}

static void run_finish(void)
{
	x.scenario->finish();
	setcontext(&x.home);
}

/* ---- the operations ---- */

static unsigned faults(void)
{
	return x.scenario->faults;
}

uint64_t explore_load(const void *p, size_t size)
{
	point();
	uint64_t value = x.current != DIRECTOR ? view(p, size) : read_memory(p, size);
	tell("load %p: %#lx", p, (unsigned long)value);
	return value;
}

void explore_store(void *p, size_t size, uint64_t value)
{
	point();
	tell("store %#lx to %p", (unsigned long)value, p);
	if (x.current == DIRECTOR || faults() & EXPLORE_NO_BUFFERS) {
		write_memory(self(), p, size, value);
		return;
	}
	struct fibre *f = self();
	if (f->stores == BUFFER)
		flush_oldest(f, NULL);
	f->buffer[f->stores++] = (struct store){p, size, value};
}

void explore_fence(void)
{
	if (x.current == DIRECTOR || faults() & EXPLORE_NO_FENCE)
		return;
	tell("fence");
	flush_all(self());
}

int explore_membarrier(void)
{
	point();
	tell("membarrier");
	if (!(faults() & EXPLORE_NO_BARRIER))
		flush_everything();
	return 0;
}

/* The first half of a locked instruction: what is in memory now, with nothing of the own stores
 * left outside. */
static uint64_t begin_change(const void *p, size_t size)
{
	point();
	if (x.current == DIRECTOR)
		return read_memory(p, size);
	flush_all(self());
	settle(p);
	uint64_t old = read_memory(p, size);
	if (faults() & EXPLORE_SPLIT) {
		point();
		settle(p);
	}
	return old;
}

uint64_t explore_change(void *p, size_t size, enum explore_change change, uint64_t operand)
{
	uint64_t old = begin_change(p, size);
	uint64_t new = change == EXPLORE_SWAP  ? operand
		       : change == EXPLORE_ADD ? old + operand
		       : change == EXPLORE_SUB ? old - operand
		       : change == EXPLORE_OR  ? old | operand
					       : old &operand;
	write_memory(self(), p, size, new);
	tell("change %p from %#lx to %#lx", p, (unsigned long)old, (unsigned long)new);
	return old;
}

bool explore_cas(void *p, size_t size, void *expected, uint64_t value)
{
	uint64_t old = begin_change(p, size);
	bool equal = memcmp(&old, expected, size) == 0;
	if (equal)
		write_memory(self(), p, size, value);
	else
		memcpy(expected, &old, size);
	tell("cas %p from %#lx to %#lx: %s", p, (unsigned long)old, (unsigned long)value,
	     equal ? "yes" : "no");
	return equal;
}

/*
 * Others' writes since the last round may be what the loop waits for: then another round comes
 * first.
 */
void explore_relax(void)
{
	struct fibre *f = self();
	if (x.current == DIRECTOR)
		return;
	f->relaxing = f->looked == others_writes(f);
	if (f->relaxing)
		stand_aside();
	f->looked = others_writes(f);
}

void explore_interrupt(void (*handler)(void))
{
	self()->handler = handler;
}

bool explore_maybe(void)
{
	return choose(2);
}

unsigned explore_self(void)
{
	return x.current;
}

/* ---- runs ---- */

static void prepare_fibre(unsigned i, void (*entry)(void))
{
	struct fibre *f = &x.fibres[i];
	f->stores = 0;
	f->writes = f->futile = 0;
	f->looked = x.writes;
	f->ended = f->relaxing = f->flushing = false;
	f->handler = NULL;
	getcontext(&f->context);
	f->context.uc_stack.ss_sp = stacks[i];
	f->context.uc_stack.ss_size = STACK;
	f->context.uc_link = NULL;
	makecontext(&f->context, entry, 1, i);
}

/* Runs a fibre, and all that it switches to, until setcontext(&x.home). */
static void enter_fibre(unsigned i)
{
	volatile bool back = false; /* home is returned to here */
	getcontext(&x.home);
	if (back)
		return;
	back = true;
	x.current = i;
	setcontext(&x.fibres[i].context);
}

void engine_run(void)
{
	x.made = 0;
	x.operations = 0;
	x.writes = 0;
	x.wrong[0] = 0;
	x.preemptions = x.scenario->preemptions;
	prepare_fibre(DIRECTOR, run_setup);
	enter_fibre(DIRECTOR);
	if (x.wrong[0])
		return;
	for (unsigned i = 0; i < x.scenario->threads; i++)
		prepare_fibre(i, (void (*)(void))run_thread);
	enter_fibre(x.first);
	if (x.scenario->finish && !x.wrong[0]) {
		prepare_fibre(DIRECTOR, run_finish);
		enter_fibre(DIRECTOR);
	}
}

bool engine_begin(const struct explore_scenario *s, const char *choices, bool tell_steps)
{
	x.scenario = s;
	x.tell = tell_steps;
	for (x.given = 0; choices[x.given]; x.given++) {
		const char *digit = strchr(digits, choices[x.given]);
		if (!digit || x.given == CHOICES)
			return false;
		x.chosen[x.given] = (uint8_t)(digit - digits);
	}
	return true;
}

const char *engine_wrong(void)
{
	return x.wrong[0] ? x.wrong : NULL;
}

void engine_print_choices(void)
{
	for (unsigned i = 0; i < x.made; i++)
		putchar(digits[x.chosen[i]]);
}
