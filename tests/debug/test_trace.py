#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""test_trace.py RUN: the trace that RUN (trace_run.c) makes is JSON in the Trace Event Format, and tells the truth."""
import collections
import json
import os
import subprocess
import sys
import tempfile
import unittest

RUN = sys.argv.pop(1)
PROCESSORS, THREADS = 1, 2


def record(path, **variables):
    """Runs the program; returns the events of its trace and the ids of its tasks."""
    argument = "-" if variables else path
    done = subprocess.run([RUN, argument], env={**os.environ, **variables}, stdout=subprocess.PIPE,
                          timeout=120, check=True)
    with open(path, encoding="utf-8") as file:
        trace = json.load(file)
    return trace, [int(line) for line in done.stdout.split()][:5]


class Trace(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.trace, cls.tasks = record(os.path.join(cls.folder.name, "trace.json"))
        cls.events = cls.trace["traceEvents"]

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def phase(self, letter):
        return [e for e in self.events if e["ph"] == letter]

    def test_each_event_has_what_the_format_asks_for(self):
        for event in self.events:
            self.assertIn(event["ph"], "XMisf")
            for member in ("pid", "tid", "ts", "name"):
                self.assertIn(member, event)
            self.assertGreaterEqual(event["ts"], 0)
        for span in self.phase("X"):
            self.assertGreaterEqual(span["dur"], 0)

    def test_every_task_has_a_span_on_a_processor(self):
        names = {e["name"] for e in self.phase("X") if e["pid"] == PROCESSORS}
        for task in self.tasks:
            self.assertTrue(any(name.split()[1] == str(task) for name in names), f"task {task} in {names}")

    def test_spans_are_named_after_functions(self):
        names = {e["name"] for e in self.phase("X")}
        self.assertIn(f"task {self.tasks[1]} answer", names)

    def test_spans_of_one_track_do_not_overlap(self):
        tracks = collections.defaultdict(list)
        for span in self.phase("X"):
            tracks[span["pid"], span["tid"]].append((span["ts"], span["ts"] + span["dur"]))
        for track, spans in tracks.items():
            spans.sort()
            for (_, end), (start, _) in zip(spans, spans[1:]):
                self.assertLessEqual(end, start + 0.01, track)

    def test_each_arrow_starts_and_ends_once(self):
        starts = collections.Counter(e["id"] for e in self.phase("s"))
        ends = collections.Counter(e["id"] for e in self.phase("f"))
        self.assertGreater(len(ends), 50)  # of 100 rounds with two wake-ups each
        self.assertEqual(set(starts.values()), {1})
        self.assertEqual(set(ends.values()), {1})
        self.assertLessEqual(set(ends), set(starts))

    def test_reasons_for_leaving_are_there(self):
        then = {e["args"]["then"] for e in self.phase("X") if "args" in e}
        self.assertIn("end", then)
        self.assertTrue(any("chan" in reason for reason in then), then)

    def test_the_end_of_a_thread_is_told_in_order(self):
        steps = [e["name"].split(":")[0] for e in self.phase("i")
                 if e["pid"] == THREADS and e["name"].startswith("exit")]
        self.assertEqual(steps[:6], [f"exit {n}" for n in range(1, 7)])

    def test_blocking_shows_as_a_lease_taken(self):
        names = [e["name"] for e in self.phase("i")]
        self.assertTrue(any(name.startswith("lease taken") for name in names) or
                        any(name.startswith("handed") or "new thread" in name for name in names), names)

    def test_nothing_is_lost_of_a_short_trace(self):
        self.assertEqual(self.trace["otherData"]["lost"], 0)

    def test_the_environment_traces_the_whole_run(self):
        path = os.path.join(self.folder.name, "whole.json")
        trace, tasks = record(path, WEFT_TRACE=path)
        names = {e["name"].split()[1] for e in trace["traceEvents"] if e["ph"] == "X"}
        self.assertLessEqual({str(task) for task in tasks}, names)
        births = [e for e in trace["traceEvents"] if e["name"] == "birth"]
        self.assertGreaterEqual(len(births), 1)

    def burst(self, **variables):
        """The spans on processors of a run that talks, computes and talks; and how long it computed, in us."""
        path = os.path.join(self.folder.name, "burst.json")
        done = subprocess.run([RUN, "burst"], env={**os.environ, "WEFT_TRACE": path, **variables},
                              stdout=subprocess.PIPE, timeout=120, check=True)
        with open(path, encoding="utf-8") as file:
            trace = json.load(file)
        spans = [e for e in trace["traceEvents"] if e["ph"] == "X" and e["pid"] == PROCESSORS]
        return trace, spans, int(done.stdout) / 1000

    def check_burst(self, trace, spans, computed):
        self.assertGreater(trace["otherData"]["lost"], 0)  # the ring went round
        self.assertTrue(any(computed / 4 < span["dur"] < computed * 4 for span in spans), computed)
        tracks = collections.defaultdict(list)
        for span in spans:
            tracks[span["tid"]].append(span)
        for track in tracks.values():
            for one, two in zip(track, track[1:]):
                self.assertLessEqual(one["ts"], two["ts"])

    def test_computing_between_much_talk_shows_as_long_as_it_was(self):
        self.check_burst(*self.burst())

    def test_exact_times_can_be_had(self):
        trace, spans, computed = self.burst(WEFT_TRACE_CLOCK="exact")
        self.check_burst(trace, spans, computed)
        self.assertLessEqual(trace["otherData"]["events"], 65536 * 3)  # each with a stamp: two places

    def test_an_arrow_ends_after_it_began(self):
        began = {e["id"]: e["ts"] for e in self.phase("s")}
        for event in self.phase("f"):
            self.assertGreaterEqual(event["ts"], began[event["id"]])

    def test_a_file_that_cannot_be_written_is_said(self):
        done = subprocess.run([RUN, "-"], env={**os.environ, "WEFT_TRACE": "/no/such/folder/x"},
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60, check=True)
        self.assertIn(b"WEFT_TRACE=/no/such/folder/x: No such file", done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
