#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Programs built here by the Go on PATH, judged as what it is (status 77: there is none). test_modes.py has those that
have the bug.

usage: test_go.py WEFT
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

WEFT = os.path.abspath(sys.argv.pop(1))
STORM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "storm")
KINDS = {"plain": [], "stripped": ["-ldflags=-s -w"], "pie": ["-buildmode=pie"]}
MACHINES = ["386", "s390x"]  # 32 bits, big-endian


def scan(path):
    done = subprocess.run([WEFT, "scan", "--json", path], capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout)


def version(go):
    return subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True).stdout.strip()


def has_the_bug(name):
    return bool(re.fullmatch(r"go1\.24(\.[012])?", name))


class Built(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.place = place.name

    def build(self, go, kind, source=".", **more):
        path = os.path.join(self.place, kind)
        environment = {**os.environ, "GOFLAGS": "-mod=mod", "GO111MODULE": "off", "CGO_ENABLED": "0", "GOTOOLCHAIN": "local",
                           "GOCACHE": os.path.join(self.place, "cache"), **more}
        done = subprocess.run([go, "build", "-o", path, *KINDS.get(kind, [f"-buildmode={kind}"]), source], cwd=STORM,
                              env=environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return path


class AnyGo(Built):
    def test_programs_of_the_go_on_path_are_judged_by_what_it_is(self):
        name = version("go")
        if has_the_bug(name):
            self.skipTest("the Go on PATH has the bug")
        for kind in KINDS:
            path = self.build("go", kind)
            status, report = scan(path)
            result = report["results"][0]
            self.assertEqual(result["go_version"], name)
            self.assertEqual((result["verdict"], status), ("not-affected", 0), kind)
            done = subprocess.run([path], stdin=subprocess.DEVNULL, capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout), (0, "ready\nsurvived\n"))

    def test_other_machines_are_judged_too(self):
        for machine in MACHINES:
            result = scan(self.build("go", "plain", GOARCH=machine))[1]["results"][0]
            self.assertEqual((result["arch"], result["verdict"]), (machine, "not-affected"))

    @unittest.skipUnless(shutil.which("gcc"), "no C compiler")
    def test_a_library_is_judged_too(self):
        source = os.path.join(self.place, "library.go")
        with open(source, "w") as f:
            f.write('package main\nimport "C"\n//export Hello\nfunc Hello() {}\nfunc main() {}\n')
        result = scan(self.build("go", "c-shared", source, CGO_ENABLED="1"))[1]["results"][0]
        self.assertEqual((result["go_version"], result["verdict"]), (version("go"), "not-affected"))

    @unittest.skipUnless(shutil.which("strip"), "no strip")
    def test_what_strip_leaves_is_enough(self):
        path = self.build("go", "plain")
        subprocess.run(["strip", "--strip-all", "-R", ".note.go.buildid", path], check=True)
        self.assertEqual(scan(path)[1]["results"][0]["verdict"], "not-affected")


if __name__ == "__main__":
    if not shutil.which("go"):
        print("skipped: there is no Go on PATH")
        sys.exit(77)
    unittest.main(verbosity=2)
