# SPDX-License-Identifier: MIT
"""The rows of the benchmark: what is done, how much of it, by whom, and what is to be reached.

A target is (metric, kind, contender, limit):
  ratio   weft's metric is at most `limit` times the contender's
  plus    weft's metric is at most the contender's plus `limit`
  most    weft's metric is at most `limit`
A limit may be a pair: one processor, two processors.
"""

from dataclasses import dataclass, field

TIME = "op_ns"  # wall time per operation; op_cpu_ns is its CPU time


@dataclass
class Row:
    name: str
    title: str
    size: int  # operations in a whole run
    quick: int  # in a quick one; 0: left out
    contenders: tuple = ("weft", "go")
    targets: tuple = ()
    unit: str = "ns"
    metric: str = TIME
    extra: tuple = ()  # notes shown beside it
    processors: tuple = (1, 2)
    curve_sizes: tuple = ()
    curve_processors: bool = False
    smoke: int = 100
    options: dict = field(default_factory=dict)


TASKS = (100, 1000, 10000, 100000, 1000000)

ROWS = (
    Row("yield", "yield, two tasks per processor", 4_000_000, 400_000,
        ("weft", "go", "boost", "no-lease"),
        ((TIME, "ratio", "go", 0.25), ("op_cpu_ns", "plus", "no-lease", 2.0), ("op_cpu_ns", "most", None, (20, 40))),
        curve_processors=True),
    Row("spawn", "start and join, batches of 1,000", 1_000_000, 100_000,
        ("weft", "go", "boost", "no-lease"),
        ((TIME, "ratio", "go", 0.25), ("op_cpu_ns", "plus", "no-lease", 2.0), ("op_cpu_ns", "most", None, (80, 160))),
        curve_sizes=TASKS, curve_processors=True),
    Row("pingpong", "channel ping-pong, unbuffered, round trip", 500_000, 50_000,
        ("weft", "go", "boost", "no-trace"),
        ((TIME, "ratio", "go", 0.35), ("op_cpu_ns", "ratio", "no-trace", (1.01, None))), curve_processors=True),
    Row("traced", "the same while a trace is recorded", 1_000_000, 200_000, ("weft", "untraced"),
        (("op_cpu_ns", "ratio", "untraced", (1.10, None)),), smoke=1000,
        options={"row": "pingpong", "environment": {"WEFT_TRACE": "/dev/null"}}),
    Row("buffered", "channel of 128, per item", 4_000_000, 400_000,
        ("weft", "go", "boost"), ((TIME, "ratio", "go", 0.40),), curve_processors=True),
    Row("select", "select among four channels, per item", 500_000, 50_000,
        ("weft", "go"), ((TIME, "ratio", "go", 1.0),)),
    Row("mutex", "mutex, eight tasks", 8_000_000, 800_000,
        ("weft", "go", "boost"), ((TIME, "ratio", "go", (1.0, 0.5)),), curve_processors=True),
    Row("skynet", "skynet, 1e6 leaves, channels", 1_000_000, 100_000,
        ("weft", "go"), ((TIME, "ratio", "go", 0.2),), curve_sizes=TASKS, curve_processors=True),
    Row("sleepers", "1e5 tasks sleep ten times 1..100 ms: wall", 100_000, 10_000,
        ("weft", "go"), (("wall_ms", "most", None, 1100), ("cpu_ms", "ratio", "go", 0.4)),
        unit="ms", metric="wall_ms", extra=("cpu_ms",), curve_sizes=TASKS[:4]),
    Row("parked", "memory per parked task", 1_000_000, 100_000,
        ("weft", "go"), (("bytes", "most", None, 4350),),
        unit="B", metric="bytes", processors=(1,), curve_sizes=TASKS[2:], smoke=1000),
    Row("echo", "TCP echo, 100 connections, 64 B, per request", 3000, 400,
        ("weft", "go", "floor", "threaded"),
        (("request_ns", "ratio", "floor", 1 / 0.97), ("server_ns", "ratio", "floor", 1.05)),
        metric="request_ns", extra=("server_ns", "p99_us", "rate"), processors=(1,),
        options={"connections": 100}, smoke=30),
    Row("nanosleep", "1,000 tasks, each blocks 10 ms in a system call", 1000, 1000,
        ("weft", "go"), (("all_ms", "ratio", "go", 1.2), ("gap_p99_us", "most", None, 5000), ("gap_worst_us", "most", None, 20000)),
        unit="ms", metric="all_ms", extra=("gap_p99_us", "gap_worst_us", "threads", "leases")),
    Row("usleep", "1,000 tasks, each blocks 50 ms in a library call", 1000, 1000,
        ("weft", "go"), (("all_ms", "ratio", "go", 1.2), ("gap_p99_us", "most", None, 5000), ("gap_worst_us", "most", None, 20000)),
        unit="ms", metric="all_ms", extra=("gap_p99_us", "gap_worst_us", "threads", "leases")),
    Row("locked-1", "locked task ends with its thread, one at a time", 20_000, 2000,
        ("weft", "go", "floor"), ((TIME, "ratio", "floor", 1 / 0.9), (TIME, "ratio", "go", (None, 1 / 1.5)))),
    Row("locked-16", "the same, sixteen in flight", 40_000, 4000,
        ("weft", "go", "floor"), ((TIME, "ratio", "floor", 1 / 0.75), (TIME, "ratio", "go", (None, 1 / 1.5)))),
    Row("random-4", "getrandom, 4 bytes", 4, 4, ("weft", "vdso", "syscall", "libc"),
        ((TIME, "plus", "vdso", 2.0), (TIME, "ratio", "syscall", 0.1)), processors=(1,), smoke=4),
    Row("random-32", "getrandom, 32 bytes", 32, 32, ("weft", "vdso", "syscall", "libc"),
        ((TIME, "plus", "vdso", 2.0),), processors=(1,), smoke=32),
    Row("random-65536", "getrandom, 64 KiB", 65536, 65536, ("weft", "vdso", "syscall", "libc"),
        ((TIME, "ratio", "vdso", 0.25),), processors=(1,), smoke=65536),
    Row("idle", "idle for five seconds: CPU time", 5000, 1000, ("weft",),
        (("idle_cpu_us", "most", None, 2000), ("wakeups", "most", None, 3)),
        unit="us", metric="idle_cpu_us", extra=("wakeups",), processors=(2,), smoke=10),
    Row("fair", "others beside three tasks that only compute: a reader's wait", 150, 50, ("weft", "go"),
        (("reader_worst_ms", "ratio", "go", 1.0), ("sleeper_worst_ms", "ratio", "go", 1.0)),
        unit="ms", metric="reader_p90_ms",
        extra=("reader_worst_ms", "sleeper_p90_ms", "sleeper_worst_ms"), smoke=10),
    Row("fair-calls", "the same, and they yield after 30 ms each", 150, 50, ("weft", "go"),
        (("reader_worst_ms", "ratio", "go", 1.0), ("sleeper_worst_ms", "ratio", "go", 1.0)),
        unit="ms", metric="reader_p90_ms",
        extra=("reader_worst_ms", "sleeper_p90_ms", "sleeper_worst_ms"), smoke=10),
    Row("bursts", "2 ms bursts beside two hogs: leases wrongly taken", 2000, 200, ("weft",),
        (("wrong_percent", "most", None, 2.0),), unit="%", metric="wrong_percent", processors=(2,), smoke=16),
)

CONNECTIONS = (10, 100, 1000, 10000)
PROCESSORS = (1, 2, 4, 8, 16)
