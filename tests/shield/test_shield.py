#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What `weft shield` promises, tried on a program that has the bug.

usage: test_shield.py WEFT GOTWIN GOTWIN_PIE GOTWIN_REPAIRED SITES GOTWIN_HOST GOTWIN_LIBRARY
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "corpus"))
import corpus

WEFT, TWIN, TWIN_PIE, REPAIRED, SITES, HOST, LIBRARY = sys.argv[1:8]
del sys.argv[1:8]
ROOT = os.geteuid() == 0
METHODS = (["shield"], ["shield", "--follow"], ["shield", "--method=seccomp"])


def run(*command, **options):
    return subprocess.run(command, capture_output=True, text=True, timeout=60, **options)


def shield(*arguments, **options):
    return run(WEFT, "shield", *arguments, **options)


def wait_until(condition):
    """True once the condition holds; False after ten seconds without."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.005)
    return False


def process_state(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        return f.read().rpartition(")")[2].split()[0]


def helpers():
    """The shield's helpers that are alive."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/comm", encoding="utf-8") as f:
                if f.read() == "weft-shield\n" and process_state(pid) != "Z":
                    found.append(pid)
        except OSError:
            pass
    return found


class Safety(unittest.TestCase):
    def test_without_a_shield_the_crash_comes(self):
        self.assertEqual(run(TWIN, "crash").returncode, -signal.SIGSEGV)
        self.assertEqual(run(REPAIRED, "crash").returncode, 0)

    def test_with_one_it_does_not(self):
        for twin in (TWIN, TWIN_PIE):
            for method in METHODS:
                done = run(WEFT, *method, "--", twin, "crash")
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "survived\n", ""))

    def test_the_symbol_is_hidden_and_the_clock_is_not(self):
        self.assertEqual(shield("--", TWIN, "lookup").stdout, "syscall\n")
        self.assertEqual(shield("--", TWIN, "clock").returncode, 0)

    def test_only_follow_covers_children(self):
        self.assertEqual(shield("--", TWIN, "fork").stdout, "vdso\n")
        self.assertEqual(shield("--follow", "--", TWIN, "fork").stdout, "syscall\n")

    def test_seccomp_refuses_droppable_mappings_to_children_too(self):
        probe = ("import mmap\ntry: mmap.mmap(-1, 4096, flags=0x28); print('mapped')\n"
                 "except OSError as e: print(e.errno == 95)")
        command = ("sh", "-c", f'exec "{sys.executable}" -c "$0"', probe)
        self.assertEqual(run(*command).stdout, "mapped\n")
        self.assertEqual(shield("--method=seccomp", "--", *command).stdout, "True\n")

    def test_shields_nest(self):
        for outer in METHODS:
            for inner in METHODS[:2]:
                done = run(WEFT, *outer, "--", WEFT, *inner, "--", TWIN, "lookup")
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "syscall\n", ""))
        for outer in METHODS[:2]:
            done = run(WEFT, *outer, "--", WEFT, "shield", "--method=seccomp", TWIN, "lookup")
            self.assertEqual(done.returncode, 0, done.stderr)


