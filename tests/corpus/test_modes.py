#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Go programs with the bug, built in every way that Go knows, judged, run, shielded and patched.

WEFT_GO_AFFECTED names a Go tree (bin/go in it) with the exit order of Go 1.24.0; without it nothing is tested, with
status 77. Such a tree is a copy of any Go >= 1.24.3 with these edits in src/runtime: in proc.go mexit does not call
vgetrandomDestroy; in vgetrandom_linux.go that function is replaced by vgetrandomPutState(state uintptr), which appends
the state to vgetrandomAlloc.states under statesLock; in vgetrandom_unsupported.go the same function is empty; in
os_linux.go mdestroy calls it when mp.vgetrandomState is not 0, and sets that to 0.

WEFT_GO_RUNS says how often each program is run in each way (default: once), WEFT_GO_MODES which modes (names, divided
by commas). GOCACHE is kept when it is set: the first build of a mode takes minutes.

usage: test_modes.py WEFT
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import go_modes

ROOT = os.environ.get("WEFT_GO_AFFECTED")
RUNS = int(os.environ.get("WEFT_GO_RUNS", "1"))
CHOSEN = [m for m in os.environ.get("WEFT_GO_MODES", "").split(",") if m]
LOCKERS = {"main.takeThread", "main.dieLocked", "main.storm.gowrap1"}


def scan(path):
    done = subprocess.run([WEFT, "scan", "--json", path], capture_output=True, text=True)
    report = json.loads(done.stdout)
    return done.returncode, report["results"][0], report["host"]["vdso_getrandom"]


