/* SPDX-License-Identifier: MIT */
/*
 * layer.c: one layer: a tar, whose ELF files are judged one by one from a temporary file without a
 * name.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/scan/image/image.h"

#define READ_SIZE (64u << 10)

/*
 * A layer passes through two readers: the outer one takes its compression off, the inner one reads
 * the tar that is left. Between them stands the digest of the tar.
 */
struct layer_source {
	const struct image_member *member;
	const void *head; /* what was read to find out that it is a layer; then comes the rest */
	size_t head_length;
	struct archive *outer;
	bool summed;
	struct digest digest;
	unsigned char packed[READ_SIZE], plain[READ_SIZE];
};

static la_ssize_t packed_read(struct archive *a, void *data, const void **buffer)
{
	struct layer_source *s = data;
	if (s->head_length) {
		size_t length = s->head_length;
		s->head_length = 0;
		*buffer = s->head;
		return (la_ssize_t)length;
	}
	ssize_t got = s->member->read(s->member->source, s->packed, sizeof(s->packed));
	if (got < 0)
		weft__archive.set_error(a, EIO, "the container cannot be read");
	*buffer = s->packed;
	return got;
}

static const char *error_text(struct archive *a)
{
	const char *text = a ? weft__archive.error_string(a) : "out of memory";
	return text ? text : "broken";
}

static la_ssize_t plain_read(struct archive *a, void *data, const void **buffer)
{
	struct layer_source *s = data;
	la_ssize_t got = weft__archive.read_data(s->outer, s->plain, sizeof(s->plain));
	if (got < 0)
		weft__archive.set_error(a, EIO, "%s", error_text(s->outer));
	else if (s->summed)
		weft__digest_add(&s->digest, s->plain, (size_t)got);
	*buffer = s->plain;
	return got < 0 ? ARCHIVE_FATAL : got;
}

static struct archive *reader(bool filters)
{
	weft__archive_load();
	struct archive *a = weft__archive.read_new();
	if (!a || !filters)
		return a;
	/* No filter that would start a program. */
	weft__archive.read_support_filter_gzip(a);
	weft__archive.read_support_filter_zstd(a);
	weft__archive.read_support_filter_xz(a);
	weft__archive.read_support_filter_bzip2(a);
	return a;
}

