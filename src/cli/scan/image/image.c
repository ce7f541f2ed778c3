/* SPDX-License-Identifier: MIT */
/* image.c: the container of an image: a tar (compressed or not) or a directory, and what its
 * members are. */
#include "cli/scan/image/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD_SIZE 512	  /* enough to tell a tar from the rest */
#define DIRECTORY_DEPTH 4 /* blobs/sha256/NAME is the deepest that a layout has */

bool weft__image_budget(struct image *image, uint64_t bytes)
{
	if (image->bytes > IMAGE_BYTES_MAX)
		return false;
	image->bytes += bytes;
	if (image->bytes <= IMAGE_BYTES_MAX)
		return true;
	weft__scan_error(image->worker->scan, image->path,
			 "more than %llu GiB unpacked: the rest was not looked at",
			 IMAGE_BYTES_MAX >> 30);
	return false;
}

/* Reads until `size` bytes are there or the member ends. */
static ssize_t read_up_to(const struct image_member *m, unsigned char *buffer, size_t size)
{
	size_t length = 0;
	while (length < size) {
		ssize_t got = m->read(m->source, buffer + length, size - length);
		if (got < 0)
			return got;
		if (!got)
			break;
		length += (size_t)got;
	}
	return (ssize_t)length;
}

static bool is_layer(const unsigned char *head, size_t length)
{
	static const struct {
		size_t at;
		const char *magic;
		size_t size;
	} marks[] = {
		{257, "ustar", 5},
		{0, "\x1f\x8b", 2},
		{0, "\x28\xb5\x2f\xfd", 4},
		{0,
		 "\xfd"
		 "7zXZ",
		 5},
		{0, "BZh", 3},
	};
	for (unsigned i = 0; i < array_len(marks); i++)
		if (length >= marks[i].at + marks[i].size &&
		    memcmp(head + marks[i].at, marks[i].magic, marks[i].size) == 0)
			return true;
	return false;
}

static struct image_document *document_add(struct image *image, const char *name)
{
	struct image_document *d = cli_alloc(sizeof(*d));
	d->name = weft__path_normal(name);
	d->next = image->documents;
	image->documents = d;
	return d;
}

/* A document that is no JSON, or too long, is left out: whoever refers to it will miss it. */
static void read_document(struct image *image, const struct image_member *m,
			  const unsigned char *head, size_t length)
{
	unsigned char *text = cli_alloc(IMAGE_DOCUMENT_MAX);
	memcpy(text, head, length);
	ssize_t got = read_up_to(m, text + length, IMAGE_DOCUMENT_MAX - length);
	size_t total = got < 0 ? 0 : length + (size_t)got;
	if (total && total < IMAGE_DOCUMENT_MAX &&
	    image->document_bytes + total <= IMAGE_DOCUMENTS_BYTES) {
		json_t *root = json_loadb((const char *)text, total, 0, NULL);
		if (root)
			document_add(image, m->name)->root = root;
		image->document_bytes += total;
	}
	free(text);
}

void weft__image_member(struct image *image, const struct image_member *m)
{
	unsigned char head[HEAD_SIZE];
	if (++image->member_count > IMAGE_MEMBERS_MAX)
		return;
	weft__scan_tick(image->worker);
	ssize_t length = read_up_to(m, head, sizeof(head));
	if (length < 0)
		weft__scan_error(image->worker->scan, image->path, "%s cannot be read", m->name);
	else if (length && strchr("{[ \t\r\n", head[0]) && head[0])
		read_document(image, m, head, (size_t)length);
	else if (is_layer(head, (size_t)length))
		weft__image_layer(image, m, head, (size_t)length);
}

/* A member of a tar. */
static ssize_t tar_read(void *source, void *buffer, size_t size)
{
	la_ssize_t got = weft__archive.read_data(source, buffer, size);
	return got < 0 ? -EIO : (ssize_t)got;
}

/* `docker save` of old links layers that are equal: "a/layer.tar" -> "../b/layer.tar". */
static void tar_link(struct image *image, const char *name, const char *target, bool relative)
{
	const char *slash = strrchr(name, '/');
	char *path = relative && slash ? cli_format("%.*s/%s", (int)(slash - name), name, target)
				       : cli_strdup(target);
	if (++image->member_count <= IMAGE_MEMBERS_MAX)
		document_add(image, name)->target = weft__path_normal(path);
	free(path);
}

