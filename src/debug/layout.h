/* SPDX-License-Identifier: MIT */
/*
 * layout.h: where another process finds things in a program that runs on weft, of this version or
 * another.
 *
 * The library holds one such table, which begins with the magic; `weft ps`, `dump` and `trace` look
 * for it in the memory of the process (so a stripped or static program works, too), or in its core
 * file. A reader takes every offset from the table. Numbers are added at the end, and none ever
 * changes its meaning; a change that would need it gets another magic.
 */
#ifndef WEFT_DEBUG_LAYOUT_H
#define WEFT_DEBUG_LAYOUT_H

#include <stdint.h>

#define LAYOUT_MAGIC "weft layout 2\0\0" /* 16 bytes with the last zero */

/* LAYOUT(name): a number of the table. Sizes and offsets are in bytes. */
/* clang-format off */
#define LAYOUT_NUMBERS(LAYOUT) \
	LAYOUT(runtime_running) \
	LAYOUT(runtime_processor_count) \
	LAYOUT(runtime_thread_count) \
	LAYOUT(runtime_tracing) \
	LAYOUT(runtime_trace_room) \
	LAYOUT(runtime_trace_rings) \
	LAYOUT(class_size) \
	LAYOUT(class_used) \
	LAYOUT(class_stack) \
	LAYOUT(class_records) \
	LAYOUT(class_count) \
	LAYOUT(region_count) \
	LAYOUT(region_first_records) \
	LAYOUT(task_size) \
	LAYOUT(task_stack) \
	LAYOUT(task_sp) \
	LAYOUT(task_id) \
	LAYOUT(task_state) \
	LAYOUT(task_why) \
	LAYOUT(task_since) \
	LAYOUT(task_thread) \
	LAYOUT(task_locked_thread) \
	LAYOUT(task_named) \
	LAYOUT(task_name) \
	LAYOUT(task_name_size) \
	LAYOUT(stack_name) \
	LAYOUT(thread_number) \
	LAYOUT(thread_tid) \
	LAYOUT(frame_pc) \
	LAYOUT(frame_fp) \
	LAYOUT(ring_written) \
	LAYOUT(ring_events) \
	LAYOUT(event_size) \
	LAYOUT(ring_at) \
	LAYOUT(task_special) \
	LAYOUT(special_unborn) \
	LAYOUT(task_fn)
/* clang-format on */

#define LAYOUT(name) +1
enum { LAYOUT_COUNT = 0 LAYOUT_NUMBERS(LAYOUT) };
#undef LAYOUT

struct weft_debug_layout {
	char magic[16] __attribute__((aligned(16))); /* readers look only at such addresses */
	uint64_t runtime, classes;		     /* addresses */
	uint64_t count;				     /* numbers that follow */
#define LAYOUT(name) uint32_t name;
	LAYOUT_NUMBERS(LAYOUT)
#undef LAYOUT
};

extern const struct weft_debug_layout weft__debug_layout;

#endif
