#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What holds for `weft` and for each of its subcommands, those added later included.

usage: test_command.py WEFT
"""

import os
import pty
import re
import subprocess
import sys
import unittest

WEFT = sys.argv.pop(1)


def weft(*arguments):
    done = subprocess.run([WEFT, *arguments], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL, check=False)
    return done.returncode, done.stdout, done.stderr


def commands():
    return re.findall(r"^  ([a-z]+) +\S", weft("--help")[1], re.MULTILINE)


class Front(unittest.TestCase):
    def test_version(self):
        status, out, err = weft("--version")
        self.assertEqual((status, err), (0, ""))
        self.assertRegex(out, r"\Aweft \d+\.\d+\.\d+\n\Z")

    def test_help_lists_commands(self):
        status, _, err = weft("--help")
        self.assertEqual((status, err), (0, ""))
        self.assertIn("doctor", commands())

    def test_mistakes_are_one_line_and_status_2(self):
        for arguments in ([], ["no-such-command"], ["--no-such-option"], ["\033[31mred"]):
            status, out, err = weft(*arguments)
            self.assertEqual((status, out, err.count("\n")), (2, "", 1), arguments)
            self.assertNotIn("\033", err)


class Colour(unittest.TestCase):
    """Seen with `doctor`, whose first column is bold."""

    def on_a_terminal(self, **environment):
        parent, child = pty.openpty()
        with subprocess.Popen([WEFT, "doctor", "--host-only"], stdout=child, stderr=child,
                              stdin=subprocess.DEVNULL, env={"PATH": "/bin", **environment}) as done:
            os.close(child)
            shown = b""
            try:
                while piece := os.read(parent, 4096):
                    shown += piece
            except OSError:  # the terminal is gone with its last user
                pass
        os.close(parent)
        self.assertIn(done.returncode, (0, 1))
        return shown

    def test_a_terminal_is_coloured(self):
        self.assertIn(b"\033[1m", self.on_a_terminal(TERM="xterm"))

    def test_unless_somebody_minds(self):
        for environment in ({"TERM": "xterm", "NO_COLOR": "1"}, {"TERM": "dumb"}, {}):
            self.assertNotIn(b"\033[1m", self.on_a_terminal(**environment))


class EachCommand(unittest.TestCase):
    def test_help(self):
        for command in commands():
            status, out, err = weft(command, "--help")
            self.assertEqual((status, err), (0, ""), command)
            self.assertTrue(out.startswith("Usage: weft "), command)
            self.assertIn("Exit status", out, command)

    def test_unknown_option(self):
        for command in commands():
            status, out, err = weft(command, "--no-such-option")
            self.assertEqual((status, out, err.count("\n")), (2, "", 1), command)
            self.assertTrue(err.startswith(f"weft {command}: "), err)

    def test_value_for_a_flag(self):
        for command in commands():
            if "--json " in weft(command, "--help")[1]:
                status, out, err = weft(command, "--json=1")
                self.assertEqual((status, out, err.count("\n")), (2, "", 1), command)


if __name__ == "__main__":
    unittest.main(verbosity=2)
