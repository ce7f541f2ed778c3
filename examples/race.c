/* SPDX-License-Identifier: MIT */
/*
 * race.c: a race that ordinary runs never show, found by trying schedules, and replayed.
 *
 *	race            runs the office once, as any program would: all is well
 *	race search     tries schedules until one sells a seat twice
 *	race replay N   runs schedule N again: the same every time (so does WEFT_SIM=N race)
 *
 * The mistake: a clerk looks whether a seat is left and takes it, and between the two writes to the
 * log. Writing to a channel with room does not wait, so it looks harmless, but it is a place where
 * others may run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <weft/weft.h>

enum { CLERKS = 3, SEATS = 2 };

struct office {
	int seats, sold;
	struct weft_chan *log;
};

static int clerk(void *arg)
{
	struct office *office = arg;
	if (office->seats == 0)
		return 0;
	int seat = office->seats;
	weft_chan_send(office->log, &seat,
		       WEFT_FOREVER); /* the check above is stale from here on */
	office->seats = seat - 1;
	office->sold++;
	return 0;
}

/* 0: no more seats were sold than there are. */
static int sell(void *arg)
{
	struct office office = {.seats = SEATS, .log = weft_chan_new(sizeof(int), CLERKS)};
	struct weft_task *clerks[CLERKS];
	for (int i = 0; i < CLERKS; i++)
		weft_spawn(&clerks[i], NULL, clerk, &office);
	for (int i = 0; i < CLERKS; i++)
		weft_join(clerks[i], NULL, WEFT_FOREVER);
	weft_chan_unref(office.log);
	return office.sold > SEATS;
}

static int search(void)
{
	uint64_t seed;
	if (!weft_sim_search(1, 10000, NULL, sell, NULL, &seed)) {
		puts("no schedule of 10,000 sells a seat twice");
		return 1;
	}
	printf("schedule %llu sells a seat twice; see it again: race replay %llu\n",
	       (unsigned long long)seed, (unsigned long long)seed);
	return 0;
}

static int replay(uint64_t seed)
{
	int oversold = weft_sim_run(seed, NULL, sell, NULL);
	printf("schedule %llu: %s\n", (unsigned long long)seed,
	       oversold ? "a seat was sold twice" : "all is well");
	return oversold;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "search") == 0)
		return search();
	if (argc == 3 && strcmp(argv[1], "replay") == 0)
		return replay(strtoull(argv[2], NULL, 10));
	int oversold = weft_run(NULL, sell, NULL);
	puts(oversold ? "a seat was sold twice" : "all is well");
	return oversold;
}
