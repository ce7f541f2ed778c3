/* SPDX-License-Identifier: MIT */
/*
 * file.c: replace a file by its copy with one other byte, or leave it as it is.
 *
 * A program that runs cannot be written to, and a crash in the middle of a write must not leave
 * half a file: the copy is made beside the original, completed with owner, mode and extended
 * attributes, synced, and renamed over it. The copy's fixed name keeps a second patch of the same
 * file out, and lets the next patch remove what a killed one left (cli_new_file).
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/stat.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cli/patch/patch.h"
#include "cli/shell/cli.h"

enum { COPY_BLOCK = 1 << 16, XATTR_LIST = 1 << 16 };

int weft__patch_open(struct patch_file *f, const char *path)
{
	*f = (struct patch_file){.fd = -1, .directory = -1};
	f->path = realpath(path, NULL);
	if (!f->path)
		return -errno;
	f->name = strrchr(f->path, '/') + 1;
	f->copy = cli_format(".%s.weft-new", f->name);
	char *directory = cli_format("%.*s", (int)(f->name - f->path), f->path);
	f->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int error = f->directory < 0 ? -errno : 0;
	free(directory);
	if (!error)
		f->fd = openat(f->directory, f->name,
			       O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (!error && (f->fd < 0 || fstat(f->fd, &f->st)))
		error = -errno;
	if (!error && !S_ISREG(f->st.st_mode))
		error = -EINVAL;
	return error;
}

void weft__patch_close(struct patch_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	if (f->directory >= 0)
		close(f->directory);
	free(f->path);
	free(f->copy);
}

const char *weft__patch_obstacle(const struct patch_file *f, bool hard_links)
{
	struct statx x = {0};

	if (f->st.st_nlink > 1 && !hard_links)
		return "it has other names (hard links), which would keep the old content; "
		       "--hard-links accepts that";
	if (!statx(f->fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &x)) {
		if (x.stx_attributes & STATX_ATTR_IMMUTABLE)
			return "it is marked immutable (chattr -i)";
		if (x.stx_attributes & STATX_ATTR_VERITY)
			return "fs-verity guards it: a changed copy would lose that";
	}
	if (fgetxattr(f->fd, "security.ima", NULL, 0) > 0)
		return "it is signed (security.ima): the kernel may refuse to run changed bytes";
	return NULL;
}

static int copy_bytes(int from, int to)
{
	char block[COPY_BLOCK];
	off_t at = 0;

	for (;;) {
		ssize_t n = pread(from, block, sizeof(block), at);
		if (n <= 0)
			return n < 0 ? -errno : 0;
		for (ssize_t done = 0, w; done < n; done += w) {
			w = pwrite(to, block + done, (size_t)(n - done), at + done);
			if (w < 0)
				return -errno;
		}
		at += n;
	}
}

static int copy_attribute(int from, int to, const char *name)
{
	ssize_t size = fgetxattr(from, name, NULL, 0), there;
	int error = 0;

	if (size < 0)
		return -errno;
	char *value = cli_alloc((size_t)size + 1), *old = cli_alloc((size_t)size + 1);
	size = fgetxattr(from, name, value, (size_t)size);
	there = fgetxattr(to, name, old, (size_t)max_of(size, 0));
	if (size < 0 || ((there != size || memcmp(value, old, (size_t)size)) &&
			 fsetxattr(to, name, value, (size_t)size, 0)))
		error = -errno;
	free(value);
	free(old);
	return error;
}

static int copy_attributes(int from, int to)
{
	char names[XATTR_LIST];
	ssize_t length = flistxattr(from, names, sizeof(names));

	if (length < 0)
		return errno == ENOTSUP ? 0 : -errno;
	for (const char *name = names; name < names + length; name += strlen(name) + 1) {
		int error = copy_attribute(from, to, name);
		if (error)
			return error;
	}
	return 0;
}

/* The owner first: a change of owner clears the set-user-id bit and the capabilities. */
static int copy_metadata(const struct patch_file *f, int to, const struct timespec *mtime)
{
	struct timespec times[2] = {f->st.st_atim,
				    mtime ? *mtime : (struct timespec){.tv_nsec = UTIME_NOW}};

	if (fchown(to, f->st.st_uid, f->st.st_gid) || fchmod(to, f->st.st_mode & 07777))
		return -errno;
	int error = copy_attributes(f->fd, to);
	if (!error && futimens(to, times))
		error = -errno;
	return error;
}

/* Did another process change or replace it while it was copied? */
static bool has_changed(const struct patch_file *f)
{
	struct stat now, named;

	if (fstat(f->fd, &now) || fstatat(f->directory, f->name, &named, AT_SYMLINK_NOFOLLOW))
		return true;
	return named.st_ino != f->st.st_ino || named.st_dev != f->st.st_dev ||
	       now.st_size != f->st.st_size || now.st_mtim.tv_sec != f->st.st_mtim.tv_sec ||
	       now.st_mtim.tv_nsec != f->st.st_mtim.tv_nsec;
}

static int fill(const struct patch_file *f, int to, const struct patch_change *change,
		const char **doing)
{
	*doing = "copy it";
	int error = copy_bytes(f->fd, to);
	if (!error && pwrite(to, &change->byte, 1, (off_t)change->offset) != 1)
		error = -errno;
	if (error)
		return error;
	*doing = "keep its owner, mode and attributes";
	error = copy_metadata(f, to, change->mtime);
	if (error)
		return error;
	*doing = "sync the copy";
	if (fsync(to))
		return -errno;
	*doing = "go on: another process changed it meanwhile";
	return has_changed(f) ? -EAGAIN : 0;
}

static int put(const struct patch_file *f, int directory, const char *output)
{
	if (!output && renameat(directory, f->copy, directory, f->name))
		return -errno;
	if (output && renameat2(directory, f->copy, AT_FDCWD, output, RENAME_NOREPLACE))
		return -errno;
	return 0;
}

/* Where the copy is made: beside its final place, so that a rename is enough. */
static int copy_directory(const struct patch_file *f, const char *output)
{
	if (!output)
		return dup(f->directory);
	char *path = cli_strdup(output);
	int fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(path);
	return fd;
}

/* The copy keeps its lock until it has its final name, or none. */
static int write_copy(const struct patch_file *f, int directory, const char *output,
		      const struct patch_change *change, const char **doing)
{
	int to = cli_new_file(directory, f->copy, 0600);
	int error = to < 0 ? to : fill(f, to, change, doing);

	if (!error) {
		*doing = output ? "name the copy" : "put the copy in its place";
		error = put(f, directory, output);
	}
	if (to >= 0 && error)
		unlinkat(directory, f->copy, 0);
	if (!error)
		fsync(directory);
	if (to >= 0)
		close(to);
	return error;
}

int weft__patch_write(const struct patch_file *f, const char *output,
		      const struct patch_change *change, const char **doing)
{
	int directory = copy_directory(f, output);

	*doing = NULL;
	if (directory < 0)
		return -errno;
	int error = write_copy(f, directory, output, change, doing);
	close(directory);
	return error;
}
