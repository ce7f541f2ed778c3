/* SPDX-License-Identifier: MIT */
/* tasks.c: the smallest program that uses an installed libweft: two tasks and a channel. */
#include <stdio.h>
#include <weft/weft.h>

static void answer(void *chan)
{
	int n = 42;
	weft_chan_send(chan, &n, WEFT_FOREVER);
	weft_chan_unref(chan);
}

static int main_task(void *arg)
{
	struct weft_chan *chan = weft_chan_new(sizeof(int), 0);
	int n = 0;
	(void)arg;
	if (weft_go(answer, weft_chan_ref(chan)))
		return 1;
	weft_chan_recv(chan, &n, WEFT_FOREVER);
	weft_chan_unref(chan);
	printf("%d from weft %s\n", n, weft_version());
	return n != 42;
}

int main(void)
{
	return weft_run(NULL, main_task, NULL);
}
