#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `weft doctor` claims, compared with sources that share no code with it.

usage: test_doctor.py WEFT MAKE_TWIN [CLASS...]
"""

import ctypes
import errno
import json
import os
import platform
import re
import resource
import struct
import subprocess
import sys
import tempfile
import unittest

WEFT = sys.argv.pop(1)
MAKE_TWIN = sys.argv.pop(1)  # writes a file that looks like a Go binary with the crash


def run(*arguments, limits=()):
    """weft doctor in a child with these resource limits: its exit status, stdout, stderr."""

    def apply():
        for which, value in limits:
            resource.setrlimit(which, (value, value))

    done = subprocess.run([WEFT, "doctor", *arguments], capture_output=True, text=True,
                          preexec_fn=apply, timeout=60)
    return done.returncode, done.stdout, done.stderr


def report(limits=(), about=("--host-only",)):
    status, out, err = run("--json", *about, limits=limits)
    return status, json.loads(out), err


def sysctl(path):
    with open("/proc/sys/" + path, encoding="ascii") as f:
        return f.read().strip()


def vdso_symbols():
    """The dynamic symbols of this process's own vDSO, read by readelf."""
    with open("/proc/self/maps", encoding="utf-8") as maps:
        spans = [line.split()[0].split("-") for line in maps if line.rstrip().endswith("[vdso]")]
    if not spans:
        return ""
    start, end = (int(x, 16) for x in spans[0])
    with tempfile.NamedTemporaryFile() as image:
        image.write(ctypes.string_at(start, end - start))
        image.flush()
        return subprocess.run(["readelf", "-W", "--dyn-syms", image.name], capture_output=True,
                              text=True, check=True).stdout


