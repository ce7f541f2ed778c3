/* SPDX-License-Identifier: MIT */
/*
 * mapped.c: see mapped.h.
 *
 * Three ways lead to a mapped file, and the first that opens it is taken: /proc/PID/exe for the
 * program itself, the link of the mapping, which needs a privilege, and its path below the
 * process's root, where another file may have taken its name: the inode tells.
 */
#include "cli/proc/mapped.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/proc/symbols.h"
#include "cli/proc/tracee.h"

struct walk {
	pid_t pid;
	char program[4096]; /* what /proc/PID/exe leads to */
	struct identity {
		uint64_t device, inode;
	} * told;
	size_t count;
	int (*each)(const struct mapped_file *f, void *arg);
	void *arg;
};

static int open_link(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static int open_in_root(pid_t pid, const struct tracee_mapping *m)
{
	char path[4200];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/root%s", pid, m->path);
	int fd = weft__open_regular(path, &st);
	if (fd >= 0 && st.st_ino != m->inode) {
		close(fd);
		return -ENOENT;
	}
	return fd;
}

static int open_mapped(const struct walk *w, const struct tracee_mapping *m)
{
	char link[96];

	if (!strcmp(m->path, w->program)) {
		snprintf(link, sizeof(link), "/proc/%d/exe", w->pid);
		return open_link(link);
	}
	snprintf(link, sizeof(link), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, w->pid, m->start,
		 m->end);
	int fd = open_link(link);
	return fd >= 0 ? fd : open_in_root(w->pid, m);
}

/* 1: for the first time; 0: told before; or -ENOMEM. */
static int remember(struct walk *w, const struct tracee_mapping *m)
{
	for (size_t i = 0; i < w->count; i++) {
		if (w->told[i].device == m->device && w->told[i].inode == m->inode)
			return 0;
	}
	struct identity *grown = reallocarray(w->told, w->count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	w->told = grown;
	w->told[w->count++] = (struct identity){m->device, m->inode};
	return 1;
}

/* Devices are no programs, and to open one may do something. */
static bool is_code(const struct tracee_mapping *m)
{
	return m->executable && m->inode && m->path[0] == '/' && strncmp(m->path, "/dev/", 5);
}

static int take_mapping(const struct tracee_mapping *m, void *arg)
{
	struct walk *w = arg;

	int result = is_code(m) ? remember(w, m) : 0;
	if (result <= 0)
		return result;
	struct mapped_file f = {open_mapped(w, m), m->path, m->start, m->offset};
	result = w->each(&f, w->arg);
	if (f.fd >= 0)
		close(f.fd);
	return result;
}

int weft__mapped_each(pid_t pid, int (*each)(const struct mapped_file *f, void *arg), void *arg)
{
	struct walk w = {.pid = pid, .each = each, .arg = arg};
	char link[64];

	snprintf(link, sizeof(link), "/proc/%d/exe", pid);
	if (readlink(link, w.program, sizeof(w.program) - 1) < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	int result = weft__tracee_mappings(pid, take_mapping, &w);
	free(w.told);
	return result;
}
