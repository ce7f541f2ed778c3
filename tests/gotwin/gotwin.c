/* SPDX-License-Identifier: MIT */
/*
 * gotwin.c: a C program with the bug of Go 1.24.0, for the tests of patch, shield and triage.
 *
 * It looks the vDSO's getrandom up as Go's runtime does, by a key of two hashes and a name, and its
 * threads own, give back and lose random states as Go's do; the code of that is in
 * runtime_x86_64.S. Like there, 21 states at a time are harmless and 22 are deadly.
 *
 *   gotwin lookup   "vdso" or "syscall": what the look-up found
 *   gotwin clock    exit 0 when clock_gettime makes no system call (a filter kills it for one)
 *   gotwin fork     like lookup, in a child that executes this program again
 *   gotwin deny COMMAND   runs the command where ptrace is refused
 *   gotwin crash    ends 22 threads at once
 *   gotwin serve    ends 10 threads a round; a line a round; 40 after SIGUSR1
 */
#include <elf.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/attr.h"

#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08
#endif

enum { FIRST_BATCH = 21, CROWD = 64, STATE_PAGE = 4096 };

struct m {
	char before[0x518];
	void *state;
};

struct g {
	char before[0x30];
	struct m *m;
};

void twin_mstart0(struct m *m);
int twin_vgetrandom(struct g *g);
/* Called by these two. */
void *twin_get(void);
int twin_put(void *state);

static uint64_t cache_memory;
/* Of the thread's processor; NULL once it has handed that off. */
__thread uint64_t *twin_cache;
uint64_t twin_state_size;

/* The key, laid out as Go lays it out. */
struct key {
	const char *name;
	uint64_t length;
	uint32_t sym_hash, gnu_hash;
	void **variable;
};

static const char key_name[] = "__vdso_getrandom";
static void *found;
static const volatile struct key key = {key_name, sizeof(key_name) - 1, 0x25425d, 0x84a559bf,
					&found};

/* The vDSO's dynamic section, as far as the look-up needs it. */
struct vdso {
	const char *base;
	const Elf64_Sym *symbols;
	const char *strings;
	const uint32_t *hash; /* DT_GNU_HASH */
};

static void read_dynamic(struct vdso *v, const Elf64_Dyn *d)
{
	for (; d->d_tag != DT_NULL; d++) {
		const char *at = v->base + d->d_un.d_ptr;
		if (d->d_tag == DT_SYMTAB)
			v->symbols = (const Elf64_Sym *)at;
		else if (d->d_tag == DT_STRTAB)
			v->strings = at;
		else if (d->d_tag == DT_GNU_HASH)
			v->hash = (const uint32_t *)at;
	}
}

static void open_vdso(struct vdso *v)
{
	*v = (struct vdso){.base = (const char *)getauxval(AT_SYSINFO_EHDR)};
	if (!v->base)
		return;
	const Elf64_Ehdr *e = (const Elf64_Ehdr *)v->base;
	const Elf64_Phdr *p = (const Elf64_Phdr *)(v->base + e->e_phoff);
	for (int i = 0; i < e->e_phnum; i++) {
		if (p[i].p_type == PT_DYNAMIC)
			read_dynamic(v, (const Elf64_Dyn *)(v->base + p[i].p_offset));
	}
}

static int is_key(const struct vdso *v, uint32_t index)
{
	const char *name = v->strings + v->symbols[index].st_name;

	return strlen(name) == key.length && !memcmp(name, key.name, key.length);
}

/* By the hash first and the name then: an entry whose name was changed is looked up in vain. */
static void look_up(void)
{
	struct vdso v;

	open_vdso(&v);
	if (!v.hash || !v.symbols || !v.strings)
		return;
	const uint32_t *buckets = v.hash + 4 + v.hash[2] * 2;
	const uint32_t *chain = buckets + v.hash[0] - v.hash[1];
	uint32_t i = buckets[key.gnu_hash % v.hash[0]];
	for (; i >= v.hash[1]; i++) {
		if ((chain[i] | 1) == (key.gnu_hash | 1) && is_key(&v, i))
			*key.variable = (void *)(v.base + v.symbols[i].st_value);
		if (chain[i] & 1)
			break;
	}
}

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned free_states, given_back;
static pthread_barrier_t crowd;

