/* SPDX-License-Identifier: MIT */
/* engine.h: what the parts of the scanner share: work items, workers, reporting. */
#ifndef WEFT_CLI_SCAN_ENGINE_H
#define WEFT_CLI_SCAN_ENGINE_H

#include "cli/scan/scan.h"

/* The directory that an operand named; shared by the work below it. */
struct scan_root {
	int fd;
	char *prefix; /* what the operand was called */
	unsigned references;
};

/* Where an open file came from. */
struct scan_origin {
	const char *path;
	const char *image, *layer;   /* owned by the image's work, which outlives the file's */
	struct scan_seen_file *file; /* its entry in the seen set; NULL inside images */
	bool insist; /* that it is a program or library is not in doubt: else an error */
	/* Where results wait until it is known whether they count; NULL: report them. */
	struct scan_result **held;
};

struct scan_work {
	struct scan_work *next;
	void (*run)(struct scan_worker *w, struct scan_work *item); /* frees the item */
	char *path;	/* an operand, a directory relative to `root`, a file's display name */
	char *fallback; /* a second path to the same file */
	struct scan_root *root;
	dev_t device; /* of the directory above */
	bool insist;  /* of an operand: see weft__scan_open_file */
	int fd;	      /* an open file, else -1; `origin` goes with it */
	struct scan_origin origin;
};

struct scan_worker {
	struct scan_worker *next;
	struct scan *scan;
	pthread_t thread;
	int64_t since; /* when it began what it does; 0: idle. The worker writes, the watch reads */
	char *doing;   /* what that is; under the lock */
	bool abandoned; /* under the lock */
	/* The watch's own: what it saw of view.fills, and when that last rose. */
	uint64_t fills_seen;
	int64_t answered;
	struct view view;
	struct elf_image elf;
	struct go_image go;
};

void weft__scan_push(struct scan *scan, struct scan_work *item);
struct scan_work *weft__scan_item(void (*run)(struct scan_worker *, struct scan_work *));

/* The worker begins with `path`: starts its clock. */
void weft__scan_begin(struct scan_worker *w, const char *path);
/* The same piece of work goes on: restarts the clock. */
void weft__scan_tick(struct scan_worker *w);

void weft__scan_error(struct scan *scan, const char *path, const char *format, ...)
	printf_like(3, 4);
/* Takes the result over, and drops it when the worker was abandoned. */
void weft__scan_report(struct scan_worker *w, struct scan_result *result);
void weft__results_free(struct scan_result *results);
void weft__scan_count(struct scan *scan, uint64_t files, uint64_t elf);

/*
 * Judges `size` bytes of `fd` and reports what it finds. The descriptor stays the caller's. Adds
 * one result per rule when the file is Go, or packed so that this is not known.
 */
void weft__scan_judge(struct scan_worker *w, int fd, const struct stat *status,
		      const struct scan_origin *origin);

/* Completes a result whose Go runtime is a shared library, when that can be found (runtime.c). */
void weft__scan_find_runtime(struct scan_worker *w, const struct scan_origin *origin,
			     struct scan_result *result);

/*
 * An open regular file: judges it if it is ELF and was not seen yet, here or on another worker.
 * `insist`: anything but a program or library is an error. Returns false when it is readable and no
 * ELF file. Closes `fd`.
 */
bool weft__scan_open_file(struct scan_worker *w, int fd, const char *path, bool insist);

/* The seen set (seen.c): device and inode of every ELF file. */
struct scan_seen_file {
	struct scan_seen_file *next;
	dev_t device;
	ino_t inode;
	bool judged; /* or about to be */
	bool named;  /* met by path, not only through a process */
	struct scan_name *names;
	struct scan_process
		*processes; /* that execute or map it; what is known when they are listed */
};

struct scan_seen *weft__seen_new(void);
void weft__seen_free(struct scan_seen *seen);
/* The file's entry; *first tells whether it is new. The caller holds the scan's lock. */
struct scan_seen_file *weft__seen_file(struct scan_seen *seen, dev_t device, ino_t inode,
				       bool *first);
void weft__name_add(struct scan_name **names, const char *path);
bool weft__names_have(const struct scan_name *names, const char *path);
void weft__names_free(struct scan_name *names);
void weft__processes_free(struct scan_process *processes);

/* Fills in the processes of the results once all files are judged (process.c). */
void weft__scan_processes_finish(struct scan *scan);

#endif
