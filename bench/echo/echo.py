#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""echo.py BIN-DIR [--seconds S] [--rounds N] [--connections N] [--idle N] [--json]

The echo benchmark: each server alone on CPU 0, the client on another, servers interleaved. Medians
over the rounds; "CPU" is the server's user and system time per request; "idle KiB" is what each idle
connection added to its resident memory. Go's server takes part where a Go compiler is on the PATH.
"""
import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_kib(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def measure(server, client, args, idle):
    last = max(os.sched_getaffinity(0))
    process = subprocess.Popen(["taskset", "-c", "0", server], stdout=subprocess.PIPE, text=True)
    try:
        port = process.stdout.readline().strip()
        memory, cpu = resident_kib(process.pid), cpu_seconds(process.pid)
        command = ["taskset", "-c", str(last), client, port, str(args.connections), str(args.seconds)]
        peer = subprocess.Popen(command + [str(idle)], stdout=subprocess.PIPE, text=True)
        result = json.loads(peer.stdout.readline())
        grown = resident_kib(process.pid) - memory
        if peer.wait() != 0:
            sys.exit("the client failed")
        # The warm-up of 0.2 s costs CPU and counts no requests.
        part = args.seconds / (args.seconds + 0.2)
        result["cpu_us"] = (cpu_seconds(process.pid) - cpu) * part / result["requests"] * 1e6
        result["connection_kib"] = grown / (args.connections + idle)
        return result
    finally:
        process.kill()
        process.wait()


def servers(bin_dir, scratch):
    found = {"epoll": str(bin_dir / "bench-echo-epoll"), "weft": str(bin_dir / "bench-echo-weft")}
    if shutil.which("go"):
        go = Path(scratch) / "echo-go"
        build = ["go", "build", "-o", str(go), str(HERE / "server.go")]
        environment = {**os.environ, "GOCACHE": str(Path(scratch) / "cache"), "GO111MODULE": "off"}
        if subprocess.run(build, env=environment, check=False).returncode == 0:
            found["go"] = str(go)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bin_dir", type=Path)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=100)
    parser.add_argument("--idle", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    client = str(args.bin_dir / "bench-echo-client")
    with tempfile.TemporaryDirectory() as scratch:
        contenders = servers(args.bin_dir, scratch)
        runs = {name: [] for name in contenders}
        for _ in range(args.rounds):
            for name, server in contenders.items():
                runs[name].append(measure(server, client, args, args.idle))
    keys = ["per_second", "p50_us", "p99_us", "cpu_us", "connection_kib"]
    table = {n: {k: statistics.median(r[k] for r in rs) for k in keys} for n, rs in runs.items()}
    if args.json:
        print(json.dumps(table, indent=1))
        return
    print(f"{'':8}{'req/s':>10}{'p50 us':>9}{'p99 us':>9}{'CPU us':>9}{'KiB/conn':>10}{'x epoll':>9}")
    for name, row in table.items():
        ratio = row["per_second"] / table["epoll"]["per_second"]
        print(f"{name:8}{row['per_second']:10.0f}{row['p50_us']:9.0f}{row['p99_us']:9.0f}"
              f"{row['cpu_us']:9.2f}{row['connection_kib']:10.1f}{ratio:9.3f}")


main()
