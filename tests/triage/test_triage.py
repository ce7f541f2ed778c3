#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `weft triage` says of core files: one that the kernel wrote when it may, and many that are made here.

usage: test_triage.py WEFT GOTWIN GOTWIN_PIE GOTWIN_HOST GOTWIN_LIBRARY
"""

import json
import os
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import unittest

WEFT, TWIN, TWIN_PIE, HOST, LIBRARY = sys.argv[1:6]
del sys.argv[1:6]
CHAIN = ["mallocgcSmallNoscan", "mallocgc", "growslice", "vgetrandomPutState", "mexit", "twin_mstart0"]
STACK = 0x7FFF00000000


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


def triage(*arguments):
    return run(WEFT, "triage", *arguments)


def symbols(path):
    found = {}
    for line in run("nm", path).stdout.splitlines():
        address, _, name = line.rpartition(" ")
        if address[:1].isalnum():
            found[name] = int(address.split()[0], 16)
    return found


def note(kind, data):
    return struct.pack("<III", 5, len(data), kind) + b"CORE\0\0\0\0" + data + bytes(-len(data) % 4)


def make_core(path, chain=CHAIN, sig=signal.SIGSEGV, address=0, binary=TWIN, first_page=None):
    """A core of `binary` (at its own addresses) that died in this chain of functions (or of plain numbers, which are no
    code), innermost first."""
    where = symbols(TWIN)
    frames = [f if isinstance(f, int) else where[f] + 1 for f in chain]
    stack = b"".join(struct.pack("<QQ", STACK + 16 * (i + 1), pc) for i, pc in enumerate(frames[1:]))
    stack += bytes(64)
    registers = [0] * 27
    registers[4], registers[16], registers[19] = STACK, frames[0], STACK
    with open(TWIN, "rb") as f:
        entry = struct.unpack_from("<Q", f.read(64), 24)[0]
    text = entry & ~0xFFF
    status = struct.pack("<12xH18xI76x27Q8x", sig, 4242, *registers)
    info = struct.pack("<iiiiQ104x", sig, 0, 1, 0, address)
    process = bytes(40) + b"twin".ljust(16, b"\0") + b"twin crash".ljust(80, b"\0")
    files = struct.pack("<QQQQQ", 1, 4096, text, text + 0x2000, 1) + os.fsencode(binary) + b"\0"
    notes = note(1, status) + note(3, process) + note(0x53494749, info) + note(6, struct.pack("<QQQQ", 9, entry, 0, 0))
    notes += note(0x46494C45, files)
    loads = [(STACK, stack)] + ([(text - 0x1000, first_page)] if first_page else [])
    offset = 64 + 56 * (1 + len(loads))
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 4, 62, 1, 0, 64, 0, 0, 64, 56, 1 + len(loads), 0, 0, 0)
    head += struct.pack("<IIQQQQQQ", 4, 0, offset, 0, 0, len(notes), 0, 4)
    offset += len(notes)
    for start, data in loads:
        head += struct.pack("<IIQQQQQQ", 1, 6, offset, start, 0, len(data), len(data), 4096)
        offset += len(data)
    with open(path, "wb") as f:
        f.write(head + notes + b"".join(data for _, data in loads))
    return path


class Case(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.place = place.name
        self.core = os.path.join(self.place, "made.core")

    def verdict(self, *arguments):
        done = triage("--json", *arguments)
        self.assertEqual(done.stderr, "")
        told = json.loads(done.stdout)
        expected = {"affected": 1, "replay": 1, "other": 0, "unknown": 2}[told["verdict"]]
        self.assertEqual(done.returncode, expected)
        return told


class Recognition(Case):
    def test_this_crash(self):
        told = self.verdict(make_core(self.core))
        self.assertEqual((told["verdict"], told["rule"]), ("affected", "golang/go#73141"))
        self.assertEqual([f["function"] for f in told["frames"][:5]],
                         ["runtime." + name for name in CHAIN[:5]])
        self.assertEqual((told["signal"], told["fault_address"], told["threads"]), (11, 0, 1))

    def test_other_crashes(self):
        for change in ({"address": 0x5000}, {"sig": signal.SIGABRT}, {"chain": CHAIN[1:2] + CHAIN[:1] + CHAIN[2:4]},
                       {"chain": CHAIN[:4]}, {"chain": CHAIN[3:]}, {"chain": ["handoffp"] + CHAIN[4:]}):
            self.assertEqual(self.verdict(make_core(self.core, **change))["verdict"], "other", change)

    def test_what_is_no_frame_does_not_end_it(self):
        for at in range(1, len(CHAIN)):
            make_core(self.core, chain=CHAIN[:at] + [0x80] + CHAIN[at:])
            self.assertEqual(self.verdict(self.core)["verdict"], "affected", at)
        self.assertEqual(self.verdict(make_core(self.core, chain=CHAIN[:2] + [0x80]))["verdict"], "other")

    def test_the_text_names_the_way_out(self):
        done = triage(make_core(self.core))
        self.assertIn("golang/go#73141", done.stdout)
        self.assertIn("1. Upgrade", done.stdout)
        self.assertIn("SIGSEGV in thread 4242 at address 0", done.stdout)

    def test_the_binary_may_be_elsewhere(self):
        make_core(self.core, binary="/nowhere/twin")
        told = self.verdict(self.core)
        self.assertEqual((told["verdict"], told["binary_not_used"]), ("unknown", "No such file or directory"))
        self.assertEqual(self.verdict(self.core, TWIN)["verdict"], "affected")

    def test_another_binary_is_noticed(self):
        make_core(self.core, first_page=b"\x7fELF" + bytes(4092))
        self.assertIn("not the file that crashed", self.verdict(self.core)["binary_not_used"])
        with open(TWIN, "rb") as f:
            make_core(self.core, first_page=f.read(4096))
        self.assertEqual(self.verdict(self.core)["verdict"], "affected")

    def test_without_symbols_go_names_remain(self):
        stripped = shutil.copy(TWIN, self.place)
        if run("strip", stripped).returncode:
            self.skipTest("no strip")
        self.assertEqual(self.verdict(make_core(self.core), stripped)["verdict"], "affected")


class Real(Case):
    def crash(self, *command):
        """The kernel's own core of a command, or None where it writes none here."""
        def allow():
            # Enough for these small programs; a sanitizer's shadow memory would be terabytes.
            resource.setrlimit(resource.RLIMIT_CORE, (1 << 28, 1 << 28))
        with open("/proc/sys/kernel/core_pattern", encoding="utf-8") as f:
            if not re.fullmatch(r"[\w.%]+\n", f.read()):
                self.skipTest("the kernel gives cores to somebody else here")
        try:
            done = run(*command, cwd=self.place, preexec_fn=allow)
        except subprocess.SubprocessError:
            self.skipTest("the limit of core files cannot be raised")
        cores = os.listdir(self.place)
        if done.returncode >= 0 or len(cores) != 1:
            self.skipTest("the kernel wrote no core")
        return os.path.join(self.place, cores[0])

    def test_the_crash_itself(self):
        for twin in (TWIN, TWIN_PIE):
            with self.subTest(twin):
                core = self.crash(twin, "crash")
                told = self.verdict(core)
                self.assertEqual(told["verdict"], "affected")
                self.assertEqual([f["function"] for f in told["frames"][:6]],
                                 ["runtime." + name.replace("twin_", "") for name in CHAIN])
                os.unlink(core)

    def test_the_crash_in_a_library_of_a_c_program(self):
        with tempfile.TemporaryDirectory() as directory:
            library = shutil.copy(LIBRARY, directory)
            core = self.crash(HOST, library, "crash")
            told = self.verdict(core)
            self.assertEqual((told["verdict"], told["library"]), ("affected", library))
            self.assertEqual([f["function"] for f in told["frames"][:6]],
                             ["runtime." + name.replace("twin_", "") for name in CHAIN])
        # Without the library's file it cannot be told; it is not called another crash.
        self.assertEqual(self.verdict(core)["verdict"], "unknown")

    def test_another_death(self):
        core = self.crash("sh", "-c", "kill -SEGV $$")
        told = self.verdict(core)
        self.assertNotEqual(told["verdict"], "affected")
        self.assertNotIn("fault_address", told)

    @unittest.skipUnless(shutil.which("gcore"), "gcore is not installed")
    def test_a_core_of_a_living_process(self):
        with subprocess.Popen([TWIN, "serve"], stdout=subprocess.DEVNULL) as server:
            made = run("gcore", "-o", self.core, str(server.pid))
            server.kill()
        if made.returncode:
            self.skipTest("gcore failed")
        self.assertIn("did not die", triage(f"{self.core}.{server.pid}").stdout)


