/* SPDX-License-Identifier: MIT */
/*
 * mix.h: what the workers of stress_mix share, the acts that start no workers (mix_acts.c), and
 * those of groups and of selects over everything (mix_groups.c).
 */
#ifndef TESTS_STRESS_MIX_H
#define TESTS_STRESS_MIX_H

#include <sys/types.h>

#include "stress.h"

enum { CHANS = 2, ACTS = 30, CHILDREN = 4 };

#ifdef MIX_DETERMINISTIC
enum { deterministic = 1 };
#else
enum { deterministic = 0 };
#endif

/* What came in on one side and went out on the other: equal once the rest is taken out. */
struct balance {
	uint64_t in, out;
};

/* What the workers of a round share. */
struct place {
	struct round *round;
	unsigned weights[ACTS], weight;
	struct weft_mutex mutex;
	struct weft_rwmutex rwmutex;
	struct weft_cond filled;
	struct weft_sem sem;
	struct weft_waitgroup others; /* tasks that are not joined */
	struct weft_chan *chans[CHANS];
	int shared[2], silent[2];     /* pairs of sockets; reads of the latter block, for a while */
	uint64_t tokens, left, right; /* not atomic: the locks are what protects them */
	struct balance items, bytes, taken;
	uint32_t units, used, locked, to_come, came;
};

struct worker {
	struct place *place;
	struct draw draw;
	unsigned depth;	  /* acts within acts, and workers born by them */
	bool foreign;	  /* a thread that is not the runtime's */
	bool ends_locked; /* and takes its thread along */
};

void put_in(struct balance *b, uint64_t n);
void take_out(struct balance *b, uint64_t n);
/* Counts what a transfer moved, or how it failed: returns the number of bytes. */
size_t moved(ssize_t n);
/* For ever, or not. */
int64_t some_deadline(struct draw *d);

/* Draws one act, and does it. */
void act(struct worker *w);
/* The task of a worker, and a new worker. */
int work(void *worker);
struct worker worker(struct place *p, struct draw *d, unsigned depth);
/* A task of the caller's that has to be joined. False: weft_stop came first. */
bool bear(struct weft_task **task, int (*fn)(void *arg), void *arg);

void yield(struct worker *w);
void sleep_shortly(struct worker *w);
void sleep_to_the_beat(struct worker *w);
void compute(struct worker *w);
void block(struct worker *w);
void block_with_a_hint(struct worker *w);
void block_in_a_read(struct worker *w);
void send_item(struct worker *w);
void receive_item(struct worker *w);
void select_item(struct worker *w);
void write_shared(struct worker *w);
void read_shared(struct worker *w);
void hold_mutex(struct worker *w);
void wait_for_token(struct worker *w);
void read_both(struct worker *w);
void write_both(struct worker *w);
void hold_unit(struct worker *w);
void signal_arrives(struct worker *w);

void act_limited(struct worker *w);
void group(struct worker *w);
void select_anything(struct worker *w);

#endif
