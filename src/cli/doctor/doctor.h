/* SPDX-License-Identifier: MIT */
/*
 * doctor.h: what `weft doctor` collects: facts in groups, and findings with advice.
 *
 * Each examiner (a file of this folder) asks the system, never guesses from version numbers, and
 * calls doctor_fact and doctor_finding. A fact that cannot be found out is reported as that.
 */
#ifndef WEFT_CLI_DOCTOR_DOCTOR_H
#define WEFT_CLI_DOCTOR_DOCTOR_H

#include "cli/shell/cli.h"

struct doctor;

/*
 * A fact: `group` and `key` name it in JSON, where `value` (taken over) stands; in the table it is
 * `text`. `key` with blanks for underscores is its title.
 */
void doctor_fact(struct doctor *d, const char *group, const char *key, json_t *value,
		 enum cli_tone tone, const char *text, ...) printf_like(6, 7);
/* Something that stands in the way, and what to do about it, in one line. */
void doctor_finding(struct doctor *d, const char *id, const char *advice, ...) printf_like(3, 4);

void doctor_kernel(struct doctor *d); /* kernel, processors, what it offers */
void doctor_calls(struct doctor *d);  /* those that a sandbox may refuse */
void doctor_limits(struct doctor *d); /* what binds this process */
void doctor_random(struct doctor *d); /* vDSO, libc, speed */
/*
 * Go programs with the crash: running, and in these places (count 0: the usual ones). Returns false
 * when one of the places could not be looked at, which it tells.
 */
bool doctor_go(struct doctor *d, char **places, unsigned count);

/* The number in a file of /proc/sys; -1 when it cannot be read. */
int64_t doctor_sysctl(const char *path);

#endif
