# SPDX-License-Identifier: MIT
"""What the tests of `weft scan` share: the arguments, running the command, making files.

usage of each: TEST WEFT MAKE_TWIN GOTWIN SCHEMA_OF_SCAN
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import unittest

WEFT, MAKE_TWIN, GOTWIN, SCHEMA = sys.argv[1:5]
del sys.argv[1:5]
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.geteuid() == 0
AFFECTED = ["caller=main.work"]
OLD = "affected-dormant"  # the double has the bug and no LockOSThread
MEBIBYTE = 1 << 20
SANITIZED = bool(os.environ.get("WEFT_SANITIZE"))  # slow, and memory is no measure


def scan(*arguments, **options):
    options.setdefault("timeout", 60)
    return subprocess.run([WEFT, "scan", *arguments], capture_output=True, text=True, errors="surrogateescape", **options)


def report(*arguments, **options):
    done = scan("--json", *arguments, **options)
    return json.loads(done.stdout)


def verdicts(*arguments, **options):
    return {r["path"]: r["verdict"] for r in report(*arguments, **options)["results"]}


def load(path):
    with open(path) as f:
        return json.load(f)


# A process inherits the peak of its parent when it is forked: the scanner is started by a small one.
STARTER = """
import os, sys
pid = os.fork()
if not pid:
    os.execv(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


def measured(*arguments):
    """Runs the command; returns its status, its seconds and its peak of resident memory in bytes."""
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-S", "-c", STARTER, WEFT, "scan", *arguments], capture_output=True, text=True)
    status, kibibytes = map(int, done.stdout.split()[-2:])
    return status, time.monotonic() - start, kibibytes * 1024


class Case(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.place = place.name

    def path(self, name):
        return os.path.join(self.place, name)

    def twin(self, name, *words):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        subprocess.run([MAKE_TWIN, self.path(name), *words], check=True)
        return self.path(name)

    def twin_bytes(self, *words):
        with open(self.twin("bytes", *words), "rb") as f:
            content = f.read()
        os.unlink(self.path("bytes"))
        return content

    def write(self, name, content):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "wb") as f:
            f.write(content)
        return self.path(name)

    def assert_cheap(self, seconds, memory, limit=60):
        if not SANITIZED:
            self.assertLess(seconds, limit)
            self.assertLess(memory, 64 * MEBIBYTE)

    def everything(self):
        """One file of each verdict."""
        self.twin("affected", *AFFECTED)
        self.twin("dormant", "caller=pkg.init.0")
        self.twin("mitigated", "patched", *AFFECTED)
        self.twin("clean", "repaired", *AFFECTED)
        self.twin("unknown", "no-table")
        return self.place


def main():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    unittest.main()