class Claims(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.status, cls.facts, cls.err = report()

    def test_exit_status_is_one_exactly_when_something_was_found(self):
        self.assertEqual(self.status, 1 if self.facts["findings"] else 0)
        self.assertEqual(self.err, "")

    def test_kernel(self):
        kernel = self.facts["kernel"]
        self.assertEqual(kernel["release"], platform.release())
        self.assertEqual(kernel["machine"], platform.machine())
        self.assertEqual(kernel["processors"], len(os.sched_getaffinity(0)))
        self.assertEqual(kernel["page_size"], resource.getpagesize())

    def test_the_vdso_symbol_is_what_readelf_sees(self):
        symbols = vdso_symbols()
        exported = bool(re.search(r"FUNC.* __(vdso|kernel)_getrandom\b", symbols))
        self.assertEqual(self.facts["vdso"]["image"], bool(symbols))
        self.assertEqual(self.facts["vdso"]["getrandom"], exported)

    def test_state_facts_are_what_the_kernel_answers(self):
        if not self.facts["vdso"]["getrandom"]:
            self.skipTest("no vDSO getrandom on this kernel")
        size, per_page = self.facts["vdso"]["state_size"], self.facts["vdso"]["states_per_page"]
        line = 64
        self.assertEqual(per_page, resource.getpagesize() // ((size + line - 1) // line * line))
        if platform.machine() == "x86_64":
            self.assertEqual((size, self.facts["vdso"]["map_flags"]), (144, 0x28))

    def test_libc(self):
        name = os.confstr("CS_GNU_LIBC_VERSION")
        if self.facts["libc"]["name"] != name:
            self.skipTest("weft is linked with another C library than Python")
        version = tuple(int(x) for x in name.split()[1].split("."))
        # glibc took it up in 2.41; no distribution is known to have carried it back.
        uses = self.facts["libc"]["getrandom_uses_vdso"]
        if uses is not None:
            self.assertEqual(uses, version >= (2, 41) and self.facts["vdso"]["getrandom"])

    def test_the_vdso_is_faster_than_the_system_call(self):
        if not self.facts["vdso"]["getrandom"]:
            self.skipTest("no vDSO getrandom on this kernel")
        self.assertLess(self.facts["speed"]["weft_ns"], self.facts["speed"]["system_call_ns"])

    def test_sysctls(self):
        limits = self.facts["limits"]
        self.assertEqual(limits["max_map_count"], int(sysctl("vm/max_map_count")))
        self.assertEqual(limits["pid_max"], int(sysctl("kernel/pid_max")))
        self.assertEqual(limits["threads_max"], int(sysctl("kernel/threads-max")))
        self.assertEqual(limits["core_pattern"], sysctl("kernel/core_pattern"))

    def test_resource_limits(self):
        for key, which in (("open_files", resource.RLIMIT_NOFILE), ("data", resource.RLIMIT_DATA),
                           ("processes", resource.RLIMIT_NPROC), ("core_file", resource.RLIMIT_CORE),
                           ("address_space", resource.RLIMIT_AS),
                           ("locked_memory", resource.RLIMIT_MEMLOCK)):
            soft = resource.getrlimit(which)[0]
            self.assertEqual(self.facts["limits"][key], None if soft < 0 else soft, key)

    def test_features(self):
        libc = ctypes.CDLL(None, use_errno=True)
        libc.mmap.restype = ctypes.c_void_p
        libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + 3 * [ctypes.c_int] + [ctypes.c_long]
        libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        page = libc.mmap(None, 4096, 3, 0x22, -1, 0)
        self.assertEqual(self.facts["features"]["madv_guard"], libc.madvise(page, 4096, 102) == 0)
        numbers = {"x86_64": 324, "aarch64": 283}
        if platform.machine() in numbers:
            commands = libc.syscall(numbers[platform.machine()], 0, 0, 0)
            self.assertEqual(self.facts["features"]["membarrier"], commands >= 0 and bool(commands & 8))
        try:
            scope = int(sysctl("kernel/yama/ptrace_scope"))
        except FileNotFoundError:
            scope = None
        self.assertEqual(self.facts["features"]["ptrace_scope"], scope)


class Sandbox(unittest.TestCase):
    """What a seccomp filter takes away is told, whichever error it answers with."""

    CALLS = {"x86_64": {"epoll_pwait2": 441, "preadv2": 327, "pwritev2": 328, "pidfd_open": 434, "process_madvise": 440},
             "aarch64": {"epoll_pwait2": 441, "preadv2": 286, "pwritev2": 287, "pidfd_open": 434, "process_madvise": 440}}

    def under(self, number, error, *about):
        """weft doctor where this call fails with this error."""
        code = b"".join(struct.pack("HBBI", *i) for i in (
            (0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x50000 | error), (0x06, 0, 0, 0x7fff0000)))
        held = ctypes.create_string_buffer(code)
        program = struct.pack("HxxxxxxP", 4, ctypes.addressof(held))
        libc = ctypes.CDLL(None, use_errno=True)

        def confine():
            if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program, 0, 0):  # no new privileges, a filter
                os._exit(77)
        done = subprocess.run([WEFT, "doctor", "--host-only", *about], capture_output=True, text=True,
                              preexec_fn=confine, timeout=60, check=False)
        if done.returncode == 77:
            self.skipTest("no seccomp filter can be installed here")
        return done.stdout

    def test_each_call_that_is_refused_is_named_with_its_cost(self):
        if platform.machine() not in self.CALLS:
            self.skipTest("the numbers of this processor's calls are not known here")
        free = report()[1]["calls"]
        for name, number in self.CALLS[platform.machine()].items():
            for error in (errno.EPERM, errno.EACCES, errno.ENOSYS):
                told = json.loads(self.under(number, error, "--json"))["calls"]
                self.assertEqual(told, {**free, name: False}, (name, error))
            line = next(x for x in self.under(number, errno.EPERM).splitlines() if name.replace("_", " ") in x)
            self.assertRegex(line, "no: refused by a sandbox; [a-z]+ ")


class Findings(unittest.TestCase):
    """Each limit that is planted has to be found."""

    def expect(self, finding, limits):
        status, facts, _ = report(limits)
        self.assertEqual(status, 1)
        self.assertIn(finding, [f["id"] for f in facts["findings"]])

    def test_few_open_files(self):
        self.expect("open-files", [(resource.RLIMIT_NOFILE, 100)])

    def test_small_address_space(self):
        self.expect("address-space", [(resource.RLIMIT_AS, 1 << 32)])


class Programs(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.place = holder.name

    def twin(self, name, *how):
        path = os.path.join(self.place, name)
        subprocess.run([MAKE_TWIN, path, *how], check=True)
        return path

    def found(self):
        status, facts, _ = report(about=[self.place])
        advice = [f["advice"] for f in facts["findings"] if f["id"] == "affected-binary"]
        return status, facts["go"], advice

    def test_an_affected_binary_is_named_with_advice(self):
        path = self.twin("affected", "caller=main.work")
        status, go, advice = self.found()
        self.assertEqual((status, go["affected_binaries"]), (1, [path]))
        self.assertEqual(len(advice), 1)
        for words in (path, "Go 1.24.3", "weft shield", "weft patch"):
            self.assertIn(words, advice[0])

    def test_what_cannot_crash_is_counted_only(self):
        self.twin("dormant")
        _, go, advice = self.found()
        self.assertEqual((go["affected_binaries"], advice), ([], []))
        self.assertGreaterEqual(go["dormant"], 1)

    def test_many_are_named_in_json_and_summed_up_in_advice(self):
        paths = [self.twin(f"affected{n}", "caller=main.work") for n in range(8)]
        _, go, advice = self.found()
        self.assertEqual(go["affected_binaries"], paths)
        self.assertEqual(len(advice), 5)

    def scanned(self):
        scan = subprocess.run([WEFT, "scan", "--processes", "--json"], capture_output=True, text=True,
                              timeout=60, check=False)
        return {(p["pid"], r["path"]) for r in json.loads(scan.stdout)["results"]
                for p in r.get("processes", []) if p["verdict"] == "affected"}

    def test_processes_are_those_that_the_scan_sees(self):
        """Asked of those that were there before and after alone: others start and end all the time."""
        before = self.scanned()
        named = {(p["pid"], p["path"]) for p in self.found()[1]["affected_processes"]}
        after = self.scanned()
        self.assertLessEqual(before & after, named)
        self.assertLessEqual({p for p in named if os.path.exists(f"/proc/{p[0]}/exe")}, before | after)

    def test_a_place_that_cannot_be_looked_at_is_a_failure(self):
        status, facts, err = report(about=[os.path.join(self.place, "nothing")])
        self.assertIn("nothing: No such file", err)
        self.assertEqual(status, 1 if facts["findings"] else 2)  # what else is found comes first
        fifo = os.path.join(self.place, "fifo")
        os.mkfifo(fifo)
        self.assertIn("neither a regular file nor a directory", run(self.place, fifo)[2])

    def test_host_only_takes_no_place(self):
        status, out, err = run("--host-only", self.place)
        self.assertEqual((status, out, err.count("\n")), (2, "", 1))

    @unittest.skipUnless(os.geteuid() == 0, "needs root, for a mount")
    def test_a_proc_that_is_not_there_is_a_finding(self):
        mount = 'mount -t tmpfs none /proc || exit 77; exec "$@"'
        for about in (["--host-only"], [self.place]):
            done = subprocess.run(["unshare", "-m", "sh", "-c", mount, "sh", WEFT, "doctor", "--json", *about],
                                  capture_output=True, text=True, timeout=60, check=False)
            if "unshare" in done.stderr or done.returncode == 77:
                self.skipTest("mounts are not permitted")
            self.assertEqual(done.returncode, 1, done.stderr)
            facts = json.loads(done.stdout)
            self.assertIn("proc", [f["id"] for f in facts["findings"]])
            self.assertFalse(facts["features"]["proc"])


class Output(unittest.TestCase):
    def test_json_is_as_its_schema_says(self):
        here = os.path.dirname(os.path.abspath(__file__))
        sys.path.append(os.path.join(here, "..", "scan"))
        import schema

        with open(os.path.join(here, "..", "..", "docs", "doctor.schema.json"), encoding="utf-8") as f:
            wanted = json.load(f)
        for about in (["--host-only"], [WEFT]):
            facts = report(about=about)[1]
            self.assertEqual(schema.check(facts, wanted), [])
            del facts["findings"]
            self.assertNotEqual(schema.check(facts, wanted), [])

    def test_the_table_is_plain_text_without_a_terminal(self):
        _, out, err = run("--host-only")
        self.assertNotIn("\033", out)
        self.assertEqual(err, "")
        self.assertIn("states per page" if "state size" in out else "getrandom", out)

    def test_bad_usage_is_one_line_and_status_2(self):
        for arguments in (["--frobnicate"], ["-x"], ["--json=yes"]):
            status, out, err = run(*arguments)
            self.assertEqual((status, out, err.count("\n")), (2, "", 1), arguments)

    def test_a_full_disk_is_status_2(self):
        with open("/dev/full", "w", encoding="ascii") as full:
            done = subprocess.run([WEFT, "doctor", "--json", "--host-only"], stdout=full, stderr=subprocess.PIPE,
                                  check=False)
        self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
