#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The order of calls in runtime.mexit, found without the scanner: section headers, Python and objdump.

Everything is done otherwise than in the scanner on purpose: Go files are known by section names and build information,
the function table is found by its section (or the first plausible magic in the file), calls are disassembled.

usage: go_order.py FILE...
"""

import re
import shutil
import struct
import subprocess
import sys

MAGICS = {0xfffffff1, 0xfffffff0}
OLD, NEW = "runtime.vgetrandomPutState", "runtime.vgetrandomDestroy"
DISASSEMBLERS = {62: ["objdump"], 183: ["aarch64-linux-gnu-objdump", "llvm-objdump-14", "llvm-objdump"]}


class NotKnown(Exception):
    pass


class Elf:
    def __init__(self, path):
        with open(path, "rb") as f:
            self.data = f.read()
        self.path = path
        self.machine, = struct.unpack_from("<H", self.data, 18)
        offset, = struct.unpack_from("<Q", self.data, 40)
        size, count, strings = struct.unpack_from("<HHH", self.data, 58)
        raw = [struct.unpack_from("<IIQQQQ", self.data, offset + i * size) for i in range(count)]
        names = raw[strings][4] if raw else 0
        self.sections = {self.text(names + s[0]): (s[3], s[4], s[5]) for s in raw}

    def text(self, at):
        return self.data[at:self.data.index(b"\0", at)].decode("latin-1")

    def table(self):
        for name in (".gopclntab", ".data.rel.ro.gopclntab"):
            if name in self.sections:
                return self.sections[name][1]
        at = -1
        while (at := self.data.find(b"\xff\xff\xff\0\0", at + 1)) >= 0:
            start = at - 1
            if start % 32 == 0 and struct.unpack_from("<I", self.data, start)[0] in MAGICS and self.data[start + 7] == 8:
                return start
        raise NotKnown("no function table")

    def functions(self):
        """{name: (entry, end)} with the entries that the table gives."""
        table = self.table()
        if struct.unpack_from("<I", self.data, table)[0] not in MAGICS:
            return {}
        count, _, text, names, _, _, _, functions = struct.unpack_from("<8Q", self.data, table + 8)
        text = text or self.sections[".text"][0]
        found = {}
        for i in range(count):
            entry, record, end = struct.unpack_from("<III", self.data, table + functions + 8 * i)
            name, = struct.unpack_from("<i", self.data, table + functions + record + 4)
            found.setdefault(self.text(table + names + name), (text + entry, text + end))
        return found


def calls(elf, start, end):
    """The targets of the direct calls between two addresses, in order."""
    tool = next((t for t in DISASSEMBLERS.get(elf.machine, []) if shutil.which(t)), None)
    if not tool:
        raise NotKnown("no disassembler for this machine")
    listing = subprocess.run([tool, "-d", f"--start-address={start:#x}", f"--stop-address={end:#x}", elf.path],
                             capture_output=True, text=True, check=True).stdout
    return [int(m, 16) for m in re.findall(r"\t(?:callq?|bl)\s+(?:0x)?([0-9a-f]+)", listing)]


def order(path):
    """'old', 'repaired', or 'none' when neither function is there."""
    elf = Elf(path)
    functions = elf.functions()
    name = OLD if OLD in functions else NEW
    if name not in functions:
        return "none"
    targets = calls(elf, *functions["runtime.mexit"])
    release, give_back = functions["runtime.handoffp"][0], functions[name][0]
    return "old" if targets.index(give_back) > targets.index(release) else "repaired"


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
        print(order(file), file)
