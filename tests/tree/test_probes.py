#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No frame of libweft reaches over a guard unnoticed: code that takes more than a page of stack touches each page, as
-fstack-clash-protection has it.

usage: test_probes.py COMPILER LIBRARY...
"""

import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

COMPILER, *LIBRARIES = sys.argv[1:]
del sys.argv[1:]
PAGE = 4096
FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")
TAKEN = re.compile(r"\bsub +\$0x([0-9a-f]+),%rsp|\badd +\$0xf{4,8}([0-9a-f]{8}),%rsp")
FRAME = "int use(char *);\nint large(void)\n{\n\tchar frame[100000];\n\treturn use(frame);\n}\n"


def taken(line):
    """How much stack an instruction takes."""
    found = TAKEN.search(line)
    if not found:
        return 0
    return int(found[1], 16) if found[1] else (1 << 32) - int(found[2], 16)


def unprobed(listing):
    """Functions that take more than a page at once."""
    found, function = [], ""
    for line in listing.splitlines():
        begins = FUNCTION.match(line)
        if begins:
            function = begins[1]
        elif taken(line) > PAGE:
            found.append(function)
    return found


def listing_of(path):
    return subprocess.run(["objdump", "-d", "--no-show-raw-insn", path], capture_output=True, text=True,
                          check=True).stdout


def compiled(source, *flags):
    """The machine code of a source."""
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        (place / "a.c").write_text(source)
        subprocess.run([COMPILER, "-O2", *flags, "-c", place / "a.c", "-o", place / "a.o"], check=True)
        return listing_of(place / "a.o")


class Probes(unittest.TestCase):
    def test_no_function_takes_more_than_a_page_at_once(self):
        for library in LIBRARIES:
            listing = listing_of(library)
            self.assertEqual(unprobed(listing), [], library)
            self.assertGreater(listing.count(">:\n"), 50, library)

    def test_a_large_frame_without_the_flag_is_found(self):
        self.assertEqual(unprobed(compiled(FRAME, "-fno-stack-clash-protection")), ["large"])
        self.assertEqual(unprobed(compiled(FRAME, "-fstack-clash-protection")), [])


def knows_the_flag():
    return subprocess.run([COMPILER, "-Werror", "-fstack-clash-protection", "-fsyntax-only", "-xc", "/dev/null"],
                          capture_output=True, check=False).returncode == 0


def skip(why):
    print(f"skipped: {why}")
    sys.exit(77)


if __name__ == "__main__":
    if platform.machine() != "x86_64":
        skip("reads the machine code of x86-64 alone")
    if not shutil.which("objdump"):
        skip("no objdump")
    if not knows_the_flag():
        skip("this compiler has no -fstack-clash-protection")
    unittest.main(verbosity=2)
