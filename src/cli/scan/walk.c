/* SPDX-License-Identifier: MIT */
/*
 * walk.c: operands and directories.
 *
 * Below an operand no symbolic link is followed, not even one that replaces a directory between two
 * looks: directories are opened relative to the operand's descriptor with
 * openat2(RESOLVE_NO_SYMLINKS), files relative to their directory with O_NOFOLLOW. A regular file
 * that turns into a FIFO or a device does not block the open (O_NONBLOCK).
 *
 * Most files are no ELF files: for those the walk costs open, one read of four bytes, close.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/sys.h"
#include "cli/scan/engine.h"

#define FILE_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
#define DIR_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* Files there are made up by the kernel: reading them has effects, or waits for events. */
static bool is_pseudo(int fd)
{
	static const unsigned long magics[] = {
		PROC_SUPER_MAGIC,
		SYSFS_MAGIC,
		CGROUP_SUPER_MAGIC,
		CGROUP2_SUPER_MAGIC,
		DEBUGFS_MAGIC,
		TRACEFS_MAGIC,
		DEVPTS_SUPER_MAGIC,
		SECURITYFS_MAGIC,
		BPF_FS_MAGIC,
		PSTOREFS_MAGIC,
		SELINUX_MAGIC,
		BINFMTFS_MAGIC,
		EFIVARFS_MAGIC,
		0x62656570 /* configfs */,
		0x19800202 /* mqueue */,
		0x65735543 /* fusectl */,
	};
	struct statfs fs;
	if (fstatfs(fd, &fs))
		return false;
	for (unsigned i = 0; i < array_len(magics); i++)
		if ((unsigned long)fs.f_type == magics[i])
			return true;
	return false;
}

static bool is_excluded(const struct scan *scan, const char *path, const char *name)
{
	for (unsigned i = 0; i < scan->options.exclude.count; i++) {
		const char *pattern = scan->options.exclude.items[i];
		if (fnmatch(pattern, name, 0) == 0 || fnmatch(pattern, path, 0) == 0)
			return true;
	}
	return false;
}

static char *join(const char *prefix, const char *name)
{
	size_t length = strlen(prefix);
	if (!*name)
		return cli_strdup(prefix);
	return cli_format("%s%s%s", prefix, length && prefix[length - 1] == '/' ? "" : "/", name);
}

static struct scan_root *root_hold(struct scan *scan, struct scan_root *root)
{
	pthread_mutex_lock(&scan->lock);
	root->references++;
	pthread_mutex_unlock(&scan->lock);
	return root;
}

static void root_drop(struct scan *scan, struct scan_root *root)
{
	pthread_mutex_lock(&scan->lock);
	bool last = !--root->references;
	pthread_mutex_unlock(&scan->lock);
	if (!last)
		return;
	close(root->fd);
	free(root->prefix);
	free(root);
}

