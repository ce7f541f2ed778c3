#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""No name reaches the terminal as it is: every control and every invisible character, in every command.

usage: test_names.py WEFT MAKE_TWIN GOTWIN
"""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unicodedata
import unittest

WEFT, MAKE_TWIN, GOTWIN = sys.argv[1:4]
del sys.argv[1:4]
# LeakSanitizer works beside no tracer, and weft shield is one.
UNSEARCHED = {**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}
FORBIDDEN = ("Cc", "Cf", "Zl", "Zp")
HOSTILE = [chr(c) for c in range(1, 0x110000) if unicodedata.category(chr(c)) in FORBIDDEN]
FORMS = ([], ["--json"], ["--sarif"], ["--openvex"], ["--prometheus"])


def names():
    """All hostile characters, and bytes that are no UTF-8, in names that a file system takes."""
    parts = [c.encode() for c in HOSTILE] + [bytes([b]) for b in range(0x80, 0x100)] + [b"\\xff", b"\\x1b[31m"]
    found, name = [], b"n"
    for part in parts:
        if len(name) + len(part) > 200:
            found.append(name)
            name = b"n"
        name += part
    return found + [name]


def path_of(text):
    """The bytes that a report means."""
    return re.sub(rb"\\x([0-9a-f]{2})", lambda m: bytes([int(m.group(1), 16)]), text.encode())


class Names(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.place = os.fsencode(place.name)

    def weft(self, *arguments, statuses=(0, 1, 2)):
        """What it printed, after a look at every character of it."""
        done = subprocess.run([WEFT, *arguments], capture_output=True, timeout=120, stdin=subprocess.DEVNULL, check=False,
                              env=UNSEARCHED)
        self.assertIn(done.returncode, statuses, done.stderr)
        self.assertTrue(done.stdout + done.stderr, arguments)
        for text in (done.stdout.decode(), done.stderr.decode()):  # UTF-8, or it raises
            bad = {f"U+{ord(c):04X}" for c in text if c not in "\n\t" and unicodedata.category(c) in FORBIDDEN}
            self.assertEqual(bad, set(), arguments)
        return done.stdout.decode()

    def twins(self):
        first = os.path.join(self.place, b"first")
        subprocess.run([MAKE_TWIN, first, "caller=main.work"], check=True)
        paths = [os.path.join(self.place, name) for name in names() if b"/" not in name]
        for path in paths:
            shutil.copy(first, path)
        os.unlink(first)
        return paths

    def test_scan_of_files(self):
        paths = self.twins()
        for form in FORMS:
            self.weft("scan", *form, self.place, statuses=[1])
        report = json.loads(self.weft("scan", "--json", self.place))
        found = {path_of(r["path"]) for r in report["results"]}
        self.assertEqual(found, set(paths))

    def test_scan_of_images(self):
        for number, name in enumerate(names()):
            out = io.BytesIO()
            with tarfile.open(fileobj=out, mode="w", errors="surrogateescape") as t:
                text = name.decode(errors="surrogateescape")
                for member in (text, text + "/layer.tar", "manifest.json"):
                    info = tarfile.TarInfo(member)
                    content = json.dumps([{"Layers": [text + "\udcff", text]}]).encode()
                    info.size = len(content)
                    t.addfile(info, io.BytesIO(content))
            path = os.path.join(self.place, b"image" + name)
            with open(path, "wb") as f:
                f.write(out.getvalue())
            for form in FORMS if not number else FORMS[:2]:
                self.weft("scan", *form, "--image", path)

    def test_what_is_not_there(self):
        for name in names():
            path = os.path.join(self.place, name)
            for command in ("scan", "patch", "triage", "ps", "dump", "trace", "doctor"):
                self.weft(command, path)
            self.weft("shield", "--", path, statuses=[126, 127])
            self.weft("shield", "--install", name)
            self.weft("shield", b"--method=" + name, "true", statuses=[2])
            self.weft("storm", b"--order=" + name, statuses=[2])
            self.weft(name, statuses=[2])
            self.weft("scan", b"--" + name, statuses=[2])

    def test_doctor(self):
        self.twins()
        for form in ([], ["--json"]):
            self.weft("doctor", *form, self.place)

    @unittest.skipUnless(GOTWIN, "no double of the bug on this machine")
    def test_patch(self):
        for name in names():
            path = os.path.join(self.place, name)
            shutil.copy2(GOTWIN, path)
            for arguments in (["--dry-run"], ["--json", "--dry-run"], [], [], ["--revert"]):
                self.weft("patch", *arguments, path)

    @unittest.skipUnless(GOTWIN, "no double of the bug on this machine")
    def test_running_processes(self):
        for character in HOSTILE:
            path = os.path.join(self.place, b"n" + character.encode())
            shutil.copy2(GOTWIN, path)
            with subprocess.Popen([path, "serve"], stdout=subprocess.PIPE) as server:
                server.stdout.readline()
                self.weft("shield", f"--pid={server.pid}", "--dry-run")
                self.weft("shield", f"--pid={server.pid}", "--json", "--dry-run")
                server.kill()
                server.stdout.read()
            os.unlink(path)

    def test_units(self):
        unit = os.path.join(self.place, b"etc/systemd/system/x.service")
        os.makedirs(os.path.dirname(unit))
        for name in names():
            with open(unit, "wb") as f:
                f.write(b"[Service]\nExecStart=/bin/" + name.replace(b"\n", b"") + b"\n")
            self.weft("shield", "--install", "--dry-run", b"--root=" + self.place, "x")


if __name__ == "__main__":
    unittest.main()
