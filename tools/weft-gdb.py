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

import gdb
import gdb.unwinder

STATES = ("free", "runnable", "running", "waiting", "ended, not joined")
STACK_FIRST = 64  # enum in stack.h; region k holds STACK_FIRST << k records
UNBORN = 2  # TASK_UNBORN in sched.h
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


# ---- finding tasks: the arithmetic of record.c ----


def record_at(stack_class, number):
    region = (number // STACK_FIRST + 1).bit_length() - 1
    first = STACK_FIRST * ((1 << region) - 1)
    return (stack_class["records"][region] + (number - first)).dereference()


def all_tasks():
    runtime()
    classes = stack_classes()
    for number in range(classes.type.range()[1] + 1):
        stack_class = classes[number]
        for record in range(int(stack_class["used"])):
            task = record_at(stack_class, record)
            if int(task["state"]) != FREE:
                yield task


def find_task(number):
    for task in all_tasks():
        if int(task["id"]) == number:
            return task
    raise gdb.GdbError(f"no task {number}")


def is_unborn(task):
    return int(task["state"]) == RUNNABLE and int(task["special"]) & UNBORN


def name_of(task):
    """It lies at the head of the stack while there is one."""
    place = task["stack"] if int(task["stack"]) else task
    return place["name"].string("utf-8", "replace") if int(task["named"]) else ""


def describe(task):
    state = int(task["state"])
    what = STATES[state] if state < len(STATES) else "?"
    if is_unborn(task):
        what = "runnable, not started"
    if state == WAITING:
        what = text(task["why"]) or what
    if state == RUNNING and int(task["thread"]):
        what += f" on thread {int(task['thread']['number'])} (LWP {int(task['thread']['tid'])})"
    if int(task["locked_thread"]):
        what += f", locked to thread {int(task['locked_thread']['number'])}"
    name = name_of(task)
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
    elif is_unborn(task):
        gdb.write(f"will run {task['fn']['plain']}\n")
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
