#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Programs built against version 0.1.0 still run: the public ABI changed only where accepted.txt says so.

usage: test_abi.py ROOT LIBRARY...

0.1.0.txt is what dump.py said of that version. A change that is not in accepted.txt is named; so is
an accepted one that did not happen. Each kind of change is planted, and must be found.
"""

import pathlib
import re
import shutil
import sys
import tempfile
import unittest

import dump

HERE = pathlib.Path(__file__).parent
ROOT = pathlib.Path(sys.argv[1])
LIBRARIES = sys.argv[2:]
INCLUDE = ROOT / "include"


def accepted():
    """Change -> why it is wanted."""
    why, changes = None, {}
    for line in (HERE / "accepted.txt").read_text().splitlines():
        if line.startswith("why"):
            why = line.removeprefix("why").strip()
        elif line and not line.startswith("#"):
            changes[line] = why
    return changes


def subject(change):
    """The public name that a change is about, without its member."""
    return re.search(r"weft_\w+|WEFT_\w+", change)[0]


class Abi(unittest.TestCase):
    def test_only_accepted_changes(self):
        old = [fact for fact in (HERE / "0.1.0.txt").read_text().splitlines() if not fact.startswith("#")]
        found = list(dump.differences(old, dump.dump(INCLUDE, LIBRARIES)))
        self.assertEqual([c for c in found if c not in accepted()], [], "not in tests/abi/accepted.txt")
        self.assertEqual([c for c in accepted() if c not in found], [], "accepted, but not so")

    def test_each_accepted_change_is_told(self):
        news = (ROOT / "CHANGELOG.md").read_text().split("\n## 0.1.0")[0]
        for change, why in accepted().items():
            self.assertTrue(why, f"accepted without a reason: {change}")
            self.assertIn(subject(change), news, "CHANGELOG.md does not name it")


class Planted(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.before = dump.dump(INCLUDE, LIBRARIES)

    def planted(self, header, old, new):
        """The differences after `old` became `new` in a header."""
        with tempfile.TemporaryDirectory() as folder:
            include = pathlib.Path(folder)
            shutil.copytree(INCLUDE / "weft", include / "weft")
            page = include / "weft" / header
            text, count = re.subn(old, new, page.read_text(), count=1)
            self.assertEqual(count, 1, f"nowhere to plant in {header}")
            page.write_text(text)
            return list(dump.differences(self.before, dump.dump(include, LIBRARIES)))

    def test_no_change_is_found_where_there_is_none(self):
        self.assertEqual(self.planted("weft.h", "weft", "weft"), [])
        self.assertEqual(self.planted("chan.h", r"(int weft_chan_close\(struct weft_chan \*)\w+",
                                      r"\1other_name"), [])

    def test_a_prototype(self):
        found = self.planted("chan.h", r"int weft_chan_close\(", "long weft_chan_close(")
        self.assertEqual(found, ["~ function weft_chan_close: WEFT_0 int (struct weft_chan *) -> "
                                 "WEFT_0 long int (struct weft_chan *)"])

    def test_a_member(self):
        found = self.planted("task.h", r"unsigned max_threads;", "unsigned long max_threads;")
        self.assertIn("~ member weft_options.max_threads: unsigned, 4 bytes at 12 -> "
                      "unsigned long, 8 bytes at 16", found)
        self.assertIn("~ struct weft_options: 32 bytes, aligned to 8 -> 40 bytes, aligned to 8", found)

    def test_a_type_of_the_same_size(self):
        found = self.planted("task.h", r"unsigned max_threads;", "int max_threads;")
        self.assertEqual(found, ["~ member weft_options.max_threads: unsigned, 4 bytes at 12 -> "
                                 "int, 4 bytes at 12"])

    def test_a_constant(self):
        found = self.planted("chan.h", "WEFT_CHAN_RECV = 2", "WEFT_CHAN_RECV = 3")
        self.assertEqual(found, ["~ constant WEFT_CHAN_RECV: 2 -> 3"])
        found = self.planted("chan.h", "WEFT_CHAN_RECV = 2,", "WEFT_CHAN_RECV = 2, WEFT_CHAN_BOTH = 9,")
        self.assertEqual(found, ["+ constant WEFT_CHAN_BOTH: 9"])

    def test_a_macro(self):
        found = self.planted("task.h", "define WEFT_FOREVER INT64_MAX", "define WEFT_FOREVER (-1)")
        self.assertEqual(found, ["~ macro WEFT_FOREVER: INT64_MAX -> (-1)"])

    def test_a_lost_symbol(self):
        one = dump.dump(INCLUDE, [l for l in LIBRARIES if "random" not in l])
        found = list(dump.differences(self.before, one))
        self.assertIn("- function weft_getrandom: WEFT_RANDOM_0 ssize_t (void *, size_t, unsigned int)",
                      found)
        self.assertTrue(all(c.startswith("- function weft_") and "random" in c for c in found), found)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
