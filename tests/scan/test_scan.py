#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `weft scan` promises: verdicts and statuses, every form of report, hostile surroundings, processes.

usage: test_scan.py WEFT MAKE_TWIN GOTWIN SCHEMA_OF_SCAN
"""

import gzip
import json
import os
import re
import shutil
import subprocess
import threading
import unittest

import schema
from common import (AFFECTED, GOTWIN, HERE, MEBIBYTE, OLD, ROOT, SANITIZED, SCHEMA, WEFT, Case, load, main, measured,
                    report, scan, verdicts)


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


class Statuses(Case):
    """What could not be looked at is told by the status, in every form, and never hides a finding."""

    FORMS = ([], ["--json"], ["--sarif"], ["--openvex"], ["--prometheus"])

    def operands(self):
        """name: (arguments, what stdin says, status, status with --strict)"""
        whole = self.twin_bytes(*AFFECTED)
        core = bytearray(whole)
        core[16] = 4  # ET_CORE
        files = {"text": b"text", "script": b"#!/bin/sh\n", "packed.gz": gzip.compress(whole), "empty": b"",
                 "cut": whole[:len(whole) // 2], "headers": whole[:64], "core": bytes(core)}
        found = {name: ([self.write(name, content)], "", 0, 2) for name, content in files.items()}
        os.mkfifo(self.path("fifo"))
        affected = self.twin("bin/affected", *AFFECTED)
        found["listed"] = (["-"], self.path("text") + "\n", 0, 0)
        found["directory"] = ([os.path.dirname(self.write("texts/text", b"text"))], "", 0, 0)
        found["missing"] = ([self.path("nothing")], "", 2, 2)
        found["fifo"] = ([self.path("fifo")], "", 2, 2)
        found["image"] = (["--image", self.path("text")], "", 2, 2)
        found["beside a finding"] = ([self.path("nothing"), self.path("text"), affected], "", 1, 1)
        return found

    def test_of_operands(self):
        for name, (arguments, listed, status, strict) in self.operands().items():
            for form in self.FORMS:
                done = scan(*form, *arguments, input=listed)
                self.assertEqual(done.returncode, status, (name, form, done.stderr))
                done = scan(*form, "--strict", *arguments, input=listed)
                self.assertEqual(done.returncode, strict, (name, form, done.stderr))
                if strict == 2:
                    self.assertIn("weft scan: ", done.stderr)
        self.assertIn("1 named files are no ELF files", scan(self.path("text")).stdout)
        self.assertEqual(report(self.path("text"))["counts"]["operands_not_elf"], 1)

    def assert_all_forms(self, status, words, *before):
        for form in self.FORMS:
            for strict in ([], ["--strict"]):
                done = subprocess.run([*before, WEFT, "scan", "--processes", *form, *strict], capture_output=True,
                                      text=True, timeout=60, check=False)
                if done.returncode in (125, 126, 127) or done.stderr.startswith(("unshare", "mount")):
                    self.skipTest(done.stderr)
                self.assertEqual(done.returncode, status, (form, strict, done.stderr))
                self.assertIn(words, done.stdout + done.stderr)

    @unittest.skipUnless(ROOT, "needs root, for a mount")
    @unittest.skipIf(SANITIZED, "AddressSanitizer needs /proc, for its options, too")
    def test_of_a_masked_proc(self):
        self.assert_all_forms(2, "/proc: ", "unshare", "-m", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh")

    @unittest.skipUnless(ROOT, "needs root, for a mount")
    def test_of_a_proc_that_hides_processes(self):
        mount = 'mount -t proc -o hidepid=2 none /proc && setpriv --reuid=65534 --regid=65534 --clear-groups -- "$@"; exit $?'
        os.chmod(self.place, 0o755)
        weft = shutil.copy(WEFT, self.path("weft"))
        done = subprocess.run(["unshare", "-mpf", "sh", "-c", mount, "sh", weft, "scan", "--processes"],
                              capture_output=True, text=True, timeout=60, check=False)
        if "mount:" in done.stderr or "setpriv:" in done.stderr:
            self.skipTest(done.stderr)
        self.assertEqual(done.returncode, 2)
        self.assertIn("hides processes", done.stderr)

    @unittest.skipUnless(ROOT, "needs root, to become somebody else")
    def test_of_denied_processes(self):
        os.chmod(self.place, 0o755)
        weft = shutil.copy(WEFT, self.path("weft"))
        for form in self.FORMS:
            for strict in ([], ["--strict"]):
                done = subprocess.run([weft, "scan", "--processes", *form, *strict], capture_output=True, text=True,
                                      timeout=60, check=False, user=65534)
                self.assertEqual(done.returncode, 2, (form, strict))
        done = subprocess.run([weft, "scan", "--processes"], capture_output=True, text=True, timeout=60, check=False,
                              user=65534)
        self.assertIn("more may not be looked at", done.stdout)


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


if __name__ == "__main__":
    main()
