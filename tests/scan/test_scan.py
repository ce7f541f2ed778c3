#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `weft scan` promises: verdicts and statuses, every form of report, hostile surroundings, processes, images.

usage: test_scan.py WEFT MAKE_TWIN GOTWIN SCHEMA_OF_SCAN
"""

import gzip
import hashlib
import io
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import unittest

import schema

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


# A process inherits the peak of whoever it was forked from: the scanner is started by a small one.
STARTER = """
import os, sys
pid = os.fork()
if not pid:
    os.execv(sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(pid, 0)
print(os.waitstatus_to_exitcode(status), usage.ru_maxrss)
"""


def measured(*arguments):
    """Runs the command; gives its status, its seconds and its peak of resident memory in bytes."""
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


class Verdicts(Case):
    def test_each_file_has_its_verdict(self):
        found = verdicts(self.everything())
        wanted = {"affected": "affected", "dormant": "affected-dormant", "mitigated": "mitigated",
                  "clean": "not-affected", "unknown": "unknown"}
        self.assertEqual(found, {self.path(k): v for k, v in wanted.items()})

    def test_the_status_follows_the_worst_verdict_in_every_form(self):
        self.everything()
        cases = [("clean", 0, 0), ("mitigated", 0, 0), ("unknown", 0, 1), ("dormant", 0, 1), ("affected", 1, 1)]
        for name, status, strict in cases:
            for form in ([], ["--json"], ["--sarif"], ["--openvex"], ["--prometheus"]):
                self.assertEqual(scan(*form, self.path(name)).returncode, status, (name, form))
                self.assertEqual(scan(*form, "--strict", self.path(name)).returncode, strict, (name, form))

    def test_a_failure_is_told_and_does_not_hide_a_finding(self):
        self.twin("affected", *AFFECTED)
        done = scan(self.path("nothing"))
        self.assertEqual(done.returncode, 2)
        self.assertIn("nothing: No such file", done.stderr)
        both = scan("--json", self.path("nothing"), self.path("affected"))
        self.assertEqual(both.returncode, 1)
        self.assertEqual(json.loads(both.stdout)["counts"]["errors"], 1)

    def test_wrong_usage_is_status_2(self):
        for arguments in ([], ["--json", "--sarif", "/"], ["--no-such-option"], ["--jobs", "0", "/"]):
            self.assertEqual(scan(*arguments).returncode, 2, arguments)

    def test_the_table_names_callers_and_advice(self):
        text = scan(self.twin("affected", *AFFECTED)).stdout
        for words in ("affected", "go1.24.1", "amd64", "is called by main.work", "Go 1.24.3", "weft shield"):
            self.assertIn(words, text)
        self.assertIn("harmless", scan(self.twin("dormant", "caller=pkg.init.0")).stdout)

    def test_the_scanner_does_not_take_itself_for_go(self):
        self.assertEqual(report(WEFT)["results"], [])

    def test_a_running_double_of_the_bug_is_recognised(self):
        if not GOTWIN:
            self.skipTest("no double of the bug on this machine")
        for kind, verdict in (("", OLD), ("-pie", OLD), ("-repaired", "not-affected")):
            self.assertEqual(verdicts(GOTWIN + kind)[GOTWIN + kind], verdict)


class Forms(Case):
    def test_json_is_as_its_schema_says(self):
        wanted = load(SCHEMA)
        done = report(self.everything(), self.path("nothing"))
        self.assertEqual(schema.check(done, wanted), [])
        self.assertEqual(len(done["results"]), 5)
        callers = [r["lock_os_thread_callers"] for r in done["results"] if r["path"].endswith("affected")]
        self.assertEqual(callers, [[{"function": "main.work", "calls": 1, "harmless": False}]])
        del done["results"][0]["verdict"]
        self.assertNotEqual(schema.check(done, wanted), [])  # the validator can say no

    def test_sarif_is_as_the_standard_says(self):
        done = json.loads(scan("--sarif", self.everything(), self.path("nothing")).stdout)
        self.assertEqual(schema.check(done, load(os.path.join(HERE, "sarif.schema.json"))), [])
        run = done["runs"][0]
        self.assertEqual(sorted(r["level"] for r in run["results"]), ["error", "none", "none", "warning"])
        self.assertFalse(run["invocations"][0]["executionSuccessful"])
        for r in run["results"]:
            self.assertEqual(run["tool"]["driver"]["rules"][r["ruleIndex"]]["id"], r["ruleId"])

    def test_openvex_is_as_its_specification_says(self):
        done = json.loads(scan("--openvex", self.everything()).stdout)
        self.assertEqual(schema.check(done, load(os.path.join(HERE, "openvex.schema.json"))), [])
        self.assertRegex(done["@id"], r"^urn:uuid:[0-9a-f-]{36}$")
        states = sorted(s["status"] for s in done["statements"])
        self.assertEqual(states, ["affected", "not_affected", "not_affected", "not_affected", "under_investigation"])
        self.assertTrue(all(s["vulnerability"]["name"] == "golang/go#73141" for s in done["statements"]))

    def test_prometheus_text_is_well_formed(self):
        self.everything()
        self.twin('strange "name\\', *AFFECTED)
        text = scan("--prometheus", self.place).stdout
        label = r'[a-z_]+="(\\[\\"n]|[^"\\\n])*"'
        line = re.compile(rf"^[a-z_]+(\{{{label}(,{label})*\}})? -?[0-9.]+$")
        heads = set()
        for row in text.splitlines():
            if row.startswith("# "):
                heads.add(row.split()[2])
            else:
                self.assertRegex(row, line)
                self.assertIn(re.match(r"[a-z_]+", row).group(), heads)
        self.assertIn('weft_scan_binaries{rule="golang/go#73141",verdict="affected"} 2', text)

    def test_names_cannot_write_to_the_terminal(self):
        self.twin("evil\x1b[31m\nname", *AFFECTED)
        os.rename(self.twin("x", *AFFECTED), os.path.join(os.fsencode(self.place), b"bad\xffutf8"))
        done = scan(self.place)
        self.assertNotIn("\x1b", done.stdout)
        self.assertIn("evil\\x1b[31m", done.stdout)
        self.assertEqual(len(report(self.place)["results"]), 2)

    def test_two_runs_report_the_same(self):
        for i in range(40):
            self.twin(f"d{i % 7}/f{i}", *AFFECTED)
        first = scan("--json", "--jobs", "4", self.place).stdout
        for _ in range(3):
            self.assertEqual(scan("--json", "--jobs", "2", self.place).stdout, first)


class Walking(Case):
    def test_a_file_with_two_names_is_reported_once(self):
        os.link(self.twin("b/second", *AFFECTED), self.path("first"))
        results = report(self.place)["results"]
        self.assertEqual([r["path"] for r in results], [self.path("b/second")])
        self.assertEqual(results[0]["names"], [self.path("b/second"), self.path("first")])

    def test_links_below_an_operand_are_not_followed_but_operands_are(self):
        self.twin("real/file", *AFFECTED)
        os.makedirs(self.path("tree"))
        os.symlink(self.path("real"), self.path("tree/dir"))
        os.symlink(self.path("real/file"), self.path("tree/link"))
        os.symlink("..", self.path("tree/up"))
        self.assertEqual(verdicts(self.path("tree")), {})
        self.assertEqual(len(verdicts(self.path("tree/link"))), 1)
        self.assertEqual(len(verdicts(self.path("tree/dir"))), 1)

    def test_patterns_leave_out_files_and_whole_directories(self):
        for name in ("keep/a", "cache/a", "keep/b.old"):
            self.twin(name, *AFFECTED)
        self.assertEqual(list(verdicts("--exclude", "*.old", "-x", "cache", self.place)), [self.path("keep/a")])
        self.assertEqual(list(verdicts("-x", self.path("keep/*"), self.place)), [self.path("cache/a")])

    def test_a_list_on_standard_input_is_scanned(self):
        paths = [self.twin(n, *AFFECTED) for n in ("a", "b c")]
        self.assertEqual(list(verdicts("-", input="\n".join(paths))), paths)

    @unittest.skipUnless(ROOT, "only root can mount")
    def test_other_file_systems_are_left_out_on_request(self):
        self.twin("inner", *AFFECTED)
        os.makedirs(self.path("tree/mount"))
        script = (f"mount -t tmpfs none {self.path('tree/mount')} && cp {self.path('inner')} {self.path('tree/mount')} &&"
                  f" {WEFT} scan --json {self.path('tree')} ; {WEFT} scan --one-file-system --json {self.path('tree')}")
        done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True)
        if done.returncode == 1 and not done.stdout:
            self.skipTest("mounting is not allowed here")
        first, end = json.JSONDecoder().raw_decode(done.stdout)
        second = json.loads(done.stdout[end:])
        self.assertEqual((len(first["results"]), len(second["results"])), (1, 0))

    @unittest.skipUnless(ROOT, "only root can mount")
    def test_a_directory_mounted_into_itself_ends(self):
        self.twin("tree/file", *AFFECTED)
        os.makedirs(self.path("tree/a/b"))
        script = (f"mount --rbind {self.path('tree')} {self.path('tree/a/b')} && "
                  f"mount --rbind {self.path('tree')} {self.path('tree/a/b/a/b')}; "
                  f"exec {WEFT} scan --json {self.path('tree')}")
        done = subprocess.run(["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, timeout=60)
        self.assertEqual(len(json.loads(done.stdout)["results"]), 1)

    def test_what_cannot_be_read_is_an_error(self):
        if not ROOT:
            os.chmod(self.twin("secret", *AFFECTED), 0)
            self.assertEqual(scan(self.place).returncode, 2)
            return
        os.chmod(self.twin("secret", *AFFECTED), 0)
        os.chmod(self.place, 0o755)
        done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", "--", "/bin/sh", "-c",
                               f"cd / && exec '{WEFT}' scan '{self.place}'"], capture_output=True, text=True)
        if "not found" in done.stderr or "denied" in done.stderr and WEFT in done.stderr:
            self.skipTest("the command cannot be reached by another user")
        self.assertEqual(done.returncode, 2)
        self.assertIn("secret: cannot be opened: Permission denied", done.stderr)


class Hostile(Case):
    def test_headers_that_tools_reject_do_not_matter(self):
        content = bytearray(self.twin_bytes(*AFFECTED))
        content[0x28:0x30] = b"\xff" * 8  # e_shoff
        content[0x3a:0x40] = b"\xff" * 6  # e_shentsize, e_shnum, e_shstrndx
        self.assertEqual(list(verdicts(self.write("file", content)).values()), ["affected"])

    def test_a_sparse_file_of_a_terabyte_takes_no_time_and_no_memory(self):
        content = bytearray(self.twin_bytes(*AFFECTED))
        last = 0x40 + 2 * 56  # the writable segment: let it cover everything
        content[last + 32:last + 48] = (1 << 40).to_bytes(8, "little") * 2
        path = self.write("sparse", content)
        os.truncate(path, 1 << 40)
        status, seconds, memory = measured(path)
        self.assertEqual(status, 1)
        self.assert_cheap(seconds, memory, 30)

    @unittest.skipIf(SANITIZED, "reads gigabytes")
    def test_too_many_bytes_are_unknown_not_clean(self):
        content = bytearray(self.twin_bytes("no-table", "no-build-info"))
        # 200 segments of the same megabytes: more than the scanner is willing to read.
        size = 48 * MEBIBYTE
        content[0x38:0x3a] = (200).to_bytes(2, "little")
        head = bytes(content[0x40:0x40 + 56])
        segment = head[:4] + (4).to_bytes(4, "little") + head[8:32] + size.to_bytes(8, "little") * 2 + head[48:]
        path = self.write("huge", (bytes(content[:0x40]) + segment * 200).ljust(size, b"\0"))
        self.assertEqual(scan(path).returncode, 0)
        status, seconds, memory = measured("--strict", path)
        self.assertEqual(status, 1)
        self.assert_cheap(seconds, memory)

    def test_memory_does_not_follow_the_size_of_a_file(self):
        path = self.twin("big", *AFFECTED)
        with open(path, "ab") as f:
            f.write(os.urandom(MEBIBYTE) * 128)
        with open(path, "rb") as f:
            content = bytearray(f.read(0x1000))
        last = 0x40 + 2 * 56
        content[last + 32:last + 48] = (120 * MEBIBYTE).to_bytes(8, "little") * 2
        with open(path, "r+b") as f:
            f.write(content)
        status, seconds, memory = measured(path)
        self.assertEqual(status, 1)
        self.assert_cheap(seconds, memory)

    def test_pipes_devices_and_loops_do_not_stop_it(self):
        os.mkfifo(self.path("fifo"))
        os.symlink("loop", self.path("loop"))
        os.symlink(".", self.path("here"))
        os.symlink("/dev/zero", self.path("zero"))
        self.twin("affected", *AFFECTED)
        if ROOT:
            os.mknod(self.path("null"), 0o600 | 0o020000, os.makedev(1, 3))
        self.assertEqual(list(verdicts(self.place)), [self.path("affected")])
        for name in ("fifo", "loop", "zero"):
            self.assertEqual(scan(self.path(name), timeout=20).returncode, 2)

    def test_made_up_file_systems_are_left_alone(self):
        done = scan("--json", "/proc", "/sys", timeout=30)
        self.assertEqual((done.returncode, json.loads(done.stdout)["counts"]["files"]), (0, 0))

    def test_a_file_that_shrinks_and_grows_is_survived(self):
        content = self.twin_bytes(*AFFECTED) + b"\0" * (4 * MEBIBYTE)
        path = self.write("changing", content)
        stop = threading.Event()

        def change():
            while not stop.is_set():
                with open(path, "r+b") as f:
                    f.truncate(100)
                    f.truncate(0x5000)
                    f.seek(0)
                    f.write(content)

        thread = threading.Thread(target=change)
        thread.start()
        try:
            for _ in range(40):
                self.assertIn(scan(path).returncode, (0, 1, 2))
        finally:
            stop.set()
            thread.join()

    def test_a_file_cut_short_is_no_crash_and_never_clean_when_it_shows_go(self):
        content = self.twin_bytes(*AFFECTED)
        for length in list(range(0, 400, 7)) + list(range(0x7400, len(content), 64)):
            path = self.write("cut", content[:length])
            self.assertIn(scan(path).returncode, (0, 1))
        self.assertEqual(list(verdicts(self.write("cut", content[:0x7800])).values()), ["affected"])

    def test_a_packed_program_is_unknown(self):
        content = bytearray(self.twin_bytes("no-table", "no-build-info"))
        content[0x140:0x148] = b"\0\0\0\0UPX!"
        result = report(self.write("packed", content))["results"][0]
        self.assertEqual((result["verdict"], result["packed"]), ("unknown", True))

    def test_a_hanging_file_system_does_not_stop_the_scan(self):
        if not ROOT or not shutil.which("unshare"):
            self.skipTest("only root can mount")
        self.twin("tree/affected", *AFFECTED)
        os.makedirs(self.path("tree/hang"))
        # A FUSE mount whose server never answers.
        # What hangs cannot be stopped for a search of leaks.
        script = (f"export ASAN_OPTIONS=detect_leaks=0; exec 9<>/dev/fuse && mount -t fuse -o fd=9,rootmode=40000,user_id=0,group_id=0 none "
                  f"{self.path('tree/hang')} && exec {WEFT} scan --json --timeout 2 --jobs 1 {self.path('tree')}")
        done = subprocess.run(["timeout", "-s", "KILL", "30", "unshare", "-m", "sh", "-c", script], capture_output=True,
                              text=True)
        if "mount" in done.stderr or "fuse" in done.stderr:
            self.skipTest("no FUSE here")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("no answer for 2 s", done.stdout)


class Processes(Case):
    def start(self, *command):
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        self.addCleanup(child.stdout.close)
        child.stdout.readline()  # it serves
        return child

    def process(self, pid):
        for r in report("--processes")["results"]:
            for p in r.get("processes", ()):
                if p["pid"] == pid:
                    return r, p
        return None, None

    def setUp(self):
        super().setUp()
        if not GOTWIN:
            self.skipTest("no double of the bug on this machine")

    def test_a_running_program_is_found_with_its_gauge(self):
        child = self.start(GOTWIN, "serve")
        result, process = self.process(child.pid)
        self.assertEqual((result["verdict"], process["verdict"]), (OLD, OLD))
        host = report(WEFT)["host"]
        self.assertEqual(process["vdso_getrandom"], host["vdso_getrandom"])
        self.assertEqual(process["state_page_limit"], host["state_page_limit"])
        self.assertGreaterEqual(process["state_pages"], 0)
        self.assertEqual(scan("--processes", "--strict").returncode, 1)

    def test_a_deleted_program_is_still_judged(self):
        copy = shutil.copy2(GOTWIN, self.path("gone"))
        child = self.start(copy, "serve")
        os.unlink(copy)
        result, process = self.process(child.pid)
        self.assertEqual((result["path"], result["verdict"], process["deleted"]), (copy, OLD, True))

    def test_a_repaired_program_is_not_accused(self):
        child = self.start(GOTWIN + "-repaired", "serve")
        _, process = self.process(child.pid)
        self.assertEqual(process["verdict"], "not-affected")

    def test_a_shielded_process_is_mitigated(self):
        if subprocess.run([WEFT, "shield", "--help"], capture_output=True).returncode:
            self.skipTest("no shield in this build")
        child = self.start(WEFT, "shield", "--", GOTWIN, "serve")
        result, process = self.process(child.pid)
        if not process:
            self.skipTest("the shield did not start it here")
        self.assertEqual((result["verdict"], process["verdict"]), (OLD, "mitigated"))


    def test_a_process_that_was_changed_while_it_runs_is_mitigated(self):
        child = self.start(GOTWIN, "serve")
        if subprocess.run([WEFT, "shield", "--pid", str(child.pid)], capture_output=True).returncode:
            self.skipTest("processes cannot be changed here")
        _, process = self.process(child.pid)
        self.assertEqual((process["verdict"], process["vdso_getrandom"]), ("mitigated", report(WEFT)["host"]["vdso_getrandom"]))

    def test_a_seccomp_shield_shows_in_the_gauge(self):
        child = self.start(WEFT, "shield", "--method=seccomp", "--", GOTWIN, "serve")
        _, process = self.process(child.pid)
        if not process:
            self.skipTest("the shield did not start it here")
        self.assertEqual((process["seccomp"], process["state_pages"]), (True, 0))


def tar_bytes(entries):
    """entries: (name, bytes | None for a directory | ("hard", target) | ("link", target))."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for name, content in entries:
            info = tarfile.TarInfo(name)
            if content is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(content, tuple):
                info.type = tarfile.LNKTYPE if content[0] == "hard" else tarfile.SYMTYPE
                info.linkname = content[1]
            else:
                info.size = len(content)
            t.addfile(info, io.BytesIO(content) if isinstance(content, bytes) else None)
    return out.getvalue()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def zstd(content):
    return subprocess.run(["zstd", "-q", "-c"], input=content, stdout=subprocess.PIPE, check=True).stdout


class Images(Case):
    def layers(self):
        program = self.twin_bytes(*AFFECTED)
        lower = tar_bytes([("usr/bin/deleted", program), ("usr/bin/replaced", program), ("opt", None), ("opt/hidden", program),
                           ("usr/bin/stays", program), ("bin/other", ("hard", "usr/bin/deleted")),
                           ("etc/text", b"no program")])
        upper = tar_bytes([("usr/bin/.wh.deleted", b""), ("usr/bin/replaced", b"#!/bin/sh\n"), ("opt/.wh..wh..opq", b""),
                           ("../../outside", program), ("./new", self.twin_bytes("repaired"))])
        return lower, upper

    WANTED = {"usr/bin/stays": ("affected", 0), "bin/other": ("affected", 0), "outside": ("affected", 1),
              "new": ("not-affected", 1)}

    def assert_image(self, path, digests):
        results = report("--image", path)
        self.assertEqual(results["errors"], [])
        found = {r["path"]: (r["verdict"], digests.index(r["layer"])) for r in results["results"]}
        self.assertEqual(found, self.WANTED)
        self.assertEqual(scan("--image", path).returncode, 1)

    def oci(self, packers):
        blobs, descriptors = {}, []
        for content, (kind, pack) in zip(self.layers(), packers):
            packed = pack(content)
            blobs[sha256(packed)] = packed
            descriptors.append({"mediaType": f"application/vnd.oci.image.layer.v1.{kind}",
                                "digest": "sha256:" + sha256(packed), "size": len(packed)})
        manifest = json.dumps({"schemaVersion": 2, "layers": descriptors}).encode()
        inner = json.dumps({"schemaVersion": 2, "manifests": [{"digest": "sha256:" + sha256(manifest)}]}).encode()
        blobs[sha256(manifest)] = manifest
        blobs[sha256(inner)] = inner
        members = [("blobs/sha256/" + k, v) for k, v in blobs.items()]
        members.append(("index.json", json.dumps({"manifests": [{"digest": "sha256:" + sha256(inner)}]}).encode()))
        return members, [d["digest"] for d in descriptors]

    def test_an_oci_layout_is_read_from_a_directory_and_from_a_tar(self):
        plain, packed = ("tar", bytes), ("tar+gzip", gzip.compress)
        kinds = [(plain, plain), (packed, packed)]
        if shutil.which("zstd"):
            kinds.append((("tar+zstd", zstd), packed))
        for packers in kinds:
            members, digests = self.oci(packers)
            for name, content in members:
                self.write("layout/" + name, content)
            self.assert_image(self.path("layout"), digests)
            self.assert_image(self.write("layout.tar", tar_bytes(members)), digests)
            shutil.rmtree(self.path("layout"))

    def docker(self):
        lower, upper = self.layers()
        config = json.dumps({"rootfs": {"diff_ids": ["sha256:" + sha256(x) for x in (lower, upper)]}}).encode()
        manifest = [{"Config": "c.json", "RepoTags": ["x:1"], "Layers": ["a/layer.tar", "c/layer.tar"]}]
        return [("a/layer.tar", lower), ("b/layer.tar", upper), ("c/layer.tar", ("link", "../b/layer.tar")),
                ("c.json", config), ("manifest.json", json.dumps(manifest).encode())], \
            ["sha256:" + sha256(x) for x in (lower, upper)]

    def test_what_docker_save_writes_is_read_in_any_order_and_compression(self):
        members, digests = self.docker()
        self.assert_image(self.write("save.tar", tar_bytes(members)), digests)
        self.assert_image(self.write("save.tar", tar_bytes(members[::-1])), digests)
        self.assert_image(self.write("save.tar.gz", gzip.compress(tar_bytes(members))), digests)

    def test_a_broken_layer_loses_no_finding_of_the_others(self):
        members, _ = self.docker()
        members[1] = ("b/layer.tar", members[1][1][:3000])
        done = scan("--json", "--image", self.write("save.tar", tar_bytes(members)))
        self.assertEqual(done.returncode, 1)
        results = json.loads(done.stdout)
        self.assertIn("usr/bin/stays", [r["path"] for r in results["results"]])
        self.assertIn("cannot be read to the end", results["errors"][0]["message"])

    def test_findings_without_a_manifest_are_reported_with_an_error(self):
        members, _ = self.docker()
        results = report("--image", self.write("save.tar", tar_bytes(members[:2])))
        self.assertIn("usr/bin/deleted", [name for r in results["results"] for name in r["names"]])
        self.assertIn("no manifest that fits", results["errors"][0]["message"])

    def test_a_manifest_whose_layer_is_missing_is_an_error(self):
        members, _ = self.docker()
        done = scan("--json", "--image", self.write("save.tar", tar_bytes(members[:1] + members[3:])))
        self.assertEqual(done.returncode, 1)
        self.assertIn("is missing", done.stderr)

    def test_an_index_that_names_itself_ends(self):
        members, _ = self.oci(((("tar", bytes),) * 2))
        itself = json.dumps({"manifests": [{"digest": "sha256:itself"}] * 2000}).encode()
        done = scan("--json", "--image", self.write("loop.tar", tar_bytes(
            [m for m in members if m[0] != "index.json"] + [("blobs/sha256/itself", itself), ("index.json", itself)])))
        self.assertEqual(done.returncode, 1)  # nothing is lost
        self.assertIn("images in one", done.stderr)

    def test_other_files_are_no_images(self):
        for content in (b"", b"text", os.urandom(4096), gzip.compress(b"x" * MEBIBYTE), tar_bytes([("a", b"b")])):
            self.assertEqual(scan("--image", self.write("file", content)).returncode, 2)
        self.assertEqual(scan("--image", self.path("nothing")).returncode, 2)

    @unittest.skipIf(SANITIZED, "unpacks a gigabyte")
    def test_a_bomb_takes_no_memory(self):
        members, _ = self.docker()
        bomb = io.BytesIO()
        with gzip.GzipFile(fileobj=bomb, mode="wb", compresslevel=9) as z:
            info = tarfile.TarInfo("zeros")
            info.size = 1 << 30
            z.write(info.tobuf())
            for _ in range(1 << 10):
                z.write(b"\0" * MEBIBYTE)
        members.insert(0, ("d/layer.tar", bomb.getvalue()))
        status, seconds, memory = measured("--image", self.write("save.tar", tar_bytes(members)))
        self.assertEqual(status, 1)
        self.assert_cheap(seconds, memory)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    unittest.main()
