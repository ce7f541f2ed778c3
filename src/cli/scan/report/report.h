/* SPDX-License-Identifier: MIT */
/*
 * report.h: the forms in which a finished scan is reported.
 *
 * Each form is one function; none decides anything: verdicts and the exit status are the scan's.
 */
#ifndef WEFT_CLI_SCAN_REPORT_REPORT_H
#define WEFT_CLI_SCAN_REPORT_REPORT_H

#include "cli/scan/scan.h"

void weft__output_table(const struct scan *scan, FILE *out);
void weft__output_json(const struct scan *scan, FILE *out);
void weft__output_sarif(const struct scan *scan, FILE *out);
void weft__output_openvex(const struct scan *scan, FILE *out);
void weft__output_prometheus(const struct scan *scan, FILE *out);

/* "yes", "no", "not known" */
const char *weft__answer_name(enum scan_answer answer);
/* `path` as a URI reference: file:/// when it is absolute, else relative; the caller frees. */
char *weft__output_uri(const char *path);
/* The time of the report, "2025-05-06T12:00:00Z"; SOURCE_DATE_EPOCH makes it reproducible. */
const char *weft__output_time(char room[32]);

#endif
