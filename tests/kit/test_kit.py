#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The kit itself: what fails is seen to fail, nothing is forgotten, and every test is found by its name.

usage: test_kit.py ROOT BUILD PLANTED COMPILER
"""

import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import time
import unittest

ROOT, BUILD, PLANTED, COMPILER = sys.argv[1:5]
del sys.argv[1:]
TESTS = pathlib.Path(ROOT) / "tests"


def run(*arguments):
    done = subprocess.run([PLANTED, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120,
                          check=False)
    return done.returncode, done.stdout


def alive(group):
    """The processes of a group; what is dead and waits for init does not count."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:3]
        except OSError:
            continue  # it has gone
        if its_group == group and state not in "ZX":
            found.append(path.parent.name)
    return found


def names():
    return run("--list")[1].splitlines()


class Runs(unittest.TestCase):
    SAID = {
        "bad: numbers": ["expected 6 * 7 == 41", "left:  42", "right: 41"],
        "bad: texts": ['left:  "left"', 'right: "right"'],
        "bad: memory": ["byte 2 of 3 is 0x63, not 0x64"],
        "bad: words": ["3 is not four"],
        "bad: exits before its end": ["exit status 0 before the end"],
        "bad: crashes": ["signal 9", "while: step 9"],
        "bad: hangs": ["no end after 1 seconds"],
        "bad: on a thread": ["on a thread"],
        "bad: on a task": ["left:  4", "right: 5"],
        "bad: in a child that nobody asks": ["in a child", "see above"],
        "bad: status after its end": ["signal 6"],
        "bad: does not die": ["exit status 0 after the end"],
        "bad: exits otherwise": ["exit status 4 before the end"],
    }

    def test_each_ends_as_its_name_says(self):
        for name in names():
            status, said = run(name)
            wanted = {"good": 0, "bad": 1, "skip": 77}[name.split(":")[0]]
            with self.subTest(name):
                self.assertEqual(status, wanted, said)
                if wanted == 1:
                    self.assertIn(f"FAILED: {name}: ", said)
                    for words in self.SAID[name]:
                        self.assertIn(words, said)

    def test_the_command_that_is_offered_runs_it_again(self):
        said = run("bad: numbers")[1]
        again = shlex.split(re.search(r"again: (.*)", said)[1])
        self.assertEqual(again[-1], "bad: numbers")
        self.assertIn("left:  42", run(*again[1:])[1])

    def test_a_skip_says_why(self):
        self.assertIn("skipped: skip: nothing to test with: no tool here", run("skip:")[1])

    def test_one_bad_run_is_enough(self):
        self.assertEqual(run("good: values", "bad: numbers", "skip:")[0], 1)
        self.assertEqual(run("good: values", "skip:")[0], 0)

    def test_a_part_of_a_name_is_enough_and_none_is_refused(self):
        self.assertIn("ok", run("three times")[1])
        self.assertEqual(run("no such test")[0], 2)
        self.assertEqual(run("--no-such-option")[0], 2)
        self.assertEqual(run("--nth", "9", "three times")[0], 2)

    def test_runs_repeat_with_seeds_that_follow(self):
        said = run("--repeat", "2", "--seed", "7", "three times")[1]
        self.assertEqual(re.findall(r"run (\d), seed (\d)", said), [(str(n), s) for s in "78" for n in range(3)])
        self.assertEqual(re.findall(r"run (\d)", run("--nth", "1", "three times")[1]), ["1"])

    def test_a_test_runs_here_for_a_debugger(self):
        self.assertEqual(run("--here", "good: values")[0], 0)
        self.assertEqual(run("--here", "bad: numbers")[0], 1)

    def test_around_stands_around(self):
        self.assertRegex(run("among others")[1], "prepared\nbody\ncleared away\n")

    def test_nothing_is_left_behind(self):
        group = re.search(r"group (\d+)", run("leaves a child behind")[1])[1]
        for _ in range(1000):
            if not alive(group):
                break
            time.sleep(0.01)
        self.assertEqual(alive(group), [])


