#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The order of calls in runtime.mexit, found without the scanner: section headers, Python and objdump.

Everything is done otherwise than in the scanner on purpose: Go files are known by section names and build information,
the function table is found by its section (or the first plausible magic in the file), calls are disassembled.

usage: go_order.py FILE...
"""

import bisect
import re
import shutil
import struct
import subprocess
import sys

MAGICS = (0xfffffff1, 0xfffffff0)
OLD, NEW = "runtime.vgetrandomPutState", "runtime.vgetrandomDestroy"
LOCK = "runtime.LockOSThread"
# What a program asks the vDSO for, without the last byte: that is what `weft patch` changes.
ASKED = (b"__vdso_getrando", b"__kernel_getrando")
DISASSEMBLERS = {62: ["objdump"], 183: ["aarch64-linux-gnu-objdump", "llvm-objdump-14", "llvm-objdump"],
                 21: ["powerpc64le-linux-gnu-objdump"], 22: ["s390x-linux-gnu-objdump"]}
CALL = r"\t(?:callq?|bl|brasl\s+%r14,)\s*(?:0x)?([0-9a-f]+)"
PROLOGUE = {21: 8}  # calls within a ppc64 program may skip the first two instructions


class NotKnown(Exception):
    pass


class Elf:
    def __init__(self, path):
        with open(path, "rb") as f:
            self.data = f.read()
        self.path = path
        self.order = "<" if self.data[5] == 1 else ">"
        self.machine, = self.read("H", 18)
        self.sections = self.read_sections() if self.data[4] == 2 else {}

    def read(self, form, at):
        return struct.unpack_from(self.order + form, self.data, at)

    def read_sections(self):
        offset, = self.read("Q", 40)
        size, count, strings = self.read("HHH", 58)
        raw = [self.read("IIQQQQ", offset + i * size) for i in range(count)]
        names = raw[strings][4] if raw else 0
        return {self.text(names + s[0]): (s[3], s[4], s[5]) for s in raw}

    def text(self, at):
        return self.data[at:self.data.index(b"\0", at)].decode("latin-1")

    def asks(self):
        return any(name in self.data for name in ASKED)

    def table(self):
        for name in (".gopclntab", ".data.rel.ro.gopclntab"):
            if name in self.sections:
                return self.sections[name][1]
        for magic in MAGICS:
            head, at = struct.pack(self.order + "I", magic) + b"\0\0", -1
            while (at := self.data.find(head, at + 1)) >= 0:
                if at % 32 == 0 and self.data[at + 7] == 8:
                    return at
        raise NotKnown("no function table")

    def functions(self):
        """{name: (entry, end)} with the entries of the table."""
        table = self.table()
        if self.read("I", table)[0] not in MAGICS:
            return {}
        count, _, text, names, _, _, _, functions = self.read("8Q", table + 8)
        text = text or self.sections[".text"][0]
        found = {}
        for i in range(count):
            entry, record, end = self.read("III", table + functions + 8 * i)
            name, = self.read("i", table + functions + record + 4)
            found.setdefault(self.text(table + names + name), (text + entry, text + end))
        return found


def disassembler(elf):
    tool = next((t for t in DISASSEMBLERS.get(elf.machine, []) if shutil.which(t)), None)
    if not tool:
        raise NotKnown("no disassembler for this machine")
    return tool


def calls(elf, start, end):
    """The targets of the direct calls between two addresses, in order."""
    listing = subprocess.run([disassembler(elf), "-d", f"--start-address={start:#x}", f"--stop-address={end:#x}", elf.path],
                             capture_output=True, text=True, check=True).stdout
    return [int(m, 16) for m in re.findall(CALL, listing)]


def entries(elf, function):
    """The addresses at which it is called."""
    return {function[0], function[0] + PROLOGUE.get(elf.machine, 0)}


def first(targets, wanted):
    return next(i for i, target in enumerate(targets) if target in wanted)


def order(path):
    """'old', 'repaired', or 'none' when nothing is asked of the vDSO, or neither function is there."""
    elf = Elf(path)
    if not elf.asks():
        return "none"
    if elf.data[4] != 2:
        raise NotKnown("32 bits")
    functions = elf.functions()
    name = OLD if OLD in functions else NEW
    if name not in functions:
        return "none"
    targets = calls(elf, *functions["runtime.mexit"])
    release, give_back = (first(targets, entries(elf, functions[n])) for n in ("runtime.handoffp", name))
    return "old" if give_back > release else "repaired"


def lockers(path):
    """The functions that call LockOSThread, by a disassembly of everything; None when the file has not even its name."""
    elf = Elf(path)
    if LOCK.encode() + b"\0" not in elf.data:
        return None
    functions = elf.functions()
    if LOCK not in functions:
        raise NotKnown("LockOSThread is nowhere but inlined")
    starts = sorted((entry, name) for name, (entry, _) in functions.items())
    wanted = "|".join(f"{at:x}" for at in entries(elf, functions[LOCK]))
    with subprocess.Popen([disassembler(elf), "-d", "--no-show-raw-insn", path], stdout=subprocess.PIPE) as all_of_it:
        found = subprocess.run(["grep", "-E", rf"\b(0x)?({wanted})( |$)"], stdin=all_of_it.stdout, capture_output=True,
                               text=True).stdout
    sites = [int(line.split(":")[0], 16) for line in found.splitlines() if re.search(CALL, line)]
    return {starts[bisect.bisect(starts, (site, "\U0010ffff")) - 1][1] for site in sites}


def is_go(path):
    """By what Go's linker writes for tools: the names of sections."""
    with open(path, "rb") as f:
        head = f.read(64)
        if len(head) < 64 or head[:6] != b"\x7fELF\x02\x01" or head[16] not in (2, 3):
            return False
        offset, = struct.unpack_from("<Q", head, 40)
        size, count, strings = struct.unpack_from("<HHH", head, 58)
        if not count or size != 64:
            return False
        f.seek(offset + strings * 64)
        _, _, _, _, names, length = struct.unpack_from("<IIQQQQ", f.read(64))
        f.seek(names)
        table = f.read(length)
    return b".go.buildinfo" in table or b"gopclntab" in table


if __name__ == "__main__":
    for file in sys.argv[1:]:
        print(order(file), lockers(file), file)
