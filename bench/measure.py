# SPDX-License-Identifier: MIT
"""Runs one program of the benchmark once, and says what it measured and whether others disturbed it."""

import os
import re
import subprocess
import time

NOISE = 0.10  # of one CPU, used by other processes: the run is marked
LIMIT = 120  # seconds for one run
PROGRAMS = {"weft": "bench-weft", "no-lease": "bench-weft-no-lease",
            "no-trace": "bench-weft-no-trace", "untraced": "bench-weft", "go": "bench-go", "boost": "bench-boost",
            "floor": "bench-floor", "threaded": "bench-echo-server"}
RANDOM = ("weft", "vdso", "syscall", "libc")


class Failed(Exception):
    pass


class Watch:
    """What the machine does between start and stop beside the processes given to stop()."""

    TICK = 1 / os.sysconf("SC_CLK_TCK")

    @staticmethod
    def busy():
        with open("/proc/stat", encoding="ascii") as f:
            user, nice, system, _idle, _wait, irq, soft, steal = map(int, f.readline().split()[1:9])
        return (user + nice + system + irq + soft + steal) * Watch.TICK

    def __init__(self):
        self.before, self.began = self.busy(), time.monotonic()

    def stop(self, used):
        wall = max(time.monotonic() - self.began, Watch.TICK)
        others = max(0.0, self.busy() - self.before - used) / wall
        return {"others": round(others, 2), "noisy": others > NOISE}


def notes(text):
    """Lines "name value" as a dictionary."""
    values = {}
    for line in text.splitlines():
        name, value = line.split()
        values[name] = float(value)
    return values


def spent(usage):
    return usage.ru_utime + usage.ru_stime


def reap(child):
    """Waits for the child; returns its CPU seconds, children included."""
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return spent(usage)


def run(argv, cpus=None, environment=None):
    pin = (lambda: os.sched_setaffinity(0, cpus)) if cpus else None
    child = subprocess.Popen(["timeout", str(LIMIT)] + argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             preexec_fn=pin, env={**os.environ, **(environment or {})})
    text, errors = child.stdout.read(), child.stderr.read()
    used = reap(child)
    if child.returncode:
        raise Failed(f"{' '.join(argv)}: status {child.returncode} {errors.strip()}")
    return text, used


def work(folder, contender, row, processors, size):
    watch = Watch()
    environment = row.options.get("environment") if contender == "weft" else None
    text, used = run([os.path.join(folder, PROGRAMS[contender]), row.options.get("row", row.name), str(processors),
                      str(size)], environment=environment)
    values = notes(text) | watch.stop(used)
    values["op_ns"] = values["wall_ns"] / size
    values["op_cpu_ns"] = values["cpu_ns"] / size
    values["wall_ms"] = values["wall_ns"] / 1e6
    values["cpu_ms"] = values["cpu_ns"] / 1e6
    return values


def echo(folder, contender, row, processors, size):
    """Server on the first CPU, client on the last; `size` is the time in milliseconds."""
    cpus = sorted(os.sched_getaffinity(0))
    loop = os.path.join(folder, "bench-echo-server")
    server_argv = {"floor": [loop], "threaded": [loop, "threaded"]}.get(
        contender, [os.path.join(folder, PROGRAMS[contender]), "echo", str(processors), "0"])
    watch = Watch()
    with subprocess.Popen(server_argv, stdout=subprocess.PIPE, text=True,
                          preexec_fn=lambda: os.sched_setaffinity(0, cpus[:1])) as server:
        try:
            port = server.stdout.readline().split()[1]
            text, used = run([os.path.join(folder, "bench-echo-client"), port, str(row.options["connections"]),
                              str(size), str(server.pid)], cpus[-1:])
        finally:
            server.kill()
            served = reap(server)
    return notes(text) | watch.stop(used + served)


def draws(folder, row):
    """All contenders of a random row take turns within one program: {contender: values}."""
    watch = Watch()
    text, used = run([os.path.join(folder, "bench-random"), str(row.size)])
    noise = watch.stop(used)
    line = text.splitlines()[-1]
    return {name: {"op_ns": float(value), "op_cpu_ns": float(value)} | noise
            for name, value in zip(RANDOM, re.findall(r"([\d.]+) \(", line)) if float(value) > 0}


def once(folder, contender, row, processors, size):
    if row.name == "echo":
        return echo(folder, contender, row, processors, size)
    return work(folder, contender, row, processors, size)


def present(folder, contender):
    return contender in RANDOM[1:] or os.access(os.path.join(folder, PROGRAMS[contender]), os.X_OK)


def versions(folder):
    found = {"kernel": os.uname().release, "machine": os.uname().machine, "cpus": os.cpu_count(),
             "load": os.getloadavg()[0]}
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        names = re.findall(r"model name\s*: (.*)", f.read())
    found["cpu"] = names[0] if names else "unknown"
    for peer in ("go", "boost"):
        found[peer] = run([os.path.join(folder, PROGRAMS[peer]), "version"])[0].strip() if present(folder, peer) else "absent"
    return found
