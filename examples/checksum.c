/* SPDX-License-Identifier: MIT */
/*
 * checksum.c [-j WORKERS] PATH...: a checksum of each file below the paths, and their sizes' sum.
 *
 * One task walks the tree and sends what it finds into a channel; workers read the files. All of it
 * is ordinary, blocking C: opendir, read, no weft call. While one worker waits for the disk its
 * processor runs another. Output as cksum(1): checksum, size, name; the order is that of
 * completion.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "weft/weft.h"

enum { CHUNK = 64 * 1024, QUEUE = 256 };

static struct weft_chan *found; /* of char *, each the receiver's to free */
static uint64_t total_bytes, total_files, failures;
static unsigned workers = 16;
static uint32_t table[256];

/* The polynomial of POSIX cksum. */
static void make_table(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		table[i] = i << 24;
		for (int bit = 0; bit < 8; bit++)
			table[i] = table[i] << 1 ^ (table[i] >> 31 ? 0x04c11db7 : 0);
	}
}

static uint32_t update(uint32_t crc, const unsigned char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		crc = crc << 8 ^ table[crc >> 24 ^ data[i]];
	return crc;
}

static void complain(const char *path, int error)
{
	fprintf(stderr, "checksum: %s: %s\n", path, strerror(error));
	__atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
}

static void check_file(const char *path)
{
	unsigned char buf[CHUNK];
	uint32_t crc = 0;
	uint64_t size = 0;
	ssize_t n;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		complain(path, errno);
		return;
	}
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		crc = update(crc, buf, (size_t)n);
		size += (uint64_t)n;
	}
	if (n < 0)
		complain(path, errno);
	close(fd);
	for (uint64_t rest = size; rest; rest >>= 8) /* POSIX: the length belongs to it */
		crc = update(crc, &(unsigned char){(unsigned char)rest}, 1);
	printf("%" PRIu32 " %" PRIu64 " %s\n", ~crc, size, path);
	__atomic_fetch_add(&total_bytes, size, __ATOMIC_RELAXED);
	__atomic_fetch_add(&total_files, 1, __ATOMIC_RELAXED);
}

static int work(void *arg)
{
	char *path;
	while (weft_chan_recv(found, &path, WEFT_FOREVER) == 0) {
		check_file(path);
		free(path);
	}
	return 0;
}

static void walk(const char *path);

static void walk_directory(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char *below;
	if (!dir) {
		complain(path, errno);
		return;
	}
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (asprintf(&below, "%s/%s", path, entry->d_name) < 0)
			abort();
		walk(below);
		free(below);
	}
	closedir(dir);
}

static void walk(const char *path)
{
	struct stat st;
	if (lstat(path, &st) < 0) {
		complain(path, errno);
	} else if (S_ISDIR(st.st_mode)) {
		walk_directory(path);
	} else if (S_ISREG(st.st_mode)) {
		char *copy = strdup(path);
		if (!copy || weft_chan_send(found, &copy, WEFT_FOREVER) < 0)
			free(copy);
	}
}

static int checksum(void *arg)
{
	struct weft_group *group = weft_group_new();
	found = weft_chan_new(sizeof(char *), QUEUE);
	if (!group || !found)
		return EXIT_FAILURE;
	for (unsigned i = 0; i < workers; i++)
		if (weft_group_go(group, work, NULL) < 0)
			return EXIT_FAILURE;
	for (char **path = arg; *path; path++)
		walk(*path);
	weft_chan_close(found);
	weft_group_wait(group, NULL, WEFT_FOREVER);
	weft_chan_unref(found);
	fprintf(stderr, "%" PRIu64 " bytes in %" PRIu64 " files\n", total_bytes, total_files);
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	int option;
	while ((option = getopt(argc, argv, "j:")) == 'j')
		workers = (unsigned)strtoul(optarg, NULL, 10);
	if (option != -1 || optind == argc || workers < 1 || workers > 10000) {
		fprintf(stderr, "usage: checksum [-j WORKERS] PATH...\n");
		return 2;
	}
	make_table();
	return weft_run(NULL, checksum, argv + optind);
}
