/* SPDX-License-Identifier: MIT */
/*
 * sieve.c [COUNT]: the first COUNT primes (default 100), by a chain of tasks.
 *
 * A generator sends 2, 3, 4, ... into a channel. Each prime gets a task that lets pass what it does
 * not divide, into a channel of its own, from which the next prime comes. (Hoare's "Communicating
 * Sequential Processes", 1978, has it from D. Gries.) No task is told to end: when the last prime
 * is there, weft_stop cancels them all.
 */
#include <stdio.h>
#include <stdlib.h>

#include "weft/weft.h"

struct filter {
	struct weft_chan *in, *out;
	int prime;
};

static void generate(void *arg)
{
	struct weft_chan *out = arg;
	for (int n = 2; weft_chan_send(out, &n, WEFT_FOREVER) == 0; n++)
		continue;
	weft_chan_unref(out);
}

static void filter(void *arg)
{
	struct filter f = *(struct filter *)arg;
	int n, err = 0;
	free(arg);
	while (!err && weft_chan_recv(f.in, &n, WEFT_FOREVER) == 0) {
		if (n % f.prime)
			err = weft_chan_send(f.out, &n, WEFT_FOREVER);
	}
	weft_chan_unref(f.in);
	weft_chan_unref(f.out);
}

/* A new end of the chain, behind `in`, whose reference goes to the filter. */
static struct weft_chan *extend(struct weft_chan *in, int prime)
{
	struct weft_chan *out = weft_chan_new(sizeof(int), 0);
	struct filter *f = malloc(sizeof(*f));
	if (!out || !f)
		exit(EXIT_FAILURE);
	*f = (struct filter){in, weft_chan_ref(out), prime};
	if (weft_go(filter, f) < 0)
		exit(EXIT_FAILURE);
	return out;
}

static int sieve(void *arg)
{
	int count = *(int *)arg, prime;
	struct weft_chan *chain = weft_chan_new(sizeof(int), 0);
	if (!chain || weft_go(generate, weft_chan_ref(chain)) < 0)
		return EXIT_FAILURE;
	for (int i = 0; i < count; i++) {
		if (weft_chan_recv(chain, &prime, WEFT_FOREVER) < 0)
			break;
		printf("%d\n", prime);
		chain = extend(chain, prime);
	}
	weft_chan_unref(chain);
	weft_stop();
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 100;
	return weft_run(NULL, sieve, &count);
}
