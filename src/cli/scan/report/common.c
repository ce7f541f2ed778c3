/* SPDX-License-Identifier: MIT */
/* common.c: times, URIs and words that several forms of report share. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/scan/report/report.h"

const char *weft__answer_name(enum scan_answer answer)
{
	static const char *const names[] = {
		[SCAN_NO] = "no", [SCAN_YES] = "yes", [SCAN_NOT_KNOWN] = "not known"};
	return names[answer];
}

const char *weft__output_time(char room[32])
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	time_t now = epoch ? (time_t)strtoll(epoch, NULL, 10) : time(NULL);
	struct tm parts;
	if (!gmtime_r(&now, &parts) || !strftime(room, 32, "%Y-%m-%dT%H:%M:%SZ", &parts))
		strcpy(room, "1970-01-01T00:00:00Z");
	return room;
}

/* What RFC 3986 lets stand in a path as it is; a colon could be read as a scheme. */
static bool is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       strchr("-._~/+@,=", c);
}

char *weft__output_uri(const char *path)
{
	const char *scheme = *path == '/' ? "file://" : "";
	char *uri = cli_alloc(strlen(scheme) + 3 * strlen(path) + 1);
	char *end = stpcpy(uri, scheme);
	for (const unsigned char *p = (const unsigned char *)path; *p; p++)
		end += is_plain(*p) ? sprintf(end, "%c", *p) : sprintf(end, "%%%02X", *p);
	return uri;
}
