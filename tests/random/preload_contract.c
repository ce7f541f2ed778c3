/* SPDX-License-Identifier: MIT */
/*
 * preload_contract.c: a program that knows nothing of weft checks what libc's calls promise.
 *
 *   preload_contract           run bare: this checks the program
 *   preload_contract strict    with libweft-getrandom.so preloaded: what the system call answers
 *                              holds, too, where a libc that draws through the vDSO is laxer
 *   preload_contract draw      prints 1,000 words, each by a getrandom of its own
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* Declared here for libcs older than 2.36, which are given them by the preload alone. */
uint32_t arc4random(void);
void arc4random_buf(void *buf, size_t len);
uint32_t arc4random_uniform(uint32_t bound);

static char buf[8192];

#define PROMISE(x) \
	do { \
		if (!(x)) { \
			fprintf(stderr, "preload_contract: not so: %s\n", #x); \
			exit(EXIT_FAILURE); \
		} \
	} while (0)

static void check_getrandom(bool strict)
{
	errno = 4242;
	PROMISE(getrandom(buf, 100, 0) == 100 && errno == 4242);
	PROMISE(getrandom(buf, sizeof(buf), GRND_NONBLOCK) == sizeof(buf) && errno == 4242);
	PROMISE(getrandom(buf, 0, 0) == 0 && errno == 4242);
	PROMISE(getrandom(buf, 16, 0x1000) == -1 && errno == EINVAL);
	ssize_t both = getrandom(buf, 16, GRND_RANDOM | GRND_INSECURE);
	PROMISE((both == -1 && errno == EINVAL) || (both == 16 && !strict));
	PROMISE(getrandom((void *)-4096, 16, 0) == -1 && errno == EFAULT);
}

static void check_getentropy(void)
{
	static char zero[256];
	errno = 4242;
	memset(buf, 0, sizeof(buf));
	PROMISE(getentropy(buf, 256) == 0 && errno == 4242);
	PROMISE(memcmp(buf + 128, zero, 128) != 0 && buf[256] == 0);
	PROMISE(getentropy(buf, 0) == 0 && errno == 4242);
	PROMISE(getentropy(buf, 257) == -1 && errno == EIO);
	PROMISE(buf[256] == 0);
}

static void check_arc4random(void)
{
	uint32_t bits = 0;
	errno = 4242;
	for (int i = 0; i < 100; i++)
		bits |= arc4random();
	PROMISE(bits == UINT32_MAX);
	for (int i = 0; i < 1000; i++)
		PROMISE(arc4random_uniform(6) < 6);
	PROMISE(arc4random_uniform(0) == 0 && arc4random_uniform(1) == 0);
	memset(buf, 0, sizeof(buf));
	arc4random_buf(buf, 1000);
	PROMISE(memchr(buf, 0, 1000) == NULL || memcmp(buf, buf + 500, 500) != 0);
	PROMISE(buf[1000] == 0 && errno == 4242);
}

static void *draw_for_ever(void *unused)
{
	for (;;)
		getrandom(buf, 16, 0);
	return NULL;
}

static void check_cancellation(void)
{
	pthread_t thread;
	void *result;
	alarm(20);
	PROMISE(pthread_create(&thread, NULL, draw_for_ever, NULL) == 0);
	PROMISE(pthread_cancel(thread) == 0 && pthread_join(thread, &result) == 0);
	PROMISE(result == PTHREAD_CANCELED);
}

static void draw(void)
{
	uint64_t word;
	for (int i = 0; i < 1000; i++) {
		PROMISE(getrandom(&word, sizeof(word), 0) == sizeof(word));
		printf("%016llx\n", (unsigned long long)word);
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	if (strcmp(what, "draw") == 0) {
		draw();
		return EXIT_SUCCESS;
	}
	check_getrandom(strcmp(what, "strict") == 0);
	check_getentropy();
	check_arc4random();
	check_cancellation();
	return EXIT_SUCCESS;
}
