#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""idle.py BIN-DIR [--idle N] [--rounds N] [--milliseconds N]

What idle connections cost an echo server that runs on weft: the time of an answer to 100 busy connections
alone and beside N idle ones (runs interleaved, medians), and the resident memory of each idle
connection with its task. Server and client are those of the echo row.
"""
import argparse
import os
import resource
import statistics
import subprocess
import sys
from pathlib import Path

BUSY = 100


def resident_kib(pid):
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))


def measure(folder, idle, milliseconds):
    """The client's notes, and how much the server grew, in KiB."""
    server = subprocess.Popen([folder / "bench-weft", "echo", "1", "0"], stdout=subprocess.PIPE, text=True)
    try:
        port = server.stdout.readline().split()[-1]
        before = resident_kib(server.pid)
        client = subprocess.run([folder / "bench-echo-client", port, str(BUSY), str(milliseconds), str(server.pid),
                                 str(idle)], stdout=subprocess.PIPE, text=True, check=True)
        notes = dict(line.split()[:2] for line in client.stdout.splitlines() if len(line.split()) >= 2)
        return {k: float(v) for k, v in notes.items() if k.endswith("_us")}, peak_kib(server.pid) - before
    finally:
        server.kill()
        server.wait()


def peak_kib(pid):
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bin_dir", type=Path)
    parser.add_argument("--idle", type=int, default=10000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--milliseconds", type=int, default=1500)
    args = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < args.idle + BUSY + 50:
        sys.exit(f"only {hard} descriptors are allowed here (ulimit -Hn)")
    os.environ.setdefault("WEFT_PROCESSORS", "1")
    alone, beside = [], []
    for _ in range(args.rounds):
        alone.append(measure(args.bin_dir, 0, args.milliseconds))
        beside.append(measure(args.bin_dir, args.idle, args.milliseconds))

    def median(runs, key):
        return statistics.median(notes[key] for notes, _ in runs)

    for key in ("median_us", "p99_us"):
        ratio = median(beside, key) / median(alone, key)
        print(f"{key:10} {median(alone, key):9.0f} alone {median(beside, key):9.0f} beside {args.idle} idle: x {ratio:.2f}")
    grown = statistics.median(k for _, k in beside) - statistics.median(k for _, k in alone)
    print(f"resident   {grown / args.idle:9.2f} KiB per idle connection with its task")


main()
