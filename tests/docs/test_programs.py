#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every block of a page that is marked as a complete program compiles as it stands, runs, and says something.

usage: [EMULATOR=qemu-...] test_programs.py ROOT COMPILER LIBRARY...
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import markdown

ROOT, COMPILER, *LIBRARIES = sys.argv[1:]
del sys.argv[1:]
EMULATOR = os.environ.get("EMULATOR", "").split()
FLAGS = ["-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Wpedantic", "-Wno-unused-parameter", "-Werror"]


def build(program, folder):
    """The path of the executable; None: it does not compile."""
    source, target = pathlib.Path(folder) / "program.c", pathlib.Path(folder) / "program"
    source.write_text(program)
    done = subprocess.run([COMPILER, *FLAGS, f"-I{ROOT}/include", source, "-o", target, *LIBRARIES, "-pthread"],
                          capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        print(done.stderr)
        return None
    return target


def runs(program):
    with tempfile.TemporaryDirectory() as folder:
        target = build(program, folder)
        if not target:
            return False
        done = subprocess.run([*EMULATOR, target], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
                              check=False)
        return done.returncode == 0 and done.stdout != "" and done.stderr == ""


class Programs(unittest.TestCase):
    def test_they_run(self):
        for page in markdown.pages(ROOT):
            for number, program in enumerate(markdown.programs(page.read_text()), 1):
                self.assertTrue(runs(program), f"{page}: program {number}")

    def test_the_readme_has_some(self):
        self.assertTrue(markdown.programs((pathlib.Path(ROOT) / "README.md").read_text()))


class TheChecksCanFail(unittest.TestCase):
    GOOD = '#include <stdio.h>\n#include <weft/weft.h>\nint main(void)\n{\n\treturn puts(weft_version()) < 0;\n}\n'

    def test_marked_blocks_are_found(self):
        self.assertEqual(markdown.programs(f"```c program\n{self.GOOD}```\n```c\nint x;\n```\n"), [self.GOOD])

    def test_a_good_program_passes(self):
        self.assertTrue(runs(self.GOOD))

    def test_bad_programs_do_not(self):
        for mistake in (("weft_version", "weft_vision"), ("< 0", ">= 0"), ("weft/weft.h", "weft/none.h"),
                        ("puts(weft_version())", "fputs(weft_version(), stderr)")):
            self.assertFalse(runs(self.GOOD.replace(*mistake)), mistake)


if __name__ == "__main__":
    unittest.main(verbosity=2)
