#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_inspect.py RUN WEFT GDB-SCRIPT: what one sees of RUN (inspect_run.c) from outside: by WEFT ps, dump and trace, and by
gdb; while it runs, from its core file, and when it is stripped."""
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

RUN, WEFT, SCRIPT = sys.argv[1:4]
del sys.argv[1:4]
LIMIT = 120


def may_trace():
    """May this process read another's memory?"""
    child = subprocess.Popen(["sleep", "60"])
    try:
        with open(f"/proc/{child.pid}/mem", "rb"):
            return True
    except OSError:
        return False
    finally:
        child.kill()
        child.wait()


class Program:
    """The program, started and ready; killed at the end."""

    def __init__(self, path=RUN, *arguments, cwd=None):
        self.child = subprocess.Popen([path, *arguments], stdout=subprocess.PIPE, cwd=cwd, preexec_fn=allow_core)
        assert self.child.stdout.readline() == b"ready\n"
        self.pid = str(self.child.pid)

    def anonymous_kib(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:"))

    def settled_kib(self):
        """The same once it has stayed as it is for a while."""
        before, same = self.anonymous_kib(), 0
        while same < 30:
            time.sleep(0.1)
            now = self.anonymous_kib()
            before, same = now, same + 1 if now == before else 0
        return before

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.child.kill()
        self.child.wait()
        self.child.stdout.close()


def allow_core():
    hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))


def weft(*arguments, status=0):
    done = subprocess.run([WEFT, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=LIMIT, check=False)
    assert done.returncode == status, (arguments, done)
    return done.stdout + done.stderr


def gdb(*arguments, commands):
    line = ["gdb", "-batch", "-nx", "-iex", "set debuginfod enabled off", "-ex", f"source {SCRIPT}"]
    for command in commands:
        line += ["-ex", command]
    return subprocess.run([*line, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=LIMIT, check=False, stdin=subprocess.DEVNULL).stdout


def core_of(folder):
    """The core file of the program, dead by a signal; None where the kernel does not leave one here."""
    with Program(cwd=folder) as program:
        program.child.send_signal(signal.SIGABRT)
        program.child.wait()
    cores = [name for name in os.listdir(folder) if name.startswith("core")]
    return os.path.join(folder, cores[0]) if cores else None


@unittest.skipUnless(may_trace(), "may not read the memory of other processes")
class Command(unittest.TestCase):
    def test_ps_lists_the_tasks(self):
        with Program() as program:
            said = weft("ps", program.pid)
        self.assertRegex(said, r"resolver +sleep, ")
        self.assertRegex(said, r"running on thread \d")

    def test_ps_json_is_json(self):
        with Program() as program:
            report = json.loads(weft("ps", "--json", program.pid))
        self.assertEqual(len(report["tasks"]), 4)
        self.assertEqual(report["tasks"][0]["name"], "main")
        self.assertEqual(sum(task["running"] for task in report["tasks"]), 2)

    def test_a_stripped_program_is_no_matter(self):
        with tempfile.TemporaryDirectory() as folder:
            stripped = os.path.join(folder, "stripped")
            subprocess.run(["strip", "-o", stripped, RUN], check=True)
            with Program(stripped) as program:
                self.assertIn("resolver", weft("ps", program.pid))

    def test_a_look_brings_no_memory_back_that_was_given_back(self):
        with Program(RUN, "peak") as program:
            before = program.settled_kib()
            weft("ps", program.pid)
            weft("ps", "--json", program.pid)
            self.assertLess(program.anonymous_kib(), before + 500)  # a page of each would be 4000

    def test_dump_shows_stacks_and_the_program_goes_on(self):
        with Program() as program:
            said = weft("dump", program.pid)
            self.assertIsNone(program.child.poll())
            again = weft("ps", program.pid)
        self.assertIn("'resolver' [sleep, ", said)
        self.assertIn("sleep_in_named_function+0x", said)
        self.assertIn("spin_in_named_function+0x", said)
        self.assertIn("main", again)

    def test_trace_records_without_help(self):
        with Program() as program, tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "trace.json")
            weft("trace", "--seconds", "1", "--output", path, program.pid)
            with open(path, encoding="utf-8") as file:
                spans = [e for e in json.load(file)["traceEvents"] if e["ph"] == "X"]
            self.assertIsNone(program.child.poll())
        self.assertTrue(any(e["name"].startswith("task 1") for e in spans))  # main ticks

    def test_trace_with_exact_times(self):
        with Program() as program, tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "trace.json")
            weft("trace", "--exact", "--seconds", "1", "--output", path, program.pid)
            with open(path, encoding="utf-8") as file:
                spans = [e for e in json.load(file)["traceEvents"] if e["ph"] == "X"]
        self.assertTrue(any(e["name"].startswith("task 1") for e in spans))

    def test_what_is_not_there_is_said(self):
        self.assertIn("no weft in it", weft("ps", str(os.getpid()), status=2))
        self.assertIn("neither a process nor a core file", weft("ps", SCRIPT, status=2))
        self.assertIn("No such file", weft("dump", "/no/such/core", status=2))

    def test_core_files_are_read(self):
        core = self.core()
        if not core:
            self.skipTest("the kernel leaves no core file in the working directory")
        self.assertIn("resolver", weft("ps", core))
        self.assertIn("sleep_in_named_function+0x", weft("dump", core))

    @classmethod
    def core(cls):
        if not hasattr(cls, "core_path"):
            cls.folder = tempfile.TemporaryDirectory()
            cls.addClassCleanup(cls.folder.cleanup)
            cls.core_path = core_of(cls.folder.name)
        return cls.core_path


@unittest.skipUnless(shutil.which("gdb"), "no gdb here")
@unittest.skipUnless(may_trace(), "may not trace other processes")
class Gdb(unittest.TestCase):
    def check(self, said):
        self.assertRegex(said, r"task \d+ 'resolver' \[sleep\]")
        self.assertRegex(said, r"task 1 'main' \[")
        self.assertRegex(said, r"#\d+ +0x[0-9a-f]+ in sleep_in_named_function at .*inspect_run.c:\d+")

    def test_live(self):
        with Program() as program:
            said = gdb("-p", program.pid, commands=["info tasks", "task all bt", "bt"])
            self.assertIsNone(program.child.poll())
        self.check(said)
        self.assertIn("spin_in_named_function", said)

    def test_a_look_brings_no_memory_back_that_was_given_back(self):
        with Program(RUN, "peak") as program:
            before = program.settled_kib()
            said = gdb("-p", program.pid, commands=["info tasks"])
            self.assertRegex(said, r"task 1 'main' \[")
            self.assertLess(program.anonymous_kib(), before + 500)

    def test_core(self):
        with tempfile.TemporaryDirectory() as folder:
            core = core_of(folder)
            if not core:
                self.skipTest("the kernel leaves no core file in the working directory")
            self.check(gdb(RUN, core, commands=["info tasks", "task all bt"]))

    def test_mistakes_are_answered(self):
        with Program() as program:
            said = gdb("-p", program.pid, commands=["task 999 bt"])
        self.assertIn("no task 999", said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
