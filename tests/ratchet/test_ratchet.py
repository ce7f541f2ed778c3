#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No operation takes more instructions than it did: counted by callgrind, so no load moves them.

usage: test_ratchet.py COMPILER BUILD-TYPE ROWS PLANTED
       test_ratchet.py --count ROWS

ROWS is the program of rows.c; PLANTED is the same one with a little more work in weft_yield. The
second form prints a new counts.txt. A commit that changes counts.txt says why each row may cost
more; a row that became cheaper may be written down in any commit, so that it stays so.

An operation's cost is the difference of two runs, one twice as long as the other, divided by the
difference of their counts: what a process does once drops out. Only threads that ran the row are
counted: how often the monitor looks depends on the time. What is left differs by some hundred
instructions from run to run, as a thread is stopped at this moment or another, and that can only
add: a row that seems too dear is counted again.

Exits with 77 where the numbers would be others: another compiler, processor or build, or no valgrind.
"""

import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).parent
TABLE = HERE / "counts.txt"
LIMIT = 1.02
COUNT = 20000
TRIES = 3


def rows_of(program):
    return subprocess.run([program], stdout=subprocess.PIPE, text=True, check=True).stdout.split()


def instructions(profile, row):
    """Those of one thread's profile, when it ran the row."""
    text = profile.read_text()
    ran = re.search(rf"^c?fn=\(\d+\) row_{row}$", text, re.M)
    return int(re.search(r"^(?:summary|totals): (\d+)", text, re.M)[1]) if ran else 0


def run(program, row, count):
    """Instructions of the threads that ran `count` operations of the row."""
    with tempfile.TemporaryDirectory() as folder:
        profile = pathlib.Path(folder) / "profile"
        subprocess.run(
            ["valgrind", "-q", "--tool=callgrind", "--separate-threads=yes",
             f"--callgrind-out-file={profile}", program, row, str(count)],
            stderr=subprocess.DEVNULL, check=True)  # names system calls that this valgrind does not know
        total = sum(instructions(p, row) for p in profile.parent.iterdir())
    assert total > 0, f"no thread ran {row}"
    return total


def cost(program, row):
    """Instructions of one operation."""
    return (run(program, row, 2 * COUNT) - run(program, row, COUNT)) / COUNT


def read_table():
    """Row -> instructions, as counts.txt has them."""
    lines = [line.split() for line in TABLE.read_text().splitlines() if not line.startswith("#")]
    return {row: float(count) for row, count in lines}


def compare(program, row, allowed):
    """Counts a row until it is below its limit, a few times at most; says what it found."""
    limit = allowed * LIMIT
    found = min_until(limit, (cost(program, row) for _ in range(TRIES)))
    change = 100 * (found / allowed - 1)
    print(f"{row:12} {allowed:9.2f} {found:9.2f}  {change:+.2f} %", flush=True)
    return found <= limit


def min_until(limit, found):
    least = next(found)
    while least > limit:
        another = next(found, None)
        if another is None:
            break
        least = min(least, another)
    return least


def why_not(compiler, build_type):
    """Why the counts would be others here, or None."""
    version = subprocess.run([compiler, "--version"], stdout=subprocess.PIPE, text=True).stdout.split("\n")[0]
    if platform.machine() != "x86_64":
        return f"the counts are those of x86-64, not of {platform.machine()}"
    if "(Debian 12." not in version:
        return f"the counts are those of Debian 12's gcc, not of {version}"
    if build_type != "Release":
        return f"the counts are those of a release build, not of {build_type}"
    if not shutil.which("valgrind"):
        return "valgrind is not installed"
    return None


class Ratchet(unittest.TestCase):
    def test_each_row_is_in_the_table(self):
        self.assertEqual(sorted(rows_of(ROWS)), sorted(read_table()))

    def test_nothing_became_dearer(self):
        dearer = [row for row, allowed in read_table().items() if not compare(ROWS, row, allowed)]
        self.assertEqual(dearer, [], "more than 2 % above tests/ratchet/counts.txt")

    def test_planted_work_is_noticed(self):
        table = read_table()
        self.assertFalse(compare(PLANTED, "yield", table["yield"]), "more work went unnoticed")
        self.assertTrue(compare(PLANTED, "mutex", table["mutex"]), "no more work was planted here")


def print_table(program):
    head = [line for line in TABLE.read_text().splitlines() if line.startswith("#")]
    counts = [f"{row} {cost(program, row):.2f}" for row in rows_of(program)]
    print("\n".join(head + counts))


if __name__ == "__main__":
    if sys.argv[1] == "--count":
        print_table(sys.argv[2])
        sys.exit()
    reason = why_not(*sys.argv[1:3])
    if reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    ROWS, PLANTED = sys.argv[3:5]
    unittest.main(argv=sys.argv[:1])
