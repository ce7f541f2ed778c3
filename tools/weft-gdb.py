# SPDX-License-Identifier: MIT
"""Tasks of weft in gdb: live processes and core files.

    info tasks        every task: id, name, state, what it waits for, its thread
    task N bt         the call stack of task N, wherever it is
    task all bt       those of all tasks

Loaded by hand (source weft-gdb.py), or by gdb itself when it lies beside the library as gdb's auto-load wants it.
Needs the library's debug information: all places of fields are read from it, none is written down here.

A task that waits has no thread whose registers gdb could show. For such a task an unwinder makes a frame of the
words that a context switch leaves on the task's stack (src/arch/*/switch.h), as the caller of whatever the selected
thread does; from there on gdb's own unwinding goes on.
"""
import contextlib
import os
import sys

import gdb
import gdb.unwinder

STATES = ("free", "runnable", "running", "waiting", "ended, not joined")
STACK_FIRST = 64  # enum in stack.h; region k holds STACK_FIRST << k slots
COLOURS, COLOUR_STEP, CACHE_LINE = 16, 128, 64  # stack.h
FREE, RUNNABLE, RUNNING, WAITING, ENDED = range(5)

# Per processor: registers of the stack pointer, frame pointer, program counter, and words of a parked frame by switch.h;
# what lies above those words when the context goes on.
MACHINES = {
    "i386:x86-64": {"sp": "rsp", "fp": "rbp", "pc": "rip", "pc_word": 0, "fp_word": 1, "size": 24 + 128},
    "aarch64": {"sp": "sp", "fp": "x29", "pc": "pc", "pc_word": 0, "fp_word": 1, "size": 32},
}


def machine():
    name = gdb.selected_frame().architecture().name()
    if name not in MACHINES:
        raise gdb.GdbError(f"weft does not run on {name}")
    return MACHINES[name]


def runtime():
    symbol = gdb.lookup_global_symbol("weft__sched") or gdb.lookup_static_symbol("weft__sched")
    if symbol is None:
        raise gdb.GdbError("no weft here (or its debug information is missing)")
    return symbol.value()


def stack_classes():
    return gdb.parse_and_eval("weft__stack_classes")


def text(pointer):
    return pointer.string("utf-8", "replace") if int(pointer) else ""


# ---- finding tasks: the arithmetic of stack.c ----

