/* SPDX-License-Identifier: MIT */
/*
 * netns.c: one network namespace per locked task, the way container tools need it.
 *
 *   netns [N [COMMAND [ARG...]]]      N tasks at once (8); needs root
 *
 * Each task locks its thread, moves that thread into a network namespace of its own, brings up
 * loopback there, and then all of them, at the same time, listen on the same address and port:
 * which works only when each is alone. Each talks to itself and gets its own number back. With a
 * command, each also runs it inside its namespace. The tasks end locked, so their threads end with
 * them, and the namespaces too; the host's namespace was never touched.
 */
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "weft/weft.h"

enum { PORT = 7777, MAX = 1000 };

extern char **environ;

static struct {
	int count;
	char **command;
	struct weft_waitgroup listening; /* all have bound the port before the first lets it go */
	int failed;
} all;

static ino_t this_namespace(void)
{
	struct stat st = {0};
	stat("/proc/thread-self/ns/net", &st);
	return st.st_ino;
}

static int bring_up_loopback(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
	close(fd);
	return err;
}

/*
 * Sends `number` to ourselves over 127.0.0.1:PORT and reads it back. Plain blocking calls: any C
 * code may block.
 */
static int talk_to_ourselves(int number)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int got = -1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&here, sizeof(here)) < 0 || listen(listener, 1) < 0)
		return -errno;
	weft_waitgroup_done(&all.listening);
	weft_waitgroup_wait(&all.listening, WEFT_FOREVER);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(client, (struct sockaddr *)&here, sizeof(here)) < 0)
		return -errno;
	int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (write(client, &number, sizeof(number)) < 0 || read(server, &got, sizeof(got)) < 0)
		return -errno;
	close(server);
	close(client);
	close(listener);
	return got == number ? 0 : -EBADMSG;
}

static int run_command(void)
{
	pid_t pid;
	int status = 0;
	int err = posix_spawnp(&pid, all.command[0], NULL, NULL, all.command,
			       environ); /* inherits the namespace */
	if (err || weft_wait_pid(pid, &status, WEFT_FOREVER) < 0)
		return err ? -err : -ECHILD;
	return status ? -ECANCELED : 0;
}

static int in_a_namespace(void *arg)
{
	int number = (int)(intptr_t)arg;
	ino_t outside = this_namespace();
	weft_lock_os_thread();
	int err = unshare(CLONE_NEWNET) < 0 ? -errno : bring_up_loopback();
	if (!err && this_namespace() == outside)
		err = -EXDEV;
	if (!err)
		err = talk_to_ourselves(number);
	else
		weft_waitgroup_done(&all.listening);
	if (!err && all.command)
		err = run_command();
	if (err)
		fprintf(stderr, "netns: task %d: %s\n", number, strerror(-err));
	return err; /* still locked: the thread, and the namespace with it, end here */
}

static int main_task(void *arg)
{
	static struct weft_task *task[MAX];
	ino_t host = this_namespace();
	weft_waitgroup_add(&all.listening, all.count);
	for (int i = 0; i < all.count; i++)
		if (weft_spawn(&task[i], NULL, in_a_namespace, (void *)(intptr_t)i) < 0)
			abort();
	for (int i = 0; i < all.count; i++) {
		int result = 0;
		weft_join(task[i], &result, WEFT_FOREVER);
		all.failed += result != 0;
	}
	if (this_namespace() != host)
		all.failed++;
	printf("netns: %d tasks, each alone on 127.0.0.1:%d in a namespace of its own: %s; the "
	       "host's namespace is %s\n",
	       all.count, PORT, all.failed ? "FAILED" : "ok",
	       this_namespace() == host ? "untouched" : "CHANGED");
	return all.failed ? 1 : 0;
}

int main(int argc, char **argv)
{
	all.count = argc > 1 ? atoi(argv[1]) : 8;
	all.command = argc > 2 ? argv + 2 : NULL;
	if (all.count < 1 || all.count > MAX) {
		fprintf(stderr, "usage: netns [N [COMMAND [ARG...]]], with N from 1 to %d\n", MAX);
		return 2;
	}
	if (geteuid() != 0) {
		fprintf(stderr, "netns: a network namespace needs root (CAP_SYS_ADMIN)\n");
		return 77;
	}
	return weft_run(NULL, main_task, NULL);
}
