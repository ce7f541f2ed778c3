/* SPDX-License-Identifier: MIT */
/* tasks.c: the smallest program that uses an installed libweft: one task waits for another. */
#include <stdio.h>
#include <weft/weft.h>

static int answer(void *arg)
{
	(void)arg;
	return 42;
}

static int main_task(void *arg)
{
	struct weft_task *task;
	int n = 0;
	(void)arg;
	if (weft_spawn(&task, NULL, answer, NULL) || weft_join(task, &n, WEFT_FOREVER))
		return 1;
	printf("%d from weft %s\n", n, weft_version());
	return n != 42;
}

int main(void)
{
	return weft_run(NULL, main_task, NULL);
}