def slot_base(stack_class, slot):
    region = (slot // STACK_FIRST + 1).bit_length() - 1
    first = STACK_FIRST * ((1 << region) - 1)
    return int(stack_class["regions"][region]) + (slot - first) * int(stack_class["size"])


def record_address(stack_class, slot, task_type):
    top = slot_base(stack_class, slot) + int(stack_class["size"]) - slot % COLOURS * COLOUR_STEP
    return (top - task_type.sizeof) & ~(CACHE_LINE - 1)


def open_pagemap():
    """The process's table of pages; None where it cannot be asked: a core file, another machine."""
    inferior = gdb.selected_inferior()
    connection = getattr(inferior, "connection", None)
    if connection is None or connection.type != "native":
        return None
    try:
        return open(f"/proc/{inferior.pid}/pagemap", "rb", buffering=0)
    except OSError:
        return None


def has_page(pagemap, address):
    """Is the page there? To read one that is not brings it in for good, though the runtime had given it back."""
    if pagemap is None:
        return True
    entry = os.pread(pagemap.fileno(), 8, address // os.sysconf("SC_PAGESIZE") * 8)
    return len(entry) < 8 or int.from_bytes(entry, sys.byteorder) >> 62 != 0


def all_records():
    task_type = gdb.lookup_type("struct task")
    classes = stack_classes()
    for number in range(classes.type.range()[1] + 1):
        stack_class = classes[number]
        for slot in range(int(stack_class["used"])):
            yield gdb.Value(record_address(stack_class, slot, task_type)).cast(task_type.pointer())


def all_tasks():
    runtime()
    pagemap = open_pagemap()
    with pagemap or contextlib.nullcontext():
        for record in all_records():
            if has_page(pagemap, int(record)) and int(record["state"]) != FREE:
                yield record.dereference()


def find_task(number):
    for task in all_tasks():
        if int(task["id"]) == number:
            return task
    raise gdb.GdbError(f"no task {number}")


def describe(task):
    state = int(task["state"])
    what = STATES[state] if state < len(STATES) else "?"
    if state == WAITING:
        what = text(task["why"]) or what
    if state == RUNNING and int(task["thread"]):
        what += f" on thread {int(task['thread']['number'])} (LWP {int(task['thread']['tid'])})"
    if int(task["locked_thread"]):
        what += f", locked to thread {int(task['locked_thread']['number'])}"
    name = task["name"].string("utf-8", "replace")
    return f"task {int(task['id'])}" + (f" '{name}'" if name else "") + f" [{what}]"


# ---- stacks ----

class FrameId:
    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class ParkedUnwinder(gdb.unwinder.Unwinder):
    """Makes `task` the caller of the selected thread's innermost frame while it is set."""

    def __init__(self):
        super().__init__("weft")
        self.task = None

    def __call__(self, pending):
        if self.task is None or pending.level() != 0:
            return None
        m = machine_of(pending.architecture())
        word = gdb.lookup_type("unsigned long")
        sp = int(self.task["context"]["sp"])
        saved = gdb.Value(sp).cast(word.pointer())
        here = FrameId(gdb.Value(sp).cast(word), pending.read_register(m["pc"]))
        unwound = pending.create_unwind_info(here)
        unwound.add_saved_register(m["sp"], gdb.Value(sp + m["size"]).cast(word))
        unwound.add_saved_register(m["fp"], saved[m["fp_word"]])
        unwound.add_saved_register(m["pc"], saved[m["pc_word"]])
        return unwound


def machine_of(architecture):
    return MACHINES.get(architecture.name()) or MACHINES["i386:x86-64"]


def write_frames(frame):
    number = 0
    while frame is not None and frame.is_valid():
        name = frame.name() or "??"
        if name == "weft__task_main":
            break
        place = frame.find_sal()
        where = f" at {place.symtab.filename}:{place.line}" if place.symtab else ""
        gdb.write(f"#{number:<3} 0x{frame.pc():016x} in {name}{where}\n")
        number += 1
        frame = frame.older()


def write_parked(task):
    UNWINDER.task = task
    gdb.invalidate_cached_frames()
    try:
        write_frames(gdb.newest_frame().older())
    finally:
        UNWINDER.task = None
        gdb.invalidate_cached_frames()


def write_running(task):
    tid = int(task["thread"]["tid"])
    selected = gdb.selected_thread()
    for thread in gdb.selected_inferior().threads():
        if thread.ptid[1] == tid or thread.ptid[2] == tid:
            thread.switch()
            write_frames(gdb.newest_frame())
            selected.switch()
            return
    gdb.write(f"(its thread {tid} is not here)\n")


def write_task(task):
    gdb.write(describe(task) + ":\n")
    state = int(task["state"])
    if state == RUNNING:
        write_running(task)
    elif state != ENDED:
        write_parked(task)


# ---- commands ----

class InfoTasks(gdb.Command):
    """List the tasks of weft."""

    def __init__(self):
        super().__init__("info tasks", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        for task in all_tasks():
            gdb.write(describe(task) + "\n")


class Task(gdb.Command):
    """Show a task of weft: task N bt, task all bt."""

    def __init__(self):
        super().__init__("task", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        words = gdb.string_to_argv(argument)
        if len(words) != 2 or words[1] not in ("bt", "backtrace"):
            raise gdb.GdbError("usage: task N bt, or task all bt")
        if words[0] == "all":
            for task in all_tasks():
                write_task(task)
                gdb.write("\n")
        elif words[0].isdigit():
            write_task(find_task(int(words[0])))
        else:
            raise gdb.GdbError(f"not a task's number: {words[0]}")


UNWINDER = ParkedUnwinder()
gdb.unwinder.register_unwinder(None, UNWINDER, replace=True)
InfoTasks()
Task()