static int open_below(const struct scan_root *root, const char *path)
{
	struct open_how how = {.flags = DIR_FLAGS,
			       .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
	if (!*path)
		path = ".";
	int fd = sys_openat2(root->fd, path, &how, sizeof(how));
	if (fd == -ENOSYS ||
	    fd == -EPERM) { /* before Linux 5.6, or a sandbox that does not know it */
		fd = openat(root->fd, path, DIR_FLAGS);
		if (fd < 0)
			fd = -errno;
	}
	return fd;
}

/* Vanished, or became something else since it was listed: not an error. */
static bool is_race(int err)
{
	return err == ENOENT || err == ELOOP || err == ENOTDIR || err == ENXIO || err == ENODEV;
}

static void run_directory(struct scan_worker *w, struct scan_work *item);

static void push_directory(struct scan *scan, const struct scan_work *above, const char *name,
			   dev_t device)
{
	struct scan_work *item = weft__scan_item(run_directory);
	item->root = root_hold(scan, above->root);
	item->path = *above->path ? join(above->path, name) : cli_strdup(name);
	item->device = device;
	weft__scan_push(scan, item);
}

static void look_at_file(struct scan_worker *w, int directory, const char *name, const char *path)
{
	weft__scan_tick(w);
	int fd = openat(directory, name, FILE_FLAGS | O_NOFOLLOW);
	if (fd >= 0)
		weft__scan_open_file(w, fd, path, false);
	else if (!is_race(errno))
		weft__scan_error(w->scan, path, "cannot be opened: %s", strerror(errno));
}

/* What the entry is; file systems that do not say are asked. */
static unsigned char entry_type(int directory, const struct dirent *entry)
{
	struct stat status;
	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type;
	if (fstatat(directory, entry->d_name, &status, AT_SYMLINK_NOFOLLOW))
		return DT_UNKNOWN;
	return (unsigned char)IFTODT(status.st_mode);
}

static void read_entries(struct scan_worker *w, const struct scan_work *item, DIR *dir,
			 const char *path, dev_t device)
{
	uint64_t files = 0;
	const struct dirent *entry;
	for (errno = 0; (entry = readdir(dir)); errno = 0) {
		const char *name = entry->d_name;
		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		unsigned char type = entry_type(dirfd(dir), entry);
		if (type != DT_DIR && type != DT_REG)
			continue;
		char *full = join(path, name);
		if (is_excluded(w->scan, full, name)) {
			free(full);
			continue;
		}
		if (type == DT_DIR)
			push_directory(w->scan, item, name, device);
		else
			look_at_file(w, dirfd(dir), name, full);
		files += type == DT_REG;
		free(full);
	}
	if (errno)
		weft__scan_error(w->scan, path, "cannot be read to the end: %s", strerror(errno));
	weft__scan_count(w->scan, files, 0);
}

/* Decides about mount points: returns the reason not to enter, or NULL. */
static const char *keep_out(struct scan *scan, const struct scan_work *item, int fd,
			    const struct stat *status)
{
	if (status->st_dev == item->device)
		return NULL;
	if (item->device && scan->options.one_file_system)
		return "another file system";
	return is_pseudo(fd) ? "a file system that the kernel makes up" : NULL;
}

static void walk(struct scan_worker *w, struct scan_work *item, const char *path)
{
	struct stat status;
	int fd = open_below(item->root, item->path);
	if (fd < 0) {
		if (!is_race(-fd))
			weft__scan_error(w->scan, path, "cannot be opened: %s", strerror(-fd));
		return;
	}
	if (fstat(fd, &status) || keep_out(w->scan, item, fd, &status)) {
		close(fd);
		return;
	}
	DIR *dir = fdopendir(fd);
	if (!dir) {
		close(fd);
		return;
	}
	read_entries(w, item, dir, path, status.st_dev);
	closedir(dir);
}

static void run_directory(struct scan_worker *w, struct scan_work *item)
{
	char *path = join(item->root->prefix, item->path);
	weft__scan_begin(w, path);
	walk(w, item, path);
	root_drop(w->scan, item->root);
	free(path);
	free(item->path);
	free(item);
}

static void start_directory(struct scan *scan, int fd, const char *path)
{
	struct scan_root *root = cli_alloc(sizeof(*root));
	struct scan_work *item = weft__scan_item(run_directory);
	root->fd = fd;
	root->prefix = cli_strdup(path);
	root->references = 1;
	item->root = root;
	item->path = cli_strdup("");
	weft__scan_push(scan, item);
}

static void operand_file(struct scan_worker *w, int fd, const char *path, bool insist)
{
	struct scan *scan = w->scan;
	bool elf = weft__scan_open_file(w, fd, path, insist);
	pthread_mutex_lock(&scan->lock);
	scan->counts.files++;
	scan->counts.not_elf += !elf;
	pthread_mutex_unlock(&scan->lock);
}

/* An operand: looked at before it is opened, so that a device is never touched. */
static void look_at_operand(struct scan_worker *w, const char *path, bool insist)
{
	struct stat status;
	if (stat(path, &status)) {
		weft__scan_error(w->scan, path, "%s", strerror(errno));
		return;
	}
	if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
		weft__scan_error(w->scan, path, "neither a regular file nor a directory");
		return;
	}
	int fd = open(path, FILE_FLAGS);
	if (fd < 0)
		weft__scan_error(w->scan, path, "cannot be opened: %s", strerror(errno));
	else if (S_ISDIR(status.st_mode))
		start_directory(w->scan, fd, path);
	else
		operand_file(w, fd, path, insist);
}

static void run_operand(struct scan_worker *w, struct scan_work *item)
{
	weft__scan_begin(w, item->path);
	look_at_operand(w, item->path, item->insist);
	free(item->path);
	free(item);
}

void weft__scan_add_path(struct scan *scan, const char *path, bool insist)
{
	struct scan_work *item = weft__scan_item(run_operand);
	item->path = cli_strdup(path);
	item->insist = insist;
	weft__scan_push(scan, item);
}
