/* SPDX-License-Identifier: MIT */
/*
 * image.h: container images, as the scanner sees them.
 *
 * A container (a tar or a directory) has members: JSON documents, which say what the image is made
 * of, and layers, which are tars in the container, compressed or not. Members come in any order, so
 * everything is read once in the order it comes and put together at the end: image.c reads the
 * container, layer.c one layer, manifest.c puts together, with the names that stack.c finds
 * visible. paths.c remembers what each layer holds, replaces and deletes.
 *
 * A tar that has no documents and holds the file system itself (`docker export`) is read as one
 * layer.
 *
 * A blob bears the digest of its bytes as its name, a layer of `docker save` has the digest of its
 * tar in the image's configuration: both are computed while the bytes pass by (digest.c), and what
 * differs is an error. What was found in it is reported all the same.
 *
 * Nothing is ever unpacked to a name: a program in a layer goes to one temporary file without a
 * name.
 */
#ifndef WEFT_CLI_SCAN_IMAGE_IMAGE_H
#define WEFT_CLI_SCAN_IMAGE_IMAGE_H

#include "cli/scan/image/archive.h"
#include "cli/scan/image/digest.h"

#include "cli/scan/engine.h"

#define IMAGE_BYTES_MAX (64ull << 30)	  /* unpacked bytes of one image: more is a bomb */
#define IMAGE_FILE_MAX (4ull << 30)	  /* of one program in it */
#define IMAGE_DOCUMENT_MAX (4u << 20)	  /* of one JSON document */
#define IMAGE_DOCUMENTS_BYTES (16u << 20) /* of all of them: they are kept in memory */
#define IMAGE_MEMBERS_MAX 100000u
#define IMAGE_STACKS_MAX 1000u	   /* images in one container: an index may name itself */
#define IMAGE_PATHS_MAX (2u << 20) /* names in all layers: 32 MiB of hashes */
#define IMAGE_LINKS_MAX 100000u	   /* hard links into lower layers */

/* A set of (layer, kind, path), by 64-bit hash with a random seed. */
enum image_mark {
	MARK_PRESENT = 1,   /* the layer has something of this name */
	MARK_NOT_DIRECTORY, /* ... and no directory: what lower layers have below it is gone */
	MARK_WHITEOUT,	    /* the layer deletes this name and what is below it */
	MARK_OPAQUE,	    /* the layer deletes what lower layers have below this directory */
};
struct image_paths {
	uint64_t *slots; /* 0: free */
	size_t size, count;
	uint64_t seed;
};
/* -E2BIG: the set is full. */
int weft__paths_add(struct image_paths *set, unsigned layer, enum image_mark mark, const char *path,
		    size_t length);
bool weft__paths_has(const struct image_paths *set, unsigned layer, enum image_mark mark,
		     const char *path, size_t length);
/* Records an entry of a layer, whiteouts included. */
int weft__paths_record(struct image_paths *set, unsigned layer, const char *path, bool directory);
/* Does layer `upper` hide `path` of a layer below it? */
bool weft__paths_hidden(const struct image_paths *set, unsigned upper, const char *path);
/* `path` without leading slashes, "." and ".." (which never leads out); the caller frees. */
char *weft__path_normal(const char *path);

/* A hard link in a layer to a file that the layer does not hold: one of a lower layer. */
struct image_link {
	struct image_link *next;
	char *name, *target;
};

struct image_layer {
	struct image_layer *next;
	char *name;	 /* of the member; NULL: the container is the layer */
	unsigned number; /* in the set of paths */
	struct scan_result *results;
	struct image_link *links, **last_link; /* in the order of the tar */
	char digest[DIGEST_TEXT]; /* of its tar; "": a blob, or it was not read whole */
};

/*
 * A member of the container, the last one of that name: a JSON document (`root`), another name of a
 * member (`target`, when the container links to it), or anything else.
 */
struct image_document {
	struct image_document *next;
	char *name, *target;
	json_t *root;
};

/* The layers of one image, lowest first. */
#define IMAGE_LAYERS 512 /* of one image; container runtimes stop at 127 */
struct image_stack {
	struct image_layer *layers[IMAGE_LAYERS];
	const char *digests[IMAGE_LAYERS];
	unsigned count;
};

/* One member of the container; `read` returns its bytes from the start. */
struct image_member {
	const char *name;
	ssize_t (*read)(void *source, void *buffer, size_t size); /* 0: end; negative: failed */
	void *source;
};

struct image {
	struct scan_worker *worker;
	const char *path;
	struct image_layer *layers;
	unsigned layer_count, member_count, stack_count, link_count;
	struct image_document *documents;
	size_t document_bytes;
	struct image_paths paths;
	uint64_t bytes; /* unpacked so far */
	int spool;	/* the temporary file, or -1 */
};

/* Reads a member of the container: a document, a layer, or nothing of interest. */
void weft__image_member(struct image *image, const struct image_member *member);
/* A reader for tars under the compressions that images use. NULL: no memory. */
struct archive *weft__image_archive(void);
/* Reads a layer whose first bytes are `head`. `blob`: its name is its digest. */
void weft__image_layer(struct image *image, const struct image_member *member, const void *head,
		       size_t length, bool blob);
/* Reads the container itself as a layer. */
void weft__image_root(struct image *image, struct archive *a);
/* Counts unpacked bytes; false when there are too many (reported once). */
bool weft__image_budget(struct image *image, uint64_t bytes);
/* Reports what of these layers is visible when they lie upon each other. */
void weft__image_report_stack(struct image *image, const struct image_stack *stack);
/* Reports all that a layer holds, under this digest (NULL: none). */
void weft__image_report_layer(struct image *image, struct image_layer *layer, const char *digest);
/* Reports what is visible in at least one of the container's images. */
void weft__image_finish(struct image *image);

#endif