struct archive *weft__image_archive(void)
{
	struct archive *a = reader(true);
	if (a)
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

/*
 * Does the entry begin like ELF? Blocks may be as short as a byte. -1: too few bytes to tell yet.
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
				 path, layer->name ? layer->name : "it", strerror(-result));
	if (result != 1 || fstat(image->spool, &status))
		return;
	weft__scan_count(image->worker->scan, 0, 1);
	weft__scan_judge(image->worker, image->spool, &status, &origin);
}

/* Is `path` this name, or (for what is no directory) below it? */
static bool is_replaced(const char *path, const char *name, bool directory)
{
	size_t length = strlen(name);
	return strncmp(path, name, length) == 0 &&
	       (!path[length] || (!directory && path[length] == '/'));
}

static void remove_names(struct scan_name **names, const char *name, bool directory)
{
	for (struct scan_name *gone; (gone = *names);) {
		if (!is_replaced(gone->path, name, directory)) {
			names = &gone->next;
			continue;
		}
		*names = gone->next;
		free(gone);
	}
}

/* An entry takes the place of what the layer had under its name; hard links keep their files. */
static void forget_replaced(struct image_layer *layer, const char *name, bool directory)
{
	for (struct scan_result **at = &layer->results, *r; (r = *at);) {
		remove_names(&r->own_names, name, directory);
		if (r->own_names) {
			at = &r->next;
			continue;
		}
		*at = r->next;
		r->next = NULL;
		weft__results_free(r);
	}
	for (struct image_link *l = layer->links; l; l = l->next)
		if (is_replaced(l->name, name, directory))
			l->name[0] = '\0'; /* it has no name any more */
}

/* Another name of a file of this layer: its results get that name too. False: there are none. */
static bool link_own(struct image_layer *layer, const char *target, const char *path)
{
	bool found = false;
	for (struct scan_result *r = layer->results; r; r = r->next) {
		if (!weft__names_have(r->own_names, target))
			continue;
		weft__name_add(&r->own_names, path);
		found = true;
	}
	return found;
}

static void link_lower(struct image *image, struct image_layer *layer, const char *target,
		       const char *path)
{
	if (image->link_count++ == IMAGE_LINKS_MAX)
		weft__scan_error(image->worker->scan, image->path,
				 "more than %u hard links between layers", IMAGE_LINKS_MAX);
	if (image->link_count > IMAGE_LINKS_MAX)
		return;
	struct image_link *l = cli_alloc(sizeof(*l));
	l->name = cli_strdup(path);
	l->target = cli_strdup(target);
	*layer->last_link = l;
	layer->last_link = &l->next;
}

/* Does the layer hold the name itself, and not by a link to a lower layer? */
static bool is_own(const struct image *image, const struct image_layer *layer, const char *name)
{
	for (const struct image_link *l = layer->links; l; l = l->next)
		if (strcmp(l->name, name) == 0)
			return false;
	return weft__paths_has(&image->paths, layer->number, MARK_PRESENT, name, strlen(name));
}

/* A target that the layer does not hold is of a lower one. */
static void link_entry(struct image *image, struct image_layer *layer, const char *link,
		       const char *path)
{
	char *target = weft__path_normal(link);
	if (strcmp(target, path) && !link_own(layer, target, path) && !is_own(image, layer, target))
		link_lower(image, layer, target, path);
	free(target);
}

static int read_entry(struct image *image, struct image_layer *layer, struct archive *a,
		      struct archive_entry *entry)
{
	const char *name = weft__archive.entry_pathname(entry),
		   *link = weft__archive.entry_hardlink(entry);
	bool directory = weft__archive.entry_filetype(entry) == AE_IFDIR;
	if (!name)
		name = weft__archive.entry_pathname_utf8(entry);
	if (!name)
		return -EINVAL;
	char *path = weft__path_normal(name);
	int err = weft__paths_record(&image->paths, layer->number, path, directory);
	weft__scan_count(image->worker->scan, 1, 0);
	forget_replaced(layer, path, directory);
	if (err)
		weft__scan_error(image->worker->scan, image->path,
				 "more names than the scanner keeps");
	else if (link)
		link_entry(image, layer, link, path);
	else if (weft__archive.entry_filetype(entry) == AE_IFREG)
		judge_entry(image, layer, a, path);
	free(path);
	return err;
}

/* Returns true when it was read to its end. */
static bool read_layer(struct image *image, struct image_layer *layer, struct archive *a)
{
	struct archive_entry *entry;
	int status;
	while ((status = weft__archive.read_next_header(a, &entry)) >= ARCHIVE_WARN &&
	       status != ARCHIVE_EOF) {
		weft__scan_tick(image->worker);
		if (!weft__image_budget(image, 512) || read_entry(image, layer, a, entry) == -E2BIG)
			return false;
	}
	if (status != ARCHIVE_EOF)
		weft__scan_error(image->worker->scan, image->path,
				 "%s cannot be read to the end: %s",
				 layer->name ? layer->name : "it", error_text(a));
	return status == ARCHIVE_EOF;
}

static struct image_layer *layer_new(struct image *image, const char *name)
{
	struct image_layer *layer = cli_alloc(sizeof(*layer));
	layer->name = name ? cli_strdup(name) : NULL;
	layer->number = image->layer_count++;
	layer->last_link = &layer->links;
	layer->next = image->layers;
	image->layers = layer;
	return layer;
}

/* What follows the end of the tar belongs to the digest as well. */
static void finish_digest(struct image *image, struct image_layer *layer, struct layer_source *s)
{
	const void *rest;
	la_ssize_t got;
	while ((got = plain_read(s->outer, s, &rest)) > 0) {
		weft__scan_tick(image->worker);
		if (!weft__image_budget(image, (uint64_t)got))
			return;
	}
	if (got == 0 && s->summed)
		weft__digest_end(&s->digest, layer->digest);
}

static bool open_layer(struct layer_source *s, struct archive *inner)
{
	struct archive_entry *whole;
	if (!s->outer || !inner)
		return false;
	weft__archive.read_support_format_raw(s->outer);
	weft__archive.read_support_format_tar(inner);
	return weft__archive.read_open(s->outer, s, NULL, packed_read, NULL) == ARCHIVE_OK &&
	       weft__archive.read_next_header(s->outer, &whole) == ARCHIVE_OK &&
	       weft__archive.read_open(inner, s, NULL, plain_read, NULL) == ARCHIVE_OK;
}

void weft__image_layer(struct image *image, const struct image_member *member, const void *head,
		       size_t length, bool blob)
{
	struct image_layer *layer = layer_new(image, member->name);
	struct layer_source *s = cli_alloc(sizeof(*s));
	struct archive *inner = reader(false);
	s->member = member;
	s->head = head;
	s->head_length = length;
	s->summed = !blob;
	s->outer = reader(true);
	weft__digest_start(&s->digest);
	if (!open_layer(s, inner))
		weft__scan_error(image->worker->scan, image->path, "%s cannot be read: %s",
				 member->name, error_text(s->outer));
	else if (read_layer(image, layer, inner))
		finish_digest(image, layer, s);
	if (inner)
		weft__archive.read_free(inner);
	if (s->outer)
		weft__archive.read_free(s->outer);
	free(s);
}

void weft__image_root(struct image *image, struct archive *a)
{
	struct image_layer *layer = layer_new(image, NULL);
	read_layer(image, layer, a);
	weft__image_report_layer(image, layer, NULL);
}