static void read_tar(struct image *image, struct archive *a)
{
	struct archive_entry *entry;
	int status;
	while ((status = weft__archive.read_next_header(a, &entry)) >= ARCHIVE_WARN &&
	       status != ARCHIVE_EOF) {
		const char *name = weft__archive.entry_pathname(entry);
		if (!name || !weft__image_budget(image, 512))
			continue;
		struct image_member member = {.name = name, .read = tar_read, .source = a};
		char *copy = cli_strdup(name); /* the entry's own is gone once its data are read */
		member.name = copy;
		if (weft__archive.entry_hardlink(entry))
			tar_link(image, copy, weft__archive.entry_hardlink(entry), false);
		else if (weft__archive.entry_filetype(entry) == AE_IFLNK &&
			 weft__archive.entry_symlink(entry))
			tar_link(image, copy, weft__archive.entry_symlink(entry), true);
		else if (weft__archive.entry_filetype(entry) == AE_IFREG)
			weft__image_member(image, &member);
		free(copy);
	}
	if (status != ARCHIVE_EOF)
		weft__scan_error(image->worker->scan, image->path, "cannot be read to the end: %s",
				 weft__archive.error_string(a) ? weft__archive.error_string(a)
							       : "broken");
}

static void open_tar(struct image *image, int fd)
{
	struct archive *a = weft__image_archive();
	if (a && weft__archive.read_open_fd(a, fd, 64 << 10) == ARCHIVE_OK)
		read_tar(image, a);
	else
		weft__scan_error(image->worker->scan, image->path, "is no tar: %s",
				 a && weft__archive.error_string(a) ? weft__archive.error_string(a)
								    : "out of memory");
	if (a)
		weft__archive.read_free(a);
}

static ssize_t file_read(void *source, void *buffer, size_t size)
{
	ssize_t got = read(*(int *)source, buffer, size);
	return got < 0 ? -errno : got;
}

static void directory_file(struct image *image, int directory, const char *name, const char *path)
{
	int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct image_member member = {.name = path, .read = file_read, .source = &fd};
	struct stat status;
	if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		weft__image_member(image, &member);
	if (fd >= 0)
		close(fd);
}

/* Takes `fd` over. */
static void read_directory(struct image *image, int fd, const char *prefix, unsigned depth)
{
	DIR *dir = fdopendir(fd);
	const struct dirent *entry;
	if (!dir) {
		close(fd);
		return;
	}
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		char *path = cli_format("%s%s%s", prefix, *prefix ? "/" : "", entry->d_name);
		int below =
			openat(fd, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (below < 0)
			directory_file(image, fd, entry->d_name, path);
		else if (depth < DIRECTORY_DEPTH)
			read_directory(image, below, path, depth + 1);
		else
			close(below);
		free(path);
	}
	closedir(dir);
}

static void image_free(struct image *image)
{
	for (struct image_layer *l = image->layers, *next; l; l = next) {
		next = l->next;
		weft__results_free(l->results);
		free(l->name);
		free(l);
	}
	for (struct image_document *d = image->documents, *next; d; d = next) {
		next = d->next;
		json_decref(d->root);
		free(d->target);
		free(d->name);
		free(d);
	}
	free(image->paths.slots);
	if (image->spool >= 0)
		close(image->spool);
}

static void run_image(struct scan_worker *w, struct scan_work *item)
{
	struct image image = {.worker = w, .path = item->path, .spool = -1};
	struct stat status;
	weft__scan_begin(w, item->path);
	int fd = open(item->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status)) {
		weft__scan_error(w->scan, item->path, "cannot be opened: %s", strerror(errno));
	} else if (S_ISDIR(status.st_mode)) {
		read_directory(&image, dup(fd), "", 1);
		weft__image_finish(&image);
	} else if (S_ISREG(status.st_mode)) {
		open_tar(&image, fd);
		weft__image_finish(&image);
	} else {
		weft__scan_error(w->scan, item->path, "neither a regular file nor a directory");
	}
	if (fd >= 0)
		close(fd);
	image_free(&image);
	free(item->path);
	free(item);
}

void weft__scan_add_image(struct scan *scan, const char *path)
{
	struct scan_work *item = weft__scan_item(run_image);
	item->path = cli_strdup(path);
	weft__scan_push(scan, item);
}
