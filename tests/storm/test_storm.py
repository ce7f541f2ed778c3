# SPDX-License-Identifier: MIT
"""test_storm.py WEFT: the crash, its published fix and our arrangement behave as predicted, on this kernel."""
import json
import os
import subprocess
import sys
import tempfile
import unittest

WEFT = sys.argv.pop(1)
FRAMES = ["cache_alloc", "list_grow", "state_put", "thread_exit"]


def storm(*options, status=0):
    done = subprocess.run([WEFT, "storm", *options], capture_output=True, text=True, timeout=250, check=False)
    if done.returncode != status:
        raise AssertionError(f"storm {options}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done


class Arrangements(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.report = json.loads(storm("--tasks=2000", "--json").stdout)
        cls.rows = {row["arrangement"]: row for row in cls.report["arrangements"]}

    def size(self, name, above):
        return self.rows[name]["sizes"][above]

    def test_all_five_are_as_predicted(self):
        self.assertTrue(self.report["ok"])
        self.assertEqual(len(self.rows), 5)
        for row in self.rows.values():
            for size in row["sizes"]:
                self.assertEqual(size["as_predicted"], size["runs"], row["arrangement"])

    def test_the_old_order_lives_at_capacity_and_dies_above_it_every_time(self):
        self.assertEqual((self.size("Go 1.24.0-.2", 0)["outcome"], self.size("Go 1.24.0-.2", 0)["runs"]), ("lives", 20))
        self.assertEqual((self.size("Go 1.24.0-.2", 1)["outcome"], self.size("Go 1.24.0-.2", 1)["runs"]),
                         ("SIGSEGV at 0", 20))

    def test_the_frames_are_those_of_the_crash(self):
        frames = self.size("Go 1.24.0-.2", 1)["frames"]
        if not frames:
            self.skipTest("ptrace is denied here")
        names = [name.replace("weft__", "") for name in frames]
        at = [names.index(n) for n in FRAMES]
        self.assertEqual(at, sorted(at))

    def test_the_published_fix_lives_and_still_allocates(self):
        self.assertTrue(self.size("Go 1.24.3's fix", 1)["lived"])
        self.assertGreater(self.size("Go 1.24.3's fix", 1)["exit_allocations"], 0)

    def test_the_check_alone_catches_the_old_order(self):
        self.assertIn("cache access without a processor", self.size("old order, check", 1)["outcome"])

    def test_the_structure_alone_lives(self):
        self.assertTrue(self.size("structure alone", 1)["lived"])

    def test_ours_lives_and_never_allocates(self):
        self.assertTrue(self.size("weft", 1)["lived"])
        self.assertEqual(self.size("weft", 1)["exit_allocations"], 0)

    def test_the_storm_ends_every_task_and_thread_and_keeps_states_bounded(self):
        s = self.report["storm"]
        self.assertEqual((s["tasks"], s["lived"], s["threads_left"]), (2000, True, 0))
        per_page = self.report["states_per_page"]
        self.assertLessEqual(s["states_mapped"], -(-s["peak_owners"] // per_page) * per_page)


class Stripped(unittest.TestCase):
    def test_a_command_without_symbols_names_the_frames(self):
        with tempfile.TemporaryDirectory() as folder:
            bare = os.path.join(folder, "weft")
            subprocess.run(["strip", "-o", bare, WEFT], check=True)
            done = subprocess.run([bare, "storm", "--tasks=200", "--json"], capture_output=True, text=True,
                                  timeout=250, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        first = json.loads(done.stdout)["arrangements"][0]
        frames = first["sizes"][1]["frames"]
        if not frames:
            self.skipTest("ptrace is denied here")
        self.assertEqual([name for name in frames if name in FRAMES], FRAMES)


class WithoutProc(unittest.TestCase):
    @unittest.skipUnless(os.geteuid() == 0, "needs root, for a mount")
    def test_all_is_as_predicted_without_frames(self):
        mount = 'mount -t tmpfs none /proc || exit 77; exec "$@"'
        for options in (["--json"], []):
            done = subprocess.run(["unshare", "-m", "sh", "-c", mount, "sh", WEFT, "storm", "--tasks=200", *options],
                                  capture_output=True, text=True, timeout=250, check=False)
            if "unshare" in done.stderr or done.returncode == 77:
                self.skipTest("mounts are not permitted")
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            if options:
                seen = json.loads(done.stdout)["storm"]
                self.assertEqual([seen[n] for n in ("threads_left", "rss_start", "rss_end")], [None] * 3)
            else:
                self.assertIn("threads left behind cannot be seen without /proc", done.stdout)
                self.assertNotIn("every thread gone", done.stdout)
                self.assertIn("no frames: its mappings cannot be read in /proc", done.stdout)


class Options(unittest.TestCase):
    def test_one_arrangement(self):
        walls = ("--order=processor-first", "--list=grows", "--no-check", "--barrier")
        storm("--tasks=21", *walls)
        storm("--tasks=22", *walls, status=1)

    def test_the_published_reproducer(self):
        storm("--no-barrier")
        storm("--no-barrier", "--processors=4", "--hold=0")

    def test_five_hundred_owners_at_once(self):
        storm("--tasks=500", "--barrier")

    def test_bad_input_is_one_line_and_status_2(self):
        for bad in (["--tasks=x"], ["--tasks=0"], ["--processors=1000000"], ["--alive=99999999"], ["--order=sideways"],
                    ["--list=heap"], ["--nonsense"], ["operand"], ["--barrier", "--seconds=1"],
                    ["--barrier", "--tasks=100000"]):
            done = storm(*bad, status=2)
            self.assertEqual(done.stdout, "")
            self.assertEqual(len(done.stderr.splitlines()), 1, bad)

    def test_a_trace_that_cannot_be_written_says_so(self):
        for place in ("/nonexistent/file", "/dev/full", "/"):
            self.assertIn(f"cannot write {place}: ", storm("--no-barrier", f"--trace={place}", status=2).stderr)

    def test_reproduce_is_storm(self):
        done = subprocess.run([WEFT, "reproduce", "--help"], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0)
        self.assertIn("1.24", done.stdout)


if __name__ == "__main__":
    os.environ["NO_COLOR"] = "1"
    unittest.main(verbosity=2)
