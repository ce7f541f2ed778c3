/* SPDX-License-Identifier: MIT */
/* random_test.c: see random_test.h. */
#include "random_test.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attr.h"

enum { DROPPABLE = 0x08 }; /* MAP_DROPPABLE, in the four bits of the mapping's type */

struct weft_random_info info_now(void)
{
	struct weft_random_info info = {.size = sizeof(info)};
	if (weft_random_info(&info) != 0)
		abort();
	return info;
}

bool has_vdso(void)
{
	return info_now().vdso;
}

void needs_vdso(void)
{
	if (!has_vdso())
		skip("no getrandom in the vDSO: %s", info_now().why_not);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

bool all_distinct(uint64_t *words, size_t count)
{
	qsort(words, count, sizeof(*words), by_value);
	for (size_t i = 1; i < count; i++)
		if (words[i] == words[i - 1])
			return false;
	return count == 0 || words[0] != 0;
}

void on_thread(void *(*fn)(void *arg), void *arg)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, fn, arg) != 0 || pthread_join(thread, NULL) != 0)
		abort(); /* any thread or child of fork may be here */
}

static void filter(long nr, bool droppable, uint32_t action)
{
	struct sock_filter other_call[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 4),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3])),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, droppable ? 0x0f : 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, droppable ? DROPPABLE : 0, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = array_len(other_call), .filter = other_call};
	expect_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	expect_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
}

void refuse(long nr, int error, bool droppable)
{
	filter(nr, droppable, SECCOMP_RET_ERRNO | (uint32_t)error);
}

void trap(long nr, bool droppable)
{
	filter(nr, droppable, SECCOMP_RET_TRAP);
}

int end_of(pid_t child)
{
	int status;
	pid_t got;
	do
		got = waitpid(child, &status, 0);
	while (got < 0 && errno == EINTR);
	expect_eq(got, child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

unsigned scaled(unsigned count)
{
	return UNDER_SANITIZER ? count / 10 : count;
}
