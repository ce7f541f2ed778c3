/* SPDX-License-Identifier: MIT */
/*
 * image.c: the container of an image: a tar (compressed or not) or a directory, and what its
 * members are.
 */
#include "cli/scan/image/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BLOCK (64u << 10)
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

/* A document that is no JSON, or too long, is left out: what refers to it will miss it. */
static void read_document(struct image *image, const struct image_member *m,
			  struct image_document *d, const unsigned char *head, size_t length)
{
	unsigned char *text = cli_alloc(IMAGE_DOCUMENT_MAX);
	memcpy(text, head, length);
	ssize_t got = read_up_to(m, text + length, IMAGE_DOCUMENT_MAX - length);
	size_t total = got < 0 ? 0 : length + (size_t)got;
	if (total && total < IMAGE_DOCUMENT_MAX &&
	    image->document_bytes + total <= IMAGE_DOCUMENTS_BYTES) {
		d->root = json_loadb((const char *)text, total, 0, NULL);
		image->document_bytes += total;
	}
	free(text);
}

/* Reads a document or a layer; false when it is something else. */
static bool read_member(struct image *image, const struct image_member *m, bool blob)
{
	unsigned char head[HEAD_SIZE];
	struct image_document *d = document_add(image, m->name);
	ssize_t length = read_up_to(m, head, sizeof(head));
	if (length < 0)
		weft__scan_error(image->worker->scan, image->path, "%s cannot be read", m->name);
	else if (length && strchr("{[ \t\r\n", head[0]) && head[0])
		read_document(image, m, d, head, (size_t)length);
	else if (is_layer(head, (size_t)length))
		weft__image_layer(image, m, head, (size_t)length, blob);
	else
		return false;
	return length >= 0;
}

/* A member whose bytes pass by a digest. */
struct summed {
	const struct image_member *member;
	struct digest digest;
};

static ssize_t summed_read(void *source, void *buffer, size_t size)
{
	struct summed *s = source;
	ssize_t got = s->member->read(s->member->source, buffer, size);
	if (got > 0)
		weft__digest_add(&s->digest, buffer, (size_t)got);
	return got;
}

/* Reads what is left of the member, and compares its digest with its name, "sha256/..." */
static void check_blob(struct image *image, const struct image_member *m, const char *name)
{
	struct summed *s = m->source;
	char digest[DIGEST_TEXT], buffer[4096];
	ssize_t got;
	while ((got = m->read(m->source, buffer, sizeof(buffer))) > 0)
		weft__scan_tick(image->worker);
	if (got < 0)
		return; /* the reader of the layer or document has reported it */
	weft__digest_end(&s->digest, digest);
	digest[strlen("sha256")] = '/';
	if (strncmp(name, "sha256/", strlen("sha256/")))
		weft__scan_error(image->worker->scan, image->path,
				 "%s: its digest is not compared: only sha256 is known", m->name);
	else if (strcmp(name, digest))
		weft__scan_error(image->worker->scan, image->path,
				 "%s was changed or damaged: it has another digest", m->name);
}

void weft__image_member(struct image *image, const struct image_member *m)
{
	static const char blobs[] = "blobs/";
	if (++image->member_count > IMAGE_MEMBERS_MAX)
		return;
	weft__scan_tick(image->worker);
	char *name = weft__path_normal(m->name);
	struct summed summed = {.member = m};
	struct image_member blob = {.name = m->name, .read = summed_read, .source = &summed};
	weft__digest_start(&summed.digest);
	if (strncmp(name, blobs, strlen(blobs)))
		read_member(image, m, false);
	else if (read_member(image, &blob, true))
		check_blob(image, &blob, name + strlen(blobs));
	free(name);
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

/* What a name at the top says of its tar: 1 an image, 0 a file system, -1 nothing. */
static int kind_by_name(const char *name)
{
	static const char *const of_images[] = {"blobs", "index.json", "manifest.json",
						"oci-layout", "repositories"};
	static const char *const of_systems[] = {"bin", "dev", "etc", "proc", "sys", "usr"};
	size_t length = strcspn(name, "/");
	for (unsigned i = 0; i < array_len(of_images); i++)
		if (strlen(of_images[i]) == length && strncmp(of_images[i], name, length) == 0)
			return 1;
	for (unsigned i = 0; i < array_len(of_systems); i++)
		if (strlen(of_systems[i]) == length && strncmp(of_systems[i], name, length) == 0)
			return 0;
	return -1;
}

/*
 * Does the tar hold a file system, as `docker export` writes it? The first name that tells decides,
 * so an image is not read twice: its documents or its blobs come early.
 */
static bool holds_system(struct image *image, int fd)
{
	struct archive *a = weft__image_archive();
	struct archive_entry *entry;
	int kind = -1, status = a ? weft__archive.read_open_fd(a, fd, READ_BLOCK) : ARCHIVE_FATAL;
	while (kind < 0 && status >= ARCHIVE_WARN && status != ARCHIVE_EOF) {
		status = weft__archive.read_next_header(a, &entry);
		const char *name = status >= ARCHIVE_WARN && status != ARCHIVE_EOF
					   ? weft__archive.entry_pathname(entry)
					   : NULL;
		char *normal = name ? weft__path_normal(name) : NULL;
		kind = normal ? kind_by_name(normal) : -1;
		free(normal);
		weft__scan_tick(image->worker);
	}
	if (a)
		weft__archive.read_free(a);
	return kind == 0;
}

static void read_tar_fd(struct image *image, int fd)
{
	bool system = holds_system(image, fd);
	struct archive *a = weft__image_archive();
	if (!a || lseek(fd, 0, SEEK_SET) || weft__archive.read_open_fd(a, fd, READ_BLOCK))
		weft__scan_error(image->worker->scan, image->path, "is no tar: %s",
				 a && weft__archive.error_string(a) ? weft__archive.error_string(a)
								    : "out of memory");
	else if (system)
		weft__image_root(image, a);
	else
		read_tar(image, a);
	if (a)
		weft__archive.read_free(a);
	if (!system)
		weft__image_finish(image);
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

static void links_free(struct image_link *links)
{
	for (struct image_link *next; links; links = next) {
		next = links->next;
		free(links->name);
		free(links->target);
		free(links);
	}
}

static void image_free(struct image *image)
{
	for (struct image_layer *l = image->layers, *next; l; l = next) {
		next = l->next;
		weft__results_free(l->results);
		links_free(l->links);
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
		read_tar_fd(&image, fd);
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
