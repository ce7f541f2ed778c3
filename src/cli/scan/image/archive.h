/* SPDX-License-Identifier: MIT */
/*
 * archive.h: libarchive, loaded when the first image is opened.
 *
 * It brings ICU and ten other libraries along, which take several times as long to load as
 * everything else that `weft shield` does to start a command. A static weft has it built in.
 */
#ifndef WEFT_CLI_SCAN_IMAGE_ARCHIVE_H
#define WEFT_CLI_SCAN_IMAGE_ARCHIVE_H

#include <archive.h>
#include <archive_entry.h>

/* What is used of it: CALL(name) for archive_name. */
#define ARCHIVE_CALLS(CALL) \
	CALL(entry_filetype) \
	CALL(entry_hardlink) \
	CALL(entry_pathname) \
	CALL(entry_pathname_utf8) \
	CALL(entry_symlink) \
	CALL(error_string) \
	CALL(read_data) \
	CALL(read_data_block) \
	CALL(read_free) \
	CALL(read_new) \
	CALL(read_next_header) \
	CALL(read_open) \
	CALL(read_open_fd) \
	CALL(read_support_filter_bzip2) \
	CALL(read_support_filter_gzip) \
	CALL(read_support_filter_xz) \
	CALL(read_support_filter_zstd) \
	CALL(read_support_format_raw) \
	CALL(read_support_format_tar) \
	CALL(set_error)

struct archive_calls {
#define CALL(name) __typeof__(archive_##name) *name;
	ARCHIVE_CALLS(CALL)
#undef CALL
};

/* Valid after weft__archive_load. */
extern struct archive_calls weft__archive;

/* Ends the command when there is no libarchive. Callable from any thread, any number of times. */
void weft__archive_load(void);

#endif
