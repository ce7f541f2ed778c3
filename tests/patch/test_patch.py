#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `weft patch` promises, tried on a program that has the bug, and on real Go binaries where they can be had.

usage: test_patch.py WEFT GOTWIN GOTWIN_PIE GOTWIN_REPAIRED
"""

import ctypes
import fcntl
import hashlib
import json
import os
import platform
import shutil
import struct
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "corpus"))
import corpus

WEFT, TWIN, TWIN_PIE, REPAIRED = sys.argv[1:5]
del sys.argv[1:5]
ROOT = os.geteuid() == 0
HASHES = bytes.fromhex("5d422500bf59a584")
OLD = b"\0runtime.vgetrandomPutState\0"  # what Go's linker puts into a program with the bug


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


def patch(*arguments, **options):
    return run(WEFT, "patch", *arguments, **options)


def content(path):
    with open(path, "rb") as f:
        return f.read()


def digest(path):
    return hashlib.sha256(content(path)).hexdigest()


def differences(a, b):
    """How many bytes differ."""
    a, b, block, count = content(a), content(b), 1 << 16, 0
    for at in range(0, min(len(a), len(b)), block):
        if a[at:at + block] != b[at:at + block]:
            count += sum(x != y for x, y in zip(a[at:at + block], b[at:at + block]))
    return abs(len(a) - len(b)) + count


class Case(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.place = place.name

    def copy(self, original=TWIN, name="program"):
        return shutil.copy2(original, os.path.join(self.place, name))

    def edited(self, edit):
        image = bytearray(content(TWIN))
        edit(image)
        path = self.copy()
        with open(path, "wb") as f:
            f.write(image)
        return path

    def assert_refused(self, path, reason, *arguments):
        before, names = digest(path), sorted(os.listdir(self.place))
        done = patch(*arguments, path)
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("is left as it is", done.stderr)
        self.assertIn(reason, done.stderr)
        self.assertEqual((digest(path), sorted(os.listdir(self.place))), (before, names))


class Patching(Case):
    def test_the_program_survives_what_killed_it(self):
        for twin in (TWIN, TWIN_PIE):
            path = self.copy(twin)
            if run(path, "lookup").stdout == "vdso\n":
                self.assertEqual(run(path, "crash").returncode, -signal.SIGSEGV)
            self.assertEqual(patch(path).returncode, 0)
            self.assertEqual(run(path, "lookup").stdout, "syscall\n")
            self.assertEqual(run(path, "crash").returncode, 0)
            self.assertEqual(run(path, "clock").returncode, 0)

    def test_one_byte_differs_and_revert_brings_it_back(self):
        for twin in (TWIN, TWIN_PIE):
            path = self.copy(twin)
            before = os.stat(path)
            self.assertEqual(patch(path).returncode, 0)
            self.assertEqual(differences(path, twin), 1)
            self.assertGreater(os.stat(path).st_mtime_ns, before.st_mtime_ns)
            self.assertEqual(patch("--revert", path).returncode, 0)
            self.assertEqual(digest(path), digest(twin))
            self.assertEqual(os.stat(path).st_mtime_ns, before.st_mtime_ns)
            self.assertEqual(os.listdir(self.place), ["program"])

    def test_twice_is_once(self):
        path = self.copy()
        patch(path)
        once = os.stat(path)
        done = patch(path)
        self.assertEqual((done.returncode, "patched already" in done.stdout), (0, True))
        self.assertEqual((os.stat(path).st_ino, os.stat(path).st_mtime_ns), (once.st_ino, once.st_mtime_ns))
        patch("--revert", path)
        done = patch("--revert", path)
        self.assertEqual((done.returncode, "not patched" in done.stdout), (0, True))

    def test_dry_run_writes_nothing(self):
        path = self.copy()
        self.assertEqual(patch("--dry-run", path).returncode, 1)
        self.assertEqual((digest(path), os.listdir(self.place)), (digest(TWIN), ["program"]))
        patch(path)
        self.assertEqual(patch("--dry-run", path).returncode, 0)
        self.assertEqual(patch("--dry-run", "--revert", path).returncode, 1)
        self.assertEqual(differences(path, TWIN), 1)

    def test_output_leaves_the_original(self):
        path, other = self.copy(), os.path.join(self.place, "patched")
        self.assertEqual(patch(f"--output={other}", path).returncode, 0)
        self.assertEqual((digest(path), differences(path, other)), (digest(TWIN), 1))
        self.assertEqual(run(other, "lookup").stdout, "syscall\n")
        self.assertEqual(patch(f"--output={other}", path).returncode, 2)

    def test_revert_without_a_record(self):
        path = self.copy()
        patch(path)
        os.unlink(os.path.join(self.place, ".program.weft-undo"))
        self.assertEqual(patch("--revert", path).returncode, 0)
        self.assertEqual(digest(path), digest(TWIN))

    def test_a_program_that_runs_is_patched_and_runs_on(self):
        path = self.copy()
        server = subprocess.Popen([path, "serve"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (server.kill(), server.communicate()))
        server.stdout.readline()
        self.assertEqual(patch(path).returncode, 0)
        for _ in range(10):
            self.assertEqual(server.stdout.readline().split()[3], "10")

    def test_a_link_stays_a_link(self):
        path, link = self.copy(), os.path.join(self.place, "link")
        os.symlink("program", link)
        self.assertEqual(patch(link).returncode, 0)
        self.assertTrue(os.path.islink(link))
        self.assertEqual(differences(path, TWIN), 1)

    def test_json(self):
        path = self.copy()
        told = json.loads(patch("--json", path).stdout)
        self.assertEqual((told["schema"], told["result"], told["path"]), (1, "patched", os.path.realpath(path)))
        self.assertEqual((content(TWIN)[told["offset"]], content(path)[told["offset"]]),
                         (told["compiled"], told["patched"]))


class Metadata(Case):
    def test_mode_and_user_attributes(self):
        path = self.copy()
        os.chmod(path, 0o2751)
        try:
            os.setxattr(path, "user.weft", b"kept")
        except OSError:
            self.skipTest("no user attributes on this file system")
        self.assertEqual(patch(path).returncode, 0)
        self.assertEqual(os.stat(path).st_mode & 0o7777, 0o2751)
        self.assertEqual(os.getxattr(path, "user.weft"), b"kept")

    @unittest.skipUnless(ROOT, "needs root")
    def test_owner_set_user_id_and_capabilities(self):
        capability = bytes.fromhex("0100000200040000000000000000000000000000")
        path = self.copy()
        os.chown(path, 12345, 23456)
        os.chmod(path, 0o4755)
        try:
            os.setxattr(path, "security.capability", capability)
        except OSError:
            self.skipTest("no capabilities on this file system")
        before = os.stat(path)
        for arguments in ([], ["--revert"]):
            self.assertEqual(patch(*arguments, path).returncode, 0)
            after = os.stat(path)
            self.assertEqual((after.st_uid, after.st_gid, after.st_mode), (12345, 23456, before.st_mode))
            self.assertEqual(os.getxattr(path, "security.capability"), capability)

    @unittest.skipUnless(ROOT, "needs root, to become somebody else")
    def test_an_owner_that_cannot_be_kept_is_a_refusal(self):
        path = self.copy()
        os.chmod(self.place, 0o777)
        weft = shutil.copy(WEFT, self.place)
        done = run(weft, "patch", path, user=65534)
        self.assertEqual(done.returncode, 2)
        self.assertIn("keep its owner", done.stderr)
        self.assertEqual((digest(path), sorted(os.listdir(self.place))), (digest(TWIN), ["program", "weft"]))


class Killed(Case):
    """A patch may be killed at any moment: the next one does its work and leaves nothing of the other behind."""

    def names(self):
        return sorted(os.listdir(self.place))

    def test_leftovers_are_removed(self):
        for leftovers in ([".program.weft-new"], [".program.weft-undo"], [".program.weft-new", ".program.weft-undo"]):
            path = self.copy()
            for name in leftovers:
                with open(os.path.join(self.place, name), "wb") as f:
                    f.write(b"half of it")
            self.assertEqual(patch(path).returncode, 0)
            self.assertEqual(self.names(), [".program.weft-undo", "program"])
            self.assertEqual(differences(path, TWIN), 1)
            self.assertEqual(patch("--revert", path).returncode, 0)
            self.assertEqual((self.names(), digest(path)), (["program"], digest(TWIN)))

    def test_a_record_of_a_patch_that_was_not_done_goes_with_revert(self):
        path, record = self.copy(), os.path.join(self.place, ".program.weft-undo")
        for arguments, left in ((["--dry-run"], True), ([], False)):
            with open(record, "wb") as f:
                f.write(b"{}")
            self.assertIn("not patched", patch("--revert", *arguments, path).stdout)
            self.assertEqual(os.path.exists(record), left)

    def test_at_any_moment(self):
        path = self.copy()
        for attempt in range(60):
            with subprocess.Popen([WEFT, "patch", path], stdout=subprocess.DEVNULL) as killed:
                time.sleep(attempt * 0.0001)
                killed.kill()
            self.assertEqual(patch(path).returncode, 0)
            self.assertEqual(differences(path, TWIN), 1)
            self.assertEqual(patch("--revert", path).returncode, 0)
            self.assertEqual((self.names(), digest(path)), (["program"], digest(TWIN)))


def is_loaded(image, offset, size):
    """Whether a segment of the (64-bit) image maps these bytes of the file; what lies between two is in none."""
    headers, = struct.unpack_from("<Q", image, 32)
    entry, count = struct.unpack_from("<HH", image, 54)
    for i in range(count):
        kind, _, begin, _, _, length = struct.unpack_from("<IIQQQQ", image, headers + i * entry)
        if kind == 1 and begin <= offset and offset + size <= begin + length:  # PT_LOAD
            return True
    return False


class Refusals(Case):
    def test_a_second_key(self):
        def add(image):
            spare = next(at for at in range(0, len(image), 8)
                         if not any(image[at:at + 8]) and is_loaded(image, at, 8))
            image[spare:spare + 8] = HASHES
        self.assert_refused(self.edited(add), "2 times, not once")

    def test_a_key_with_another_name(self):
        def rename(image):
            at = image.index(b"__vdso_getrandom\0")
            image[at:at + 6] = b"__vdsX"
        self.assert_refused(self.edited(rename), "does not point at that name")

    def test_hard_links(self):
        path = self.copy()
        os.link(path, os.path.join(self.place, "other"))
        self.assert_refused(path, "hard links")
        self.assertEqual(patch("--hard-links", path).returncode, 0)
        self.assertEqual(differences(path, os.path.join(self.place, "other")), 1)

    def test_what_is_in_the_way_is_named(self):
        path, copy = self.copy(), os.path.join(self.place, ".program.weft-new")
        for make, remove in ((os.mkdir, os.rmdir), (os.mkfifo, os.unlink),
                             (lambda name: os.symlink("program", name), os.unlink)):
            make(copy)
            self.assert_refused(path, ".program.weft-new")
            remove(copy)

    def test_a_patch_that_is_at_work_keeps_others_out(self):
        path, copy = self.copy(), os.path.join(self.place, ".program.weft-new")
        with open(copy, "wb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            self.assert_refused(path, "at work and holds .program.weft-new")
            self.assert_refused(path, "at work", "--output=" + os.path.join(self.place, "other"))
        self.assertEqual(patch(path).returncode, 0)

    def test_a_record_of_another_file(self):
        path = self.copy()
        patch(path)
        record = os.path.join(self.place, ".program.weft-undo")
        with open(record, encoding="utf-8") as f:
            told = json.load(f)
        told["offset"] += 1
        with open(record, "w", encoding="utf-8") as f:
            json.dump(told, f)
        self.assert_refused(path, "undo record", "--revert")

    def test_not_go_not_elf_not_a_file(self):
        self.assert_refused(self.copy("/bin/true"), "no sign of Go")
        self.assert_refused(self.copy("/bin/true"), "not once", "--force")
        self.assert_refused(self.copy(__file__), "not an ELF file")
        self.assertEqual(patch(self.place).returncode, 2)
        self.assertEqual(patch(os.path.join(self.place, "missing")).returncode, 2)
        fifo = os.path.join(self.place, "fifo")
        os.mkfifo(fifo)
        self.assertEqual(patch(fifo).returncode, 2)

    def test_a_repaired_runtime_is_left_alone(self):
        path = self.copy(REPAIRED)
        for arguments in ([], ["--revert"], ["--force"]):
            done = patch(*arguments, path)
            self.assertEqual((done.returncode, "nothing to do" in done.stdout), (0, True), done.stderr)
        self.assertEqual((digest(path), os.listdir(self.place)), (digest(REPAIRED), ["program"]))

    @unittest.skipUnless(ROOT, "needs root, for a mount")
    def test_a_read_only_file_system(self):
        libc = ctypes.CDLL(None, use_errno=True)
        path = self.copy()
        target = self.place.encode()

        def mount_read_only():
            flags = 4096  # MS_BIND
            if (libc.unshare(0x20000) or libc.mount(None, b"/", None, 0x44000, None) or
                    libc.mount(target, target, None, flags, None) or
                    libc.mount(None, target, None, flags | 32 | 1, None)):
                os._exit(77)
        done = run(WEFT, "patch", path, preexec_fn=mount_read_only)
        if done.returncode == 77:
            self.skipTest("mounts are not permitted")
        self.assertEqual(done.returncode, 2)
        self.assertIn("read-only", done.stderr)
        self.assertEqual(os.listdir(self.place), ["program"])


class Corpus(Case):
    def answers(self, path):
        """What it says of itself. The path is the same before and after: some print it."""
        for option in ("--help", "--version", "version"):
            done = run(path, option, cwd=self.place, env={"HOME": self.place}, stdin=subprocess.DEVNULL)
            self.assertGreaterEqual(done.returncode, 0)
            yield done.returncode, done.stdout
            if option == "--version" and done.returncode == 0:
                return  # the bare word starts some as servers

    def check(self, original, arch):
        path = self.copy(original, os.path.basename(original))
        os.chmod(path, 0o755)
        old, runs = OLD in content(path), arch == {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine())
        before = list(self.answers(path)) if old and runs else None
        done = patch(path)
        self.assertEqual(done.returncode, 0, done.stderr)
        if not old:
            self.assertIn("nothing to do", done.stdout)
        else:
            self.assertEqual(differences(path, original), 1)
            self.assertEqual(list(self.answers(path)) if runs else None, before)
            self.assertIn("patched already", patch(path).stdout)
            self.assertEqual(patch("--revert", path).returncode, 0)
        self.assertEqual(digest(path), digest(original))
        os.unlink(path)

    def test_real_binaries(self):
        seen = 0
        for original, arch in corpus.programs(corpus.place()):
            seen += 1
            with self.subTest(original):
                self.check(original, arch)
        self.assertGreater(seen, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