def options():
    """The compiler options of this build's tests."""
    entries = json.loads((pathlib.Path(BUILD) / "compile_commands.json").read_text(encoding="utf-8"))
    command = next(e["command"] for e in entries if e["file"].endswith("tests/sched/test_task.c"))
    return [o for o in shlex.split(command) if re.match(r"-(W|std|D|f|I)", o)]


class Forgotten(unittest.TestCase):
    """A test that is written runs: it is registered where it is defined, and its file is built."""
    GOOD = '#include "kit.h"\nTEST("a promise")\n{\n\texpect_eq(1, 1);\n}\n'

    def compiled(self, text):
        """What the compiler says with the options of this build's tests; "" is that all is well."""
        with tempfile.TemporaryDirectory() as folder:
            source = pathlib.Path(folder) / "test_planted.c"
            source.write_text(text, encoding="utf-8")
            done = subprocess.run([COMPILER, *options(), f"-I{TESTS}", "-c", str(source), "-o", os.devnull], stderr=subprocess.PIPE,
                                  text=True, check=False)
            return done.stderr if done.returncode else ""

    def test_a_body_without_TEST_does_not_compile(self):
        self.assertEqual(self.compiled(self.GOOD), "")
        self.assertIn("unused", self.compiled(self.GOOD.replace('TEST("a promise")', "static void a_promise(void)")))
        self.assertIn("prototype", self.compiled(self.GOOD.replace('TEST("a promise")', "void a_promise(void)")))
        self.assertNotEqual(self.compiled(self.GOOD.replace('TEST("a promise")', "TEST(a_promise)")), "")

    def test_a_program_runs_what_its_file_holds(self):
        written = re.findall(r'^(?:TASK_)?TEST\("([^"]*)"', (TESTS / "kit/planted.c").read_text(encoding="utf-8"), re.M)
        self.assertEqual(names(), written)

    def test_every_file_of_tests_is_built(self):
        for path in sorted(TESTS.glob("*/*.c")):
            folder = path.parent
            named = "".join(p.read_text(encoding="utf-8") for p in [folder / "CMakeLists.txt", *folder.glob("*.sh"), *folder.glob("*.py")])
            stem = re.escape(path.stem.split("_", 1)[-1])
            with self.subTest(path):
                self.assertTrue(path.name in named or re.search(rf"\b(?:{stem})\b", named))


class Contributing(unittest.TestCase):
    """What CONTRIBUTING.md shows works as it is written."""
    PAGE = (pathlib.Path(ROOT) / "CONTRIBUTING.md").read_text(encoding="utf-8")

    def test_its_example_is_built_and_run_as_it_stands(self):
        for name, fence in (("test_example.c", "c"), ("CMakeLists.txt", "")):
            block = re.search(rf"^```{fence}\n((?:/\*|weft_test).*?)^```", self.PAGE, re.M | re.S)[1]
            self.assertIn(block, (TESTS / "kit" / name).read_text(encoding="utf-8"))

    def test_the_program_and_the_promise_that_it_names_are_there(self):
        program, promise = re.search(r"^\./(\w+) '(.*?)'", self.PAGE, re.M).groups()
        listed = subprocess.run([f"{BUILD}/tests/sched/{program}", "--list"], stdout=subprocess.PIPE, text=True, check=True)
        self.assertIn(promise, listed.stdout)


class Names(unittest.TestCase):
    def test_a_name_begins_with_its_folder(self):
        shown = subprocess.run(["ctest", "--show-only=json-v1"], cwd=BUILD, stdout=subprocess.PIPE, check=True).stdout
        folders = [p.parent.name for p in TESTS.glob("*/CMakeLists.txt")] + ["bench"]
        for test in json.loads(shown)["tests"]:
            with self.subTest(test["name"]):
                self.assertRegex(test["name"], rf"^({'|'.join(folders)})(_[a-z0-9]+)*$")


if __name__ == "__main__":
    unittest.main(verbosity=2)
