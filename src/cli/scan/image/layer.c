/* SPDX-License-Identifier: MIT */
/* layer.c: one layer: a tar, whose ELF files are judged one by one from a temporary file
 * without a name. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/scan/image/image.h"

#define READ_SIZE (64u << 10)

/* The layer's bytes: first what was read to find out that it is one, then the rest of the member.
 */
struct layer_source {
	const struct image_member *member;
	const void *head;
	size_t head_length;
	unsigned char buffer[READ_SIZE];
};

static la_ssize_t source_read(struct archive *a, void *data, const void **buffer)
{
	struct layer_source *s = data;
	if (s->head_length) {
		size_t length = s->head_length;
		s->head_length = 0;
		*buffer = s->head;
		return (la_ssize_t)length;
	}
	ssize_t got = s->member->read(s->member->source, s->buffer, sizeof(s->buffer));
	if (got < 0)
		weft__archive.set_error(a, EIO, "the container cannot be read");
	*buffer = s->buffer;
	return got;
}

struct archive *weft__image_archive(void)
{
	weft__archive_load();
	struct archive *a = weft__archive.read_new();
	if (!a)
		return NULL;
	/* No filter that would start a program. */
	weft__archive.read_support_filter_gzip(a);
	weft__archive.read_support_filter_zstd(a);
	weft__archive.read_support_filter_xz(a);
	weft__archive.read_support_filter_bzip2(a);
	weft__archive.read_support_format_tar(a);
	return a;
}

/* An empty temporary file: on disk if the directory can do it, else in memory. */
static int spool_open(struct image *image)
{
	const char *directory = getenv("TMPDIR");
	if (image->spool >= 0)
		return ftruncate(image->spool, 0) ? -errno : 0;
	image->spool = open(directory && *directory ? directory : "/tmp",
			    O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (image->spool < 0)
		image->spool = memfd_create("weft-scan", MFD_CLOEXEC);
	return image->spool < 0 ? -errno : 0;
}

static int write_all(int fd, const void *data, size_t size, off_t at)
{
	const char *p = data;
	while (size) {
		ssize_t n = pwrite(fd, p, size, at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

/* Does the entry begin like ELF? Blocks may be as short as a byte. -1: too few bytes to tell yet.
 */
static int begins_elf(unsigned char head[SELFMAG], size_t *filled, const void *block, size_t size,
		      uint64_t at)
{
	if (*filled == SELFMAG)
		return 1;
	if (at != *filled)
		return 0; /* a hole at the beginning */
	size_t part = min_of(size, SELFMAG - *filled);
	memcpy(head + *filled, block, part);
	*filled += part;
	return *filled < SELFMAG ? -1 : weft__elf_magic(head, SELFMAG);
}

/*
 * Copies the entry's data to the temporary file when it begins like ELF. 1: done; 0: it is
 * something else; -errno. Data come in blocks with offsets: entries of sparse files have holes.
 */
static int spool_entry(struct image *image, struct archive *a)
{
	unsigned char head[SELFMAG];
	const void *block;
	size_t size, filled = 0;
	la_int64_t at;
	int status, err = 0;
	while ((status = weft__archive.read_data_block(a, &block, &size, &at)) == ARCHIVE_OK) {
		weft__scan_tick(image->worker);
		if (!weft__image_budget(image, size) || at < 0 ||
		    (uint64_t)at + size > IMAGE_FILE_MAX)
			return -EFBIG;
		bool first = !filled;
		if (!begins_elf(head, &filled, block, size, (uint64_t)at))
			return 0;
		if (first)
			err = spool_open(image);
		if (!err)
			err = write_all(image->spool, block, size, at);
		if (err)
			return err;
	}
	if (status != ARCHIVE_EOF)
		return -EIO;
	return filled == SELFMAG;
}

static void judge_entry(struct image *image, struct image_layer *layer, struct archive *a,
			const char *path)
{
	struct scan_origin origin = {
		.path = path, .image = image->path, .layer = layer->name, .held = &layer->results};
	struct stat status;
	int result = spool_entry(image, a);
	if (result < 0)
		weft__scan_error(image->worker->scan, image->path, "%s in %s cannot be read: %s",
				 path, layer->name, strerror(-result));
	if (result != 1 || fstat(image->spool, &status))
		return;
	weft__scan_count(image->worker->scan, 0, 1);
	weft__scan_judge(image->worker, image->spool, &status, &origin);
}

/* Another name of a file of this layer: its results get that name too. */
static void link_entry(struct image_layer *layer, const char *target, const char *path)
{
	char *normal = weft__path_normal(target);
	for (struct scan_result *r = layer->results; r; r = r->next)
		for (const struct scan_name *n = r->own_names; n; n = n->next)
			if (strcmp(n->path, normal) == 0) {
				weft__name_add(&r->own_names, path);
				break;
			}
	free(normal);
}

static int read_entry(struct image *image, struct image_layer *layer, struct archive *a,
		      struct archive_entry *entry)
{
	const char *name = weft__archive.entry_pathname(entry),
		   *link = weft__archive.entry_hardlink(entry);
	if (!name)
		name = weft__archive.entry_pathname_utf8(entry);
	if (!name)
		return -EINVAL;
	char *path = weft__path_normal(name);
	int err = weft__paths_record(&image->paths, layer->number, path,
				     weft__archive.entry_filetype(entry) == AE_IFDIR);
	weft__scan_count(image->worker->scan, 1, 0);
	if (err)
		weft__scan_error(image->worker->scan, image->path,
				 "more names than the scanner keeps");
	else if (link)
		link_entry(layer, link, path);
	else if (weft__archive.entry_filetype(entry) == AE_IFREG)
		judge_entry(image, layer, a, path);
	free(path);
	return err;
}

static void read_layer(struct image *image, struct image_layer *layer, struct archive *a)
{
	struct archive_entry *entry;
	int status;
	while ((status = weft__archive.read_next_header(a, &entry)) >= ARCHIVE_WARN &&
	       status != ARCHIVE_EOF) {
		weft__scan_tick(image->worker);
		if (!weft__image_budget(image, 512) || read_entry(image, layer, a, entry) == -E2BIG)
			return;
	}
	if (status != ARCHIVE_EOF)
		weft__scan_error(image->worker->scan, image->path,
				 "%s cannot be read to the end: %s", layer->name,
				 weft__archive.error_string(a) ? weft__archive.error_string(a)
							       : "broken");
}

void weft__image_layer(struct image *image, const struct image_member *member, const void *head,
		       size_t length)
{
	struct image_layer *layer = cli_alloc(sizeof(*layer));
	struct layer_source *source = cli_alloc(sizeof(*source));
	struct archive *a = weft__image_archive();
	layer->name = cli_strdup(member->name);
	layer->number = image->layer_count++;
	layer->next = image->layers;
	image->layers = layer;
	source->member = member;
	source->head = head;
	source->head_length = length;
	if (a && weft__archive.read_open(a, source, NULL, source_read, NULL) == ARCHIVE_OK)
		read_layer(image, layer, a);
	else
		weft__scan_error(image->worker->scan, image->path, "%s cannot be read: %s",
				 member->name, a ? weft__archive.error_string(a) : "out of memory");
	if (a)
		weft__archive.read_free(a);
	free(source);
}
