#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each subcommand of `weft` has a manual page, with the options that its --help lists and no others.

usage: test_commands.py ROOT WEFT
"""

import pathlib
import re
import subprocess
import sys
import unittest

import mdoc

ROOT, WEFT = pathlib.Path(sys.argv[1]), sys.argv[2]
del sys.argv[1:]
SAME = {"reproduce": "storm"}  # two names of one command


def text(*arguments):
    return subprocess.run([WEFT, *arguments], capture_output=True, text=True, timeout=60, check=True).stdout


def commands():
    return re.findall(r"^  ([a-z]+) +\S", text("--help"), re.MULTILINE)


def helped(help_text):
    """Long options that a --help lists."""
    return set(re.findall(r"^ +(?:-\w, )?--([a-z-]+)", help_text, re.MULTILINE)) - {"help"}


def differences(help_text, page):
    return sorted(helped(help_text) ^ (mdoc.options(page) - {"help"}))


class Commands(unittest.TestCase):
    def test_there_are_commands(self):
        self.assertIn("storm", commands())

    def test_pages_and_help_agree(self):
        for command in commands():
            page = ROOT / f"docs/man/weft-{SAME.get(command, command)}.1"
            self.assertTrue(page.exists(), command)
            self.assertEqual(differences(text(command, "--help"), page.read_text()), [], command)

    def test_the_overview_names_all(self):
        overview = (ROOT / "docs/man/weft.1").read_text()
        for command in commands():
            self.assertRegex(overview, rf"(?m)^\.It Ic .*\b{command}\b", command)

    def test_no_page_is_about_nothing(self):
        known = {f"weft-{command}.1" for command in commands()} | {"weft.1"}
        self.assertEqual({page.name for page in (ROOT / "docs/man").glob("*.1")} - known, set())


class TheChecksCanFail(unittest.TestCase):
    HELP = "Options:\n  -a, --all=N    x\n      --json     y\n      --help     z\n"
    PAGE = ".Sh DESCRIPTION\n.It Fl a , -all Ns = Ns Ar n\n.It Fl -json\n"

    def test_options(self):
        self.assertEqual(differences(self.HELP, self.PAGE), [])
        self.assertEqual(differences(self.HELP.replace("--all", "--most"), self.PAGE), ["all", "most"])
        self.assertEqual(differences(self.HELP, self.PAGE.replace(".It Fl -json\n", "")), ["json"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