class Transparency(unittest.TestCase):
    def test_process_id(self):
        for method in METHODS:
            child = subprocess.Popen([WEFT, *method, "--", "sh", "-c", "echo $$"], stdout=subprocess.PIPE)
            out, _ = child.communicate(timeout=60)
            self.assertEqual(int(out), child.pid)

    def test_exit_status_and_death(self):
        for method in METHODS:
            self.assertEqual(run(WEFT, *method, "--", "sh", "-c", "exit 37").returncode, 37)
            self.assertEqual(run(WEFT, *method, "--", "sh", "-c", "kill -TERM $$").returncode, -signal.SIGTERM)

    def test_exec_errors_are_those_of_env(self):
        for method in METHODS:
            self.assertEqual(run(WEFT, *method, "no-such-command").returncode, 127)
            self.assertEqual(run(WEFT, *method, "/").returncode, 126)

    def test_standard_input(self):
        for method in METHODS:
            self.assertEqual(run(WEFT, *method, "cat", input="through\n").stdout, "through\n")

    def test_what_the_command_inherits(self):
        show = "ls -l /proc/self/fd | wc -l; grep -E '^(Sig[PBIC]|Shd|TracerPid)' /proc/self/status; pwd; umask; ps -o tty= -p $$"
        plain = run("sh", "-c", show, cwd="/usr").stdout
        for method in (METHODS[0], METHODS[2]):
            self.assertEqual(run(WEFT, *method, "--", "sh", "-c", show, cwd="/usr").stdout, plain)

    def test_a_blocked_child_signal_is_not_left_pending(self):
        def block():
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        done = shield("--", "grep", "^S[hi][dg]Pnd", "/proc/self/status", preexec_fn=block)
        self.assertEqual(set(done.stdout.split()[1::2]), {"0" * 16})

    def test_signals_arrive(self):
        script = "trap 'echo got; exit 5' USR1; echo ready; while :; do sleep 0.05; done"
        for method in METHODS:
            child = subprocess.Popen([WEFT, *method, "--", "sh", "-c", script], stdout=subprocess.PIPE, text=True)
            self.assertEqual(child.stdout.readline(), "ready\n")
            child.send_signal(signal.SIGUSR1)
            self.assertEqual(child.communicate(timeout=60)[0], "got\n")
            self.assertEqual(child.returncode, 5)

    def test_job_control(self):
        for method in METHODS:
            child = subprocess.Popen([WEFT, *method, "--", "sh", "-c", "echo ready; exec cat"],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self.assertEqual(child.stdout.readline(), "ready\n")
            child.send_signal(signal.SIGSTOP)
            self.assertTrue(wait_until(lambda pid=child.pid: process_state(pid) in "Tt"), method)
            child.send_signal(signal.SIGCONT)
            self.assertEqual(child.communicate("on\n", timeout=60)[0], "on\n")

    def test_the_helper_is_gone_afterwards(self):
        before = set(helpers())
        for method in METHODS[:2]:
            self.assertEqual(run(WEFT, *method, "true").returncode, 0)
        self.assertTrue(wait_until(lambda: not set(helpers()) - before))

    def test_a_following_helper_holds_no_pipe_of_the_command(self):
        child = subprocess.Popen([WEFT, "shield", "--follow", "--", "sh", "-c", "sleep 30 >/dev/null 2>&1 & echo $!"],
                                 stdout=subprocess.PIPE, text=True)
        pid = int(child.communicate(timeout=20)[0])
        os.kill(pid, signal.SIGKILL)


class Refusals(unittest.TestCase):
    def test_ptrace_denied_fails_closed(self):
        done = run(TWIN, "deny", WEFT, "shield", "--", TWIN, "lookup")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("not run: a seccomp filter is active", done.stderr)

    def test_fail_open_runs_with_a_warning(self):
        done = run(TWIN, "deny", WEFT, "shield", "--fail-open", "--", TWIN, "lookup")
        self.assertEqual((done.returncode, done.stdout), (0, "vdso\n"))
        self.assertIn("runs unshielded", done.stderr)

    @unittest.skipUnless(shutil.which("strace"), "strace is not installed")
    def test_a_second_tracer_is_refused_by_name(self):
        done = run("strace", "-o", "/dev/null", WEFT, "shield", "--", TWIN, "lookup")
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("traces this one already", done.stderr)

    @unittest.skipUnless(ROOT, "needs root, to make a set-user-id file")
    def test_a_set_user_id_command_is_refused_to_others_than_root(self):
        with tempfile.TemporaryDirectory() as directory:
            os.chmod(directory, 0o755)
            weft, twin = (shutil.copy(f, directory) for f in (WEFT, TWIN))
            os.chmod(twin, 0o4755)
            for method in METHODS:
                done = run(weft, *method, "--", twin, "lookup", user=65534)
                self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
                self.assertIn("runs with other privileges", done.stderr)
                self.assertNotIn("--method=", done.stderr)  # the other one refuses it too
                self.assertIn("as root", done.stderr)
            for method in METHODS:
                self.assertIn(run(weft, *method, "--", twin, "lookup").stdout, ("syscall\n", "vdso\n"))
            self.assertEqual(run(weft, "shield", "--", twin, "lookup").stdout, "syscall\n")

    @unittest.skipUnless(ROOT, "needs root, to become somebody else")
    def test_a_command_that_may_not_be_read_is_not_started(self):
        with tempfile.TemporaryDirectory() as directory:
            os.chmod(directory, 0o755)
            weft, twin = (shutil.copy(f, directory) for f in (WEFT, TWIN))
            for mode in (0o711, 0o511, 0o111):
                os.chmod(twin, mode)
                for method in METHODS[:2]:
                    done = run(weft, *method, "--", twin, "lookup", user=65534)
                    self.assertEqual((done.returncode, done.stdout), (2, ""), (oct(mode), done.stderr))
                    self.assertIn("--method=seccomp may do", done.stderr)
                done = run(weft, *METHODS[2], "--", twin, "lookup", user=65534)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(run(weft, *METHODS[0], "--", twin, "lookup").stdout, "syscall\n")

    @unittest.skipUnless(ROOT, "needs root, to become somebody else")
    def test_it_works_without_privileges(self):
        with tempfile.TemporaryDirectory() as directory:
            os.chmod(directory, 0o755)
            weft, twin = (shutil.copy(f, directory) for f in (WEFT, TWIN))
            for method in METHODS[:2]:
                self.assertEqual(run(weft, *method, "--", twin, "lookup", user=65534).stdout, "syscall\n")
            done = run(weft, *METHODS[2], "--", "grep", "NoNewPrivs", "/proc/self/status", user=65534)
            self.assertEqual(done.stdout.split()[-1], "1")

    def test_usage(self):
        for wrong in ([], ["--pid=1", "ls"], ["--method=magic", "ls"], ["--install", "--undo", "x"],
                      ["--follow", "--method=seccomp", "ls"]):
            self.assertEqual(shield(*wrong).returncode, 2, wrong)


class Live(unittest.TestCase):
    def serve(self, *twin):
        server = subprocess.Popen([*twin, "serve"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (server.kill(), server.communicate()))
        server.stdout.readline()
        return server

    def rounds(self, server, count):
        return [server.stdout.readline().split() for _ in range(count)]

    def attack(self, server):
        """Forty threads at once; the puts of the round after which the server still lives."""
        server.send_signal(signal.SIGUSR1)
        for line in iter(server.stdout.readline, ""):
            if line.split()[1] != "0":
                return int(line.split()[3])
        return None

    def test_a_running_process_becomes_safe_and_can_be_given_back(self):
        for twin in ((TWIN,), (TWIN_PIE,), (HOST, LIBRARY)):
            server = self.serve(*twin)
            self.assertEqual(self.rounds(server, 3)[-1][3], "10")
            self.assertEqual(shield(f"--pid={server.pid}", "--dry-run").returncode, 1)
            done = shield(f"--pid={server.pid}")
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("is safe now", done.stdout)
            self.assertIn(os.path.basename(twin[-1]), done.stdout)
            self.rounds(server, 100)
            self.assertEqual(self.attack(server), 0)
            again = shield(f"--pid={server.pid}", "--json")
            self.assertEqual(json.loads(again.stdout)["result"], "nothing to do: it is so already")
            self.assertEqual(shield(f"--pid={server.pid}", "--undo").returncode, 0)
            self.rounds(server, 100)
            self.assertEqual(self.rounds(server, 1)[0][3], "10")
            server.send_signal(signal.SIGUSR1)
            server.communicate(timeout=30)
            self.assertEqual(server.returncode, -signal.SIGSEGV)

    def test_a_library_that_was_deleted_is_found_or_refused(self):
        with tempfile.TemporaryDirectory() as directory:
            server = self.serve(HOST, shutil.copy(LIBRARY, directory))
        done = shield(f"--pid={server.pid}")
        if done.returncode == 0:  # with the privilege to open what is mapped
            self.assertIn("is safe now", done.stdout)
            self.assertEqual(self.attack(server), 0)
        else:
            self.assertIn("cannot be opened", done.stderr)

    def test_one_unknown_runtime_refuses_all(self):
        with open(LIBRARY, "rb") as f:
            image = bytearray(f.read())
        at = image.index(bytes.fromhex("4885c0741690e8"))
        image[at + 5] = 0xF8
        with tempfile.TemporaryDirectory() as directory:
            other = os.path.join(directory, "other.so")
            with open(other, "wb") as f:
                f.write(image)
            server = self.serve(HOST, other)
            done = shield(f"--pid={server.pid}")
            self.assertEqual(done.returncode, 2)
            self.assertIn("other.so: its code is not that of Go 1.24", done.stderr)
            self.assertEqual(self.rounds(server, 1)[0][3], "10")

    def test_a_repaired_process_is_left_alone(self):
        server = self.serve(REPAIRED)
        done = shield(f"--pid={server.pid}")
        self.assertEqual((done.returncode, "no Go runtime in it has the bug" in done.stdout), (0, True), done.stderr)

    def test_other_processes_are_left_alone(self):
        done = shield(f"--pid={os.getpid()}")
        self.assertEqual((done.returncode, "not a Go program" in done.stdout), (0, True))
        done = shield("--pid=2147483647")
        self.assertEqual((done.returncode, "not touched" in done.stderr), (2, True))

    def test_other_code_is_refused(self):
        with open(TWIN, "rb") as f:
            image = bytearray(f.read())
        at = image.index(bytes.fromhex("4885c0741690e8"))
        image[at + 5] = 0xF8  # clc: as harmless as the nop, but not the known code
        with tempfile.TemporaryDirectory() as directory:
            other = os.path.join(directory, "other")
            with open(other, "wb") as f:
                f.write(image)
            os.chmod(other, 0o755)
            server = self.serve(other)
            done = shield(f"--pid={server.pid}")
            self.assertEqual(done.returncode, 2)
            self.assertIn("its code is not that of Go 1.24", done.stderr)
            self.assertEqual(self.rounds(server, 1)[0][3], "10")

    @unittest.skipUnless(os.path.exists("/usr/bin/gdb"), "gdb is not installed")
    def test_changed_memory_is_refused(self):
        server = self.serve(TWIN)
        symbols = run("nm", TWIN).stdout.split("\n")
        mexit = next(int(s.split()[0], 16) for s in symbols if s.endswith(" mexit"))
        poke = ["-ex", f"set *(char*){mexit + 34:#x} = 0x75"]
        self.assertEqual(run("gdb", "-batch", "-p", str(server.pid), *poke).returncode, 0)
        done = shield(f"--pid={server.pid}")
        self.assertEqual(done.returncode, 2)
        self.assertIn("neither the compiled nor the changed one", done.stderr)


class Real(unittest.TestCase):
    """Programs of Go 1.24.0 to 1.24.2 that wait for something."""

    WAITING = {
        "dbmate": ["--url=postgres://127.0.0.1:1/none", "--wait-timeout=60s", "wait"],
        "buf": ["beta", "lsp"],
    }

    def binaries(self):
        for path, _ in corpus.programs(corpus.place()):
            if os.path.basename(path) in self.WAITING:
                yield path, self.WAITING[os.path.basename(path)]

    def test_the_code_of_all_is_known(self):
        done = run(SITES, "--", *(path for path, _ in corpus.programs(corpus.place())))
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, r"[1-9]\d* programs of amd64, [1-9]\d* of arm64; cannot: [1-9]\d* others")

    def test_a_running_program_is_changed_runs_on_and_is_changed_back(self):
        for path, arguments in self.binaries():
            with tempfile.TemporaryDirectory() as home, self.subTest(path):
                try:
                    child = subprocess.Popen([path, *arguments], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                             stderr=subprocess.DEVNULL, cwd=home, env={"HOME": home})
                except OSError:
                    continue  # of the other processor
                wait_until(lambda pid=child.pid: len(os.listdir(f"/proc/{pid}/task")) > 3)
                for undo, result in (((), "is safe now"), ((), "so already"), (("--undo",), "as it was compiled")):
                    done = shield(f"--pid={child.pid}", *undo)
                    if "no Go runtime in it has the bug" in done.stdout:
                        break
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertIn(result, done.stdout)
                    time.sleep(0.2)
                    self.assertIsNone(child.poll())
                child.terminate()
                child.communicate(timeout=20)

    def test_they_start_under_every_shield(self):
        for path, _ in self.binaries():
            with tempfile.TemporaryDirectory() as home, self.subTest(path):
                options = {"cwd": home, "env": {"HOME": home, "PATH": os.environ["PATH"]}}
                try:
                    plain = run(path, "--version", **options)
                except OSError:
                    continue
                for method in METHODS:
                    done = run(WEFT, *method, "--", path, "--version", **options)
                    self.assertEqual((done.returncode, done.stdout), (plain.returncode, plain.stdout), done.stderr)


class Unit(unittest.TestCase):
    def setUp(self):
        place = tempfile.TemporaryDirectory()
        self.addCleanup(place.cleanup)
        self.root = place.name
        os.makedirs(self.root + "/etc/systemd/system")
        os.makedirs(self.root + "/usr/lib/systemd/system")

    def write(self, path, text):
        os.makedirs(os.path.dirname(self.root + path), exist_ok=True)
        with open(self.root + path, "w", encoding="utf-8") as f:
            f.write(text)

    def drop_in(self, unit):
        path = f"{self.root}/etc/systemd/system/{unit}.d/50-weft-shield.conf"
        if not os.path.exists(path):
            return None
        with open(path, encoding="utf-8") as f:
            return [line for line in f.read().split("\n") if line.startswith("Exec")]

    def unit(self, *arguments):
        return shield(f"--root={self.root}", *arguments)

    def test_installed_and_removed(self):
        self.write("/usr/lib/systemd/system/d.service",
                   "[Unit]\n# a\n[Service]\nExecStartPre=/bin/no\nExecStart=-/bin/d --a \\\n  --b\n[Install]\nExecStart=no\n")
        self.assertEqual(self.unit("--install", "d").returncode, 0)
        self.assertEqual(self.drop_in("d.service"), [
            "ExecStart=", f"ExecStart=-{os.path.realpath(WEFT)} shield --method=seccomp -- /bin/d --a    --b"])
        self.assertEqual(self.unit("--install", "d.service").returncode, 0)
        self.assertEqual(self.unit("--undo", "d.service").returncode, 0)
        self.assertEqual(os.listdir(self.root + "/etc/systemd/system"), [])
        self.assertEqual(self.unit("--undo", "d.service").returncode, 2)

    def test_drop_ins_and_templates_count(self):
        self.write("/usr/lib/systemd/system/t@.service", "[Service]\nExecStart=/bin/old\n")
        self.write("/etc/systemd/system/t@.service.d/10-a.conf", "[Service]\nExecStart=\nExecStart=/bin/new %i\n")
        self.assertEqual(self.unit("--install", "t@x.service").returncode, 0)
        self.assertEqual(len(self.drop_in("t@x.service")), 2)
        self.assertTrue(self.drop_in("t@x.service")[1].endswith(" -- /bin/new %i"))

    def test_a_killed_install_is_no_obstacle(self):
        self.write("/etc/systemd/system/d.service", "[Service]\nExecStart=/bin/d\n")
        self.write("/etc/systemd/system/d.service.d/50-weft-shield.conf.new", "[Serv")
        self.assertEqual(self.unit("--install", "d").returncode, 0)
        self.assertEqual(os.listdir(self.root + "/etc/systemd/system/d.service.d"), ["50-weft-shield.conf"])

    def test_dry_run_writes_nothing(self):
        self.write("/etc/systemd/system/d.service", "[Service]\nExecStart=/bin/d\n")
        self.assertIn("-- /bin/d\n", self.unit("--dry-run", "--install", "d").stdout)
        self.assertIsNone(self.drop_in("d.service"))

    def test_refusals(self):
        self.write("/etc/systemd/system/named.service", "[Service]\nExecStart=@/bin/d other\n")
        self.write("/etc/systemd/system/none.service", "[Service]\nType=oneshot\n")
        self.write("/etc/systemd/system/own.service", "[Service]\nExecStart=/bin/weft shield -- /bin/d\n")
        for unit in ("named", "none", "own", "missing", "x.socket", "../d.service"):
            self.assertEqual(self.unit("--install", unit).returncode, 2, unit)
        self.assertEqual(len(os.listdir(self.root + "/etc/systemd/system")), 3)


if __name__ == "__main__":
    if run(TWIN, "lookup").stdout != "vdso\n":
        print("this kernel's vDSO has no getrandom")
        sys.exit(77)
    unittest.main(verbosity=2)
