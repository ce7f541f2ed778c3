#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Programs built here: by the Go on PATH (judged as what it is), and by an affected one that WEFT_GO_AFFECTED names,
whose program must die, and must live under shield and after patch.

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
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "crash.go")
AFFECTED_GO = os.environ.get("WEFT_GO_AFFECTED")
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

    def build(self, go, kind, source=SOURCE, **more):
        path = os.path.join(self.place, kind)
        environment = {**os.environ, "GOFLAGS": "-mod=mod", "GO111MODULE": "off", "CGO_ENABLED": "0", "GOTOOLCHAIN": "local",
                           "GOCACHE": os.path.join(self.place, "cache"), **more}
        done = subprocess.run([go, "build", "-o", path, *KINDS.get(kind, [f"-buildmode={kind}"]), source], env=environment,
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return path


@unittest.skipUnless(shutil.which("go"), "no Go on PATH")
class AnyGo(Built):
    def test_programs_of_the_go_on_path_are_judged_by_what_it_is(self):
        name = version("go")
        if has_the_bug(name):
            self.skipTest("the Go on PATH has the bug: see below")
        for kind in KINDS:
            path = self.build("go", kind)
            status, report = scan(path)
            result = report["results"][0]
            self.assertEqual(result["go_version"], name)
            self.assertEqual((result["verdict"], status), ("not-affected", 0), kind)
            done = subprocess.run([path], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stdout), (0, "survived\n"))

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


@unittest.skipUnless(AFFECTED_GO, "WEFT_GO_AFFECTED names no Go with the bug")
class AffectedGo(Built):
    def setUp(self):
        super().setUp()
        self.assertTrue(has_the_bug(version(AFFECTED_GO)), version(AFFECTED_GO))

    def test_its_programs_are_affected_and_die(self):
        for kind in KINDS:
            path = self.build(AFFECTED_GO, kind)
            status, report = scan(path)
            self.assertEqual((status, report["results"][0]["verdict"]), (1, "affected"))
            callers = {c["function"]: c["harmless"] for c in report["results"][0]["lock_os_thread_callers"]}
            self.assertEqual(callers.get("main.dieLocked"), False)
            if report["host"]["vdso_getrandom"]:
                self.assertEqual(subprocess.run([path], capture_output=True).returncode, -11)

    def test_they_live_under_shield_and_after_patch(self):
        for kind in KINDS:
            path = self.build(AFFECTED_GO, kind)
            shielded = subprocess.run([WEFT, "shield", "--", path], capture_output=True, text=True)
            self.assertEqual((shielded.returncode, shielded.stdout), (0, "survived\n"))
            subprocess.run([WEFT, "patch", path], check=True, capture_output=True)
            self.assertEqual(scan(path)[1]["results"][0]["verdict"], "mitigated")
            patched = subprocess.run([path], capture_output=True, text=True)
            self.assertEqual((patched.returncode, patched.stdout), (0, "survived\n"))


if __name__ == "__main__":
    unittest.main()
