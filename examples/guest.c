/* SPDX-License-Identifier: MIT */
/*
 * guest.c FILE...: prints how many lines each file has. All files are read at once, by tasks; but
 * who starts them and waits for them is the thread of main, which is no task, as in a program that
 * has a loop of its own there: a window system, a game, an old server.
 *
 * The runtime runs on a thread beside it. Its first task says that there is a runtime, and keeps it
 * until it is told that no more work comes.
 *
 *     guest *.c
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "weft/weft.h"

enum { MOST = 1000, CHUNK = 64 * 1024 };

/* Made before there is a runtime, and good after it. */
static struct weft_chan *begun, *over;

/* ---- beside main ---- */

static int keep_running(void *arg)
{
	int err = weft_chan_send(begun, NULL, WEFT_FOREVER);
	return err ? err : weft_chan_recv(over, NULL, WEFT_FOREVER) != -EPIPE;
}

static void *runtime(void *arg)
{
	int failed = weft_run(NULL, keep_running, NULL);
	if (failed)
		fprintf(stderr, "guest: %s\n", weft_error_text(failed));
	weft_chan_close(begun); /* it never began, perhaps */
	return NULL;
}

static int lines_in(const char *bytes, ssize_t length)
{
	int lines = 0;
	for (ssize_t i = 0; i < length; i++)
		lines += bytes[i] == '\n';
	return lines;
}

/* A task. Returns how many lines, or -errno. */
static int count_lines(void *path)
{
	char buf[CHUNK];
	int lines = 0;
	ssize_t n;
	int fd = weft_open(path, O_RDONLY, 0, WEFT_FOREVER);
	if (fd < 0)
		return fd;
	while ((n = weft_read(fd, buf, sizeof(buf), WEFT_FOREVER)) > 0)
		lines += lines_in(buf, n);
	close(fd);
	return n < 0 ? (int)n : lines;
}

/* ---- main, which is no task ---- */

static int print(const char *path, int lines)
{
	if (lines < 0)
		fprintf(stderr, "guest: %s: %s\n", path, weft_error_text(lines));
	else
		printf("%8d %s\n", lines, path);
	return lines < 0;
}

static int count_all(char **paths, int count)
{
	struct weft_task *tasks[MOST];
	int started = 0, failed = 0, err = 0;
	for (; started < count && !err; started += !err)
		err = weft_spawn(&tasks[started], NULL, count_lines, paths[started]);
	for (int i = 0; i < started; i++) {
		int lines = 0;
		int lost = weft_join(tasks[i], &lines, WEFT_FOREVER);
		failed |= print(paths[i], lost ? lost : lines);
	}
	return err ? print(paths[started], err) : failed;
}

int main(int argc, char **argv)
{
	pthread_t beside;
	if (argc < 2 || argc > MOST) {
		fprintf(stderr, "usage: guest FILE...\n");
		return 2;
	}
	begun = weft_chan_new(0, 1);
	over = weft_chan_new(0, 0);
	if (!begun || !over || pthread_create(&beside, NULL, runtime, NULL))
		return 1;
	int failed = weft_chan_recv(begun, NULL, WEFT_FOREVER);
	if (!failed)
		failed = count_all(argv + 1, argc - 1);
	weft_chan_close(over);
	pthread_join(beside, NULL);
	weft_chan_unref(begun);
	weft_chan_unref(over);
	return failed != 0;
}
