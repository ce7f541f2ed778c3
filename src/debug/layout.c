/* SPDX-License-Identifier: MIT */
/* layout.c: see layout.h. */
#include "debug/layout.h"

#include "arch/frame.h"
#include "sched/sched.h"
#include "sched/stack.h"
#include "sched/trace.h"

/* Nothing in the library reads it. */
const struct weft_debug_layout weft__debug_layout = {
	.magic = LAYOUT_MAGIC,
	.runtime = (uintptr_t)&weft__sched,
	.classes = (uintptr_t)weft__stack_classes,
	.count = LAYOUT_COUNT,
	.runtime_running = offsetof(struct runtime, running),
	.runtime_processor_count = offsetof(struct runtime, processor_count),
	.runtime_thread_count = offsetof(struct runtime, thread_count),
	.runtime_tracing = offsetof(struct runtime, trace.on),
	.runtime_trace_room = offsetof(struct runtime, trace.room),
	.runtime_trace_rings = offsetof(struct runtime, trace.rings),
	.class_size = sizeof(struct stack_class),
	.class_used = offsetof(struct stack_class, used),
	.class_stack = offsetof(struct stack_class, size),
	.class_records = offsetof(struct stack_class, records),
	.class_count = STACK_CLASSES,
	.region_count = STACK_REGIONS,
	.region_first_records = STACK_FIRST,
	.task_size = sizeof(struct task),
	.task_stack = offsetof(struct task, stack),
	.task_sp = offsetof(struct task, context.sp),
	.task_id = offsetof(struct task, id),
	.task_state = offsetof(struct task, state),
	.task_why = offsetof(struct task, why),
	.task_since = offsetof(struct task, since),
	.task_thread = offsetof(struct task, thread),
	.task_locked_thread = offsetof(struct task, locked_thread),
	.task_named = offsetof(struct task, named),
	.task_name = offsetof(struct task, name),
	.task_name_size = TASK_NAME,
	.stack_name = offsetof(struct stack, name),
	.thread_number = offsetof(struct thread, number),
	.thread_tid = offsetof(struct thread, tid),
	.frame_pc = FRAME_PC,
	.frame_fp = FRAME_FP,
	.ring_written = offsetof(struct trace_ring, written),
	.ring_events = offsetof(struct trace_ring, events),
	.event_size = sizeof(struct trace_event),
	.ring_at = offsetof(struct trace_ring, at),
	.task_special = offsetof(struct task, special),
	.special_unborn = TASK_UNBORN,
	.task_fn = offsetof(struct task, fn),
};