/* A state of its own page, mapped as the kernel wants it; NULL where that is refused. */
void *twin_get(void)
{
	void *state = mmap(NULL, STATE_PAGE, PROT_READ | PROT_WRITE, MAP_DROPPABLE | MAP_ANONYMOUS,
			   -1, 0);

	if (state == MAP_FAILED)
		return NULL;
	pthread_mutex_lock(&list_lock);
	if (free_states)
		free_states--;
	pthread_mutex_unlock(&list_lock);
	return state;
}

/* Does the list of free states have to grow? */
int twin_put(void *state)
{
	munmap(state, STATE_PAGE);
	pthread_mutex_lock(&list_lock);
	int grows = ++free_states > FIRST_BATCH;
	given_back++;
	pthread_mutex_unlock(&list_lock);
	return grows;
}

static void *end_locked(void *arg)
{
	struct m m = {.state = NULL};
	struct g g = {.m = &m};
	sigset_t all;

	twin_cache = &cache_memory;
	twin_vgetrandom(&g);
	pthread_barrier_wait(&crowd);
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	twin_mstart0(&m);
	return arg;
}

static void round_of(unsigned count)
{
	pthread_t threads[CROWD];

	free_states = 0; /* as if all of them were owned */
	pthread_barrier_init(&crowd, NULL, count);
	for (unsigned i = 0; i < count; i++)
		pthread_create(&threads[i], NULL, end_locked, NULL);
	for (unsigned i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&crowd);
}

static volatile sig_atomic_t attacked;

static void attack(int sig)
{
	attacked++;
}

static _Noreturn void serve(void)
{
	int done = 0;

	signal(SIGUSR1, attack);
	for (;;) {
		unsigned before = given_back;
		int now = attacked;
		round_of(now > done ? 40 : 10);
		printf("attacks %d puts %u\n", now, given_back - before);
		fflush(stdout);
		done = now;
		usleep(2000);
	}
}

/* From now on the system call `nr` has this result. */
static bool filter_call(unsigned nr, unsigned result)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, result),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {array_len(code), code};

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

/* Without the vDSO's clock this is killed by SIGSYS. */
static int check_clock(void)
{
	struct timespec t;

	if (!filter_call(SYS_clock_gettime, SECCOMP_RET_KILL_PROCESS))
		return 77;
	for (int i = 0; i < 1000; i++)
		clock_gettime(CLOCK_MONOTONIC, &t);
	return 0;
}

static int deny_ptrace(char **command)
{
	if (!filter_call(SYS_ptrace, SECCOMP_RET_ERRNO | EPERM))
		return 77;
	execv(command[0], command);
	return 126;
}

static int print_lookup(void)
{
	puts(found ? "vdso" : "syscall");
	return 0;
}

static int fork_lookup(char *self)
{
	int status;

	if (fork() == 0) {
		execl(self, self, "lookup", NULL);
		_exit(126);
	}
	return wait(&status) < 0 || !WIFEXITED(status) ? 1 : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	look_up();
	twin_state_size = found ? 144 : 0;
	if (!strcmp(what, "lookup"))
		return print_lookup();
	if (!strcmp(what, "clock"))
		return check_clock();
	if (!strcmp(what, "fork"))
		return fork_lookup(argv[0]);
	if (!strcmp(what, "serve"))
		serve();
	if (!strcmp(what, "deny") && argc > 2)
		return deny_ptrace(argv + 2);
	if (strcmp(what, "crash"))
		return 2;
	round_of(FIRST_BATCH + 1);
	puts("survived");
	return 0;
}
