/* SPDX-License-Identifier: MIT */
/*
 * deadline.c [MILLISECONDS]: one request with a limit (default 100), answered with what came.
 *
 * A page has parts, which other services make, and parts may have parts:
 *
 *	page     header, articles, footer
 *	articles news, sport, weather      (the weather service hangs)
 *
 * Each part with parts is a group. The limit is set once, where the request starts; no function
 * passes it on, for members inherit it. When it passes, the waits of all groups cancel what is
 * below them and return once that has ended: so what came is read without a lock, no task is left
 * behind, and a page that lacks a part is sent in time.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "weft/weft.h"

#define MILLISECONDS(n) ((n)*INT64_C(1000000))

struct part {
	const char *name;
	int takes; /* milliseconds until the service answers */
	bool came;
	struct part *parts;
	int count;
};

static void fetch_parts(struct part *whole);

/* Returns 0 in any case: a failure would cancel the other parts. */
static int fetch(void *arg)
{
	struct part *part = arg;
	if (part->count)
		fetch_parts(part);
	else
		part->came = weft_sleep(MILLISECONDS(part->takes)) == 0;
	return 0;
}

static void fetch_parts(struct part *whole)
{
	struct weft_group_options options = {.size = sizeof(options), .name = whole->name};
	struct weft_group *group;
	int err = weft_group_new_with(&group, &options);
	if (err)
		return;
	for (int i = 0; i < whole->count && !err; i++)
		err = weft_group_go(group, fetch, &whole->parts[i]);
	weft_group_wait(group, NULL, WEFT_FOREVER); /* the limit ends it, too */
}

static void print(const struct part *whole)
{
	for (int i = 0; i < whole->count; i++) {
		const struct part *part = &whole->parts[i];
		if (part->count)
			print(part);
		else
			printf("%s: %s\n", part->name, part->came ? "came" : "missing");
	}
}

static int request(void *limit)
{
	struct part articles[] = {{.name = "news", .takes = 2},
				  {.name = "sport", .takes = 3},
				  {.name = "weather", .takes = 3600 * 1000}};
	struct part parts[] = {{.name = "header", .takes = 1},
			       {.name = "articles", .parts = articles, .count = 3},
			       {.name = "footer", .takes = 1}};
	struct part page = {.name = "page", .parts = parts, .count = 3};
	int64_t former = weft_limit(weft_after(MILLISECONDS(atoi(limit))));
	fetch_parts(&page);
	weft_limit_end(former);
	print(&page);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	if (argc > 2) {
		fprintf(stderr, "usage: deadline [MILLISECONDS]\n");
		return 2;
	}
	return weft_run(NULL, request, argc == 2 ? argv[1] : "100");
}