def run(*command):
    """The status of a storm, and what it said."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout


def shielded_while_it_runs(*command):
    """The same, with its runtime changed in memory before the storm; None when the shield refused."""
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    first = child.stdout.readline()
    done = subprocess.run([WEFT, "shield", f"--pid={child.pid}"], capture_output=True, text=True)
    if done.returncode:
        child.kill()
    rest, _ = child.communicate(timeout=120)
    return (child.returncode, first + rest) if done.returncode == 0 else None


class Affected(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory(prefix="weft-modes-")
        self.addCleanup(place.cleanup)
        self.builder = go_modes.Builder(ROOT, place.name)

    def check_callers(self, mode, kind, result):
        names = {c["function"]: c["harmless"] for c in result["lock_os_thread_callers"]}
        harmful = {n for n, harmless in names.items() if not harmless}
        if kind in ("quiet", "harmless") or not mode.hooked():
            self.assertEqual(harmful, set())
        elif kind == "value":
            self.assertIn("(function value)", harmful)
        elif "pgo" in mode.name:
            self.assertIn("(inlined code)", harmful)
        else:
            self.assertTrue(harmful & LOCKERS, harmful)
        if kind in ("harmless", "kept") and mode.hooked():
            self.assertEqual(names.get("runtime.ensureSigM.func1"), True)

    def check_verdict(self, mode, kind, path):
        status, result, host = scan(path)
        wanted = ("not-affected" if not mode.hooked() else
                  "affected-dormant" if kind in ("quiet", "harmless") else "affected")
        self.assertEqual((result["verdict"], status), (wanted, int(wanted == "affected")), result)
        self.assertNotIn("older", result["reason"])
        self.check_callers(mode, kind, result)
        return wanted == "affected" and host

    def check_life(self, path, *arguments):
        """It dies; it lives under shield, under seccomp, and after patch."""
        lived = (0, "ready\nsurvived\n")
        for _ in range(RUNS):
            self.assertEqual(run(path, *arguments)[0], -signal.SIGSEGV)
            self.assertEqual(run(WEFT, "shield", "--", path, *arguments), lived)
            self.assertEqual(run(WEFT, "shield", "--method=seccomp", "--", path, *arguments), lived)
            self.assertIn(shielded_while_it_runs(path, *arguments), (lived, None))
        target = arguments[0] if arguments else path
        subprocess.run([WEFT, "patch", target], check=True, capture_output=True)
        self.assertEqual(scan(target)[1]["verdict"], "mitigated")
        for _ in range(RUNS):
            self.assertEqual(run(path, *arguments), lived)

    def test_programs(self):
        for mode in go_modes.MODES:
            if CHOSEN and mode.name not in CHOSEN:
                continue
            for kind in mode.kinds():
                with self.subTest(mode=mode.name, kind=kind):
                    if mode.cc and not shutil.which(mode.cc):
                        self.skipTest(f"there is no {mode.cc}")
                    path = self.builder.build(mode, kind)
                    deadly = self.check_verdict(mode, kind, path)
                    if deadly and mode.runs():
                        self.check_life(path)
                    elif mode.runs():
                        self.assertEqual(run(path), (0, "ready\nsurvived\n"))
                    print(f"{mode.name}, {kind}: {'deadly' if deadly else 'harmless'}, as judged", flush=True)
                    os.unlink(path)


@unittest.skipUnless(shutil.which("gcc"), "there is no C compiler")
class Libraries(Affected):
    """A library of Go's in a C program, and a plugin."""

    test_programs = None
    CGO = go_modes.external("library", "")

    def compile(self, *arguments):
        path = os.path.join(self.builder.place, "host")
        subprocess.run(["gcc", "-O1", "-o", path, go_modes.HOST, *arguments], check=True)
        return path

    def build_library(self, form, *more):
        mode = self.CGO._replace(name=form, flags=(f"-buildmode={form}",))
        return self.builder.build(mode, "call", *more, tags=["plugin" if form == "plugin" else "library"])

    def check_pid(self, host, library):
        for _ in range(RUNS):
            self.assertEqual(shielded_while_it_runs(host, *library), (0, "ready\nsurvived\n"))

    def test_shared_for_c(self):
        for flags in ((), ("-ldflags=-s -w",)):
            host, library = self.compile(), self.build_library("c-shared", *flags)
            self.assertEqual(scan(library)[:1], (1,))
            self.check_pid(host, [library])
            self.check_life(host, library)

    def test_archive_for_c(self):
        host = self.compile("-DLINKED", self.build_library("c-archive"), "-lpthread")
        self.assertEqual(scan(host)[:1], (1,))
        self.check_pid(host, [])
        self.check_life(host)

    def test_plugin(self):
        plugin = self.build_library("plugin", "-trimpath")
        host = self.builder.build(self.CGO, "call", "-trimpath", source=go_modes.OPENER)
        self.assertEqual(scan(plugin)[:1], (1,))
        self.assertEqual(run(host, plugin)[0], -signal.SIGSEGV)
        for _ in range(RUNS):
            self.assertEqual(run(WEFT, "shield", "--", host, plugin), (0, "ready\nsurvived\n"))

    def test_shared_runtime(self):
        """Programs of -linkshared: the runtime is in libstd.so."""
        packages = os.path.join(self.builder.place, "packages")
        std = self.CGO._replace(name="shared")
        self.builder.go_run(std, "install", "-buildmode=shared", f"-pkgdir={packages}", "std")
        for kind, verdict in (("call", "affected"), ("value", "affected"), ("quiet", "affected-dormant"),
                              ("harmless", "affected-dormant")):
            path = self.builder.build(std, kind, "-linkshared", f"-pkgdir={packages}")
            result = scan(path)[1]
            self.assertEqual(result["verdict"], verdict, result)
            self.assertIn("libstd.so", result["reason"])
            if verdict == "affected":
                self.assertEqual(run(path)[0], -signal.SIGSEGV)
                for _ in range(RUNS):
                    self.assertEqual(run(WEFT, "shield", "--", path), (0, "ready\nsurvived\n"))
        self.assertEqual(scan(os.path.join(packages, "libstd.so"))[1]["verdict"], "affected")
        os.rename(packages, packages + ".gone")
        result = scan(path)[1]
        self.assertEqual((result["verdict"], "libstd.so" in result["reason"]), ("unknown", True))


if __name__ == "__main__":
    WEFT = os.path.abspath(sys.argv.pop(1))
    if not ROOT:
        print("skipped: WEFT_GO_AFFECTED names no Go tree with the old exit order")
        sys.exit(77)
    unittest.main()
