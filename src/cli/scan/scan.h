/* SPDX-License-Identifier: MIT */
/*
 * scan.h: the scanner behind `weft scan` and `weft doctor`: looks at files, directories, processes
 * and container images and collects a verdict for every Go binary it meets.
 *
 * Use: weft__scan_new, any number of weft__scan_add_*, weft__scan_run once, then read `results` and
 * `errors`, which are sorted and final; weft__scan_free.
 *
 * The parts: weft__scan_run starts workers and watches them; a worker takes work (a directory, an
 * open file, an image) from one list, last in first out, so that the list stays short. Everything
 * in struct scan that changes after the start is written with `lock` held. A worker that hangs
 * longer than the time limit (a dead network file system) is abandoned: its place is filled, its
 * late results are dropped, the path is reported as an error.
 *
 * A file is looked at once, whatever its number of names (device and inode decide). A failure never
 * ends the scan and never hides a finding: it is one entry of `errors`.
 */
#ifndef WEFT_CLI_SCAN_SCAN_H
#define WEFT_CLI_SCAN_SCAN_H

#include <pthread.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "cli/gobin/judge.h"
#include "cli/shell/cli.h"

struct scan_options {
	bool one_file_system;
	bool progress; /* on stderr, when that is a terminal */
	/* Patterns against the whole path and against the last component. */
	struct cli_list exclude;
	unsigned jobs;	     /* 0: two per CPU */
	unsigned time_limit; /* seconds that one file may take; 0: no limit */
	/* Was the code of a running process changed so that it is safe? NULL: not known. */
	bool (*is_made_safe)(pid_t pid);
};

struct scan_name {
	struct scan_name *next;
	char path[];
};

enum scan_answer { SCAN_NO, SCAN_YES, SCAN_NOT_KNOWN };

/* A running process that executes the file (as its program or as a library). */
struct scan_process {
	struct scan_process *next;
	pid_t pid;
	char name[16];
	bool deleted;	       /* the file has no name any more */
	bool library;	       /* the file is not its program but mapped by it */
	bool seccomp;	       /* under a filter, which may refuse pages for states */
	enum scan_answer vdso; /* does it see the symbol that the rule needs? */
	/* Of the file, or `mitigated`: the symbol is hidden from it, or its code was changed. */
	enum go_verdict verdict;
	/* Pages of states now; how many the first batch holds (0: not known). */
	unsigned pages, page_limit;
};

struct scan_result {
	struct scan_result *next;      /* while it waits in an image */
	const char *path;	       /* the first of its names in alphabetical order */
	const struct scan_name *names; /* all names that were met */
	/* Of a file in a container image: which one, and the layer's digest; else NULL. */
	char *image, *layer;
	bool named;  /* met by path, not only through a process */
	bool packed; /* by UPX */
	char version[96], arch[16];
	struct go_judgement judgement;
	struct scan_process *processes;
	struct scan_name *own_names; /* of a file in an image, which the seen set does not know */
	struct scan_seen_file *file; /* its entry in the seen set, or NULL */
};

struct scan_error {
	char *path;
	char *message;
};

struct scan_counts {
	uint64_t files, elf, go, processes, errors;
	uint64_t not_elf; /* operands that are files, and no ELF files */
	uint64_t denied;  /* processes that the kernel does not let us look at */
};

/* What the machine itself is like. */
struct scan_host {
	char kernel[65], machine[65];
	/* Does its vDSO export the getrandom symbol? Looked at, not inferred. */
	enum scan_answer vdso;
	unsigned cpus;
	/* Pages of the first batch of states; a process with more of them is primed. */
	unsigned page_limit;
};

struct scan_seen;
struct scan_seen_file;
struct scan_work;
struct scan_worker;

struct scan {
	struct scan_options options;
	struct scan_host host;
	pthread_mutex_t lock;
	pthread_cond_t changed; /* for workers: work was added, or there will be no more */
	pthread_cond_t idle;	/* for the watch: the last worker became idle */
	struct scan_work *work; /* the list, newest first */
	unsigned pending;	/* items in it */
	unsigned busy;		/* workers that may still add to it */
	unsigned open_files;	/* items that hold an open file */
	struct scan_worker *workers;
	bool abandoned; /* a worker was left behind */
	bool over;	/* results and errors are final */
	struct scan_seen *seen;
	struct scan_counts counts;
	struct scan_result **results;
	size_t result_count;
	struct scan_error *errors; /* the first SCAN_ERRORS; counts.errors has all */
	size_t error_count;
};

#define SCAN_ERRORS 1000

struct scan *weft__scan_new(const struct scan_options *options);
void weft__scan_free(struct scan *scan);

/*
 * A file or directory. A symbolic link given here is followed, none is below it. `insist`: a file
 * that is neither a program nor a library is an error.
 */
void weft__scan_add_path(struct scan *scan, const char *path, bool insist);
/* An OCI layout (directory or tar), or the output of `docker save` or `docker export`. */
void weft__scan_add_image(struct scan *scan, const char *path);
/* Every process: its program and the libraries that it maps. */
void weft__scan_add_processes(struct scan *scan);

/* Works until nothing is left. */
void weft__scan_run(struct scan *scan);

/* The worst of all results; a file that only processes led to counts as its worst process. */
enum go_verdict weft__scan_worst(const struct scan *scan);
/*
 * The exit status: findings first, then failures, of which a process that could not be looked at is
 * one. `strict` makes findings of dormant and unknown.
 */
int weft__scan_status(const struct scan *scan, bool strict);

void weft__scan_host_read(struct scan_host *host);

#endif
