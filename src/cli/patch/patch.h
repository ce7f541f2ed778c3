/* SPDX-License-Identifier: MIT */
/*
 * patch.h: one byte of a Go binary on disk, changed and changed back.
 *
 *   plan.c     which byte, and whether there is anything to change at all; reads hostile bytes,
 *              writes nothing
 *   file.c     a file replaced by its copy with another byte, or not at all
 *   undo.c     the record beside the file
 *   command.c  the command
 */
#ifndef WEFT_CLI_PATCH_PATCH_H
#define WEFT_CLI_PATCH_PATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

enum patch_state {
	PATCH_NEEDED,	  /* the byte is the compiler's */
	PATCH_DONE,	  /* the byte is ours */
	PATCH_NOT_NEEDED, /* not affected; `reason` says why */
	PATCH_REFUSED,	  /* not understood; `reason` says what */
};

struct patch_plan {
	enum patch_state state;
	char reason[256];
	const char *symbol;	/* PATCH_NEEDED, PATCH_DONE: what the runtime looks up ... */
	uint64_t offset;	/* ... where the last byte of that name stands ... */
	unsigned char old, new; /* ... as compiled, and as patched */
};

/* `force`: accept a file that has the key but cannot be judged (packed, obfuscated). */
void weft__patch_plan(int fd, uint64_t size, bool force, struct patch_plan *plan);

struct patch_file {
	int fd, directory;
	char *path, *name; /* without symbolic links; the last part */
	char *copy;	   /* the name of its changed copy, while that is made */
	struct stat st;
};

/* Opens a regular file, following links. 0 or -errno; weft__patch_close in both cases. */
int weft__patch_open(struct patch_file *f, const char *path);
void weft__patch_close(struct patch_file *f);

/* Why the file must not be replaced by a copy of it, or NULL. */
const char *weft__patch_obstacle(const struct patch_file *f, bool hard_links);

/* One byte, and the time that the changed file bears (NULL: now). */
struct patch_change {
	uint64_t offset;
	unsigned char byte;
	const struct timespec *mtime;
};

/*
 * Makes a changed copy with all metadata, on stable storage, and puts it at `output` (NULL: in the
 * file's own place; otherwise a name that is free). What a killed patch left is removed. 0 or
 * -errno, and then nothing has changed; `doing` says what failed (NULL: making the copy). -EBUSY:
 * another patch of the file is at work.
 */
int weft__patch_write(const struct patch_file *f, const char *output,
		      const struct patch_change *change, const char **doing);

/* The record ".NAME.weft-undo" beside the file. 0 or -errno. */
int weft__undo_write(const struct patch_file *f, const struct patch_plan *plan);
/* The file's time before it was patched. -ENOENT: no record; -EINVAL: it is not this file's. */
int weft__undo_read(const struct patch_file *f, const struct patch_plan *plan,
		    struct timespec *mtime);
int weft__undo_remove(const struct patch_file *f);

#endif