class Hostile(Case):
    def test_what_is_no_core(self):
        fifo = os.path.join(self.place, "fifo")
        os.mkfifo(fifo)
        for path in (TWIN, __file__, self.place, fifo, "/dev/zero", "/nowhere"):
            done = triage(path)
            self.assertEqual((done.returncode, done.stdout), (2, ""), path)
            self.assertTrue(done.stderr.startswith("weft triage: "), done.stderr)

    def test_compressed_cores_are_explained(self):
        for magic, tool in ((b"\x28\xb5\x2f\xfd", "zstd -d"), (b"\x04\x22\x4d\x18", "lz4 -d")):
            with open(self.core, "wb") as f:
                f.write(magic + bytes(100))
            self.assertIn(tool, triage(self.core).stderr)

    def test_a_core_that_names_a_device_as_its_binary(self):
        told = self.verdict(make_core(self.core, binary="/dev/zero"))
        self.assertEqual(told["binary_not_used"], "Invalid argument")

    def test_a_stack_in_circles_ends(self):
        make_core(self.core)
        with open(self.core, "r+b") as f:
            image = f.read()
            frame = image.index(struct.pack("<Q", STACK + 16))
            f.seek(frame)
            f.write(struct.pack("<Q", STACK))
        self.assertEqual(self.verdict(self.core)["verdict"], "other")

    def test_a_name_cannot_write_to_the_terminal(self):
        make_core(self.core)
        with open(self.core, "r+b") as f:
            image = f.read()
            f.seek(image.index(b"twin crash"))
            f.write(b"\x1b[31mtwin!")
        self.assertNotIn("\x1b", triage(self.core).stdout)


class Absence(Case):
    def test_without_a_core_it_explains(self):
        done = triage()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for word in ("no Go traceback", "segfault at", "139", "status=11/SEGV", "core_pattern", "LimitCORE", "ulimit"):
            self.assertIn(word, done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
