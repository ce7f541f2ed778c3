# SPDX-License-Identifier: MIT
"""The ways in which Go builds a program, and storm/ built in each of them.

A mode is a row of MODES: what it is called, Go's flags, the processor and the system, the C compiler and its flags as
the linker. KINDS are the kinds of program, each with its build tags: goroutines lock their threads by a call (with
another, harmless caller: kept), by a function value, or not at all (but for a harmless caller: harmless).
"""

import gzip
import os
import shutil
import subprocess
from typing import NamedTuple

HERE = os.path.dirname(os.path.abspath(__file__))
STORM, OPENER, HOST = (os.path.join(HERE, n) for n in ("storm", "opener", "host.c"))
KINDS = {"call": [], "value": ["value"], "quiet": ["quiet"], "harmless": ["quiet", "signals"], "kept": ["signals"]}
HOOKED = ("amd64", "arm64", "ppc64", "ppc64le", "s390x", "loong64")  # where Go uses the vDSO's getrandom


class Mode(NamedTuple):
    name: str
    flags: tuple = ()
    machine: str = "amd64"
    system: str = "linux"
    cc: str = ""  # the C compiler; none: cgo is off
    linker: str = ""  # flags for C's linker

    def kinds(self):
        more = ("kept",) if "pgo" in self.name else ("harmless",) if self.name in ("plain", self.machine) else ()
        return ("call", "value", "quiet", *more)

    def runs(self):
        return (self.system, self.machine) == ("linux", "amd64")

    def hooked(self):
        return self.system in ("linux", "android") and self.machine in HOOKED


def external(name, linker, *flags, machine="amd64", cc="gcc"):
    return Mode(name, flags, machine, cc=cc, linker=linker)


ARM = "aarch64-linux-gnu-gcc"
OTHERS = {"ppc64le": "powerpc64le-linux-gnu-gcc", "s390x": "s390x-linux-gnu-gcc", "riscv64": "riscv64-linux-gnu-gcc",
          "loong64": "loongarch64-linux-gnu-gcc"}
MODES = [
    Mode("plain"),
    Mode("stripped", ("-ldflags=-s -w",)),
    Mode("pie", ("-buildmode=pie",)),
    Mode("not-inlined", ("-gcflags=all=-l",)),
    Mode("not-optimised", ("-gcflags=all=-N -l",)),
    Mode("pgo", ("-pgo={profile}",)),
    Mode("pgo-pie", ("-pgo={profile}", "-buildmode=pie")),
    external("cgo", ""),
    external("cgo-internal", "", "-ldflags=-linkmode=internal"),
    external("cgo-pie", "", "-buildmode=pie"),
    external("cgo-static", "-static"),
    external("cgo-static-pie", "-static-pie", "-buildmode=pie"),
    external("pgo-cgo", "", "-pgo={profile}"),
    external("gold", "-fuse-ld=gold"),
    external("gold-pie", "-fuse-ld=gold", "-buildmode=pie"),
    external("lld", "-fuse-ld=lld"),
    external("lld-pie", "-fuse-ld=lld", "-buildmode=pie"),
    external("packed", "-Wl,-z,pack-relative-relocs", "-buildmode=pie"),
    external("noseparate", "-Wl,-z,noseparate-code"),
    external("noseparate-pie", "-Wl,-z,noseparate-code", "-buildmode=pie"),
    external("noseparate-static", "-Wl,-z,noseparate-code -static"),
    external("race", "", "-race"),
    external("asan", "", "-asan"),
    Mode("arm64", machine="arm64"),
    Mode("arm64-pie", ("-buildmode=pie",), machine="arm64"),
    Mode("arm64-pgo", ("-pgo={profile}",), machine="arm64"),
    external("arm64-cgo", "", machine="arm64", cc=ARM),
    external("arm64-cgo-pie", "", "-buildmode=pie", machine="arm64", cc=ARM),
    external("arm64-cgo-static", "-static", machine="arm64", cc=ARM),
    external("arm64-gold", "-fuse-ld=gold", machine="arm64", cc=ARM),
    *(Mode(m, machine=m) for m in ("ppc64", "ppc64le", "s390x", "loong64", "riscv64", "386", "arm", "mips", "mipsle",
                                   "mips64", "mips64le")),
    Mode("ppc64le-pie", ("-buildmode=pie",), "ppc64le"),  # the other processors need a C compiler for that: -cgo-pie
    *(Mode(m + "-pgo", ("-pgo={profile}",), m) for m in ("ppc64le", "s390x", "loong64")),
    *(external(m + "-cgo", "", machine=m, cc=cc) for m, cc in OTHERS.items()),
    *(external(m + "-cgo-pie", "", "-buildmode=pie", machine=m, cc=cc) for m, cc in OTHERS.items()),
    *(external(m + "-noseparate", "-Wl,-z,noseparate-code", machine=m, cc=cc) for m, cc in OTHERS.items()),
    *(Mode(s, system=s) for s in ("freebsd", "netbsd", "openbsd", "dragonfly", "solaris", "illumos")),
    Mode("freebsd-arm64", machine="arm64", system="freebsd"),
]


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def message(*fields):
    """A protocol buffer: numbers as varints, everything else as bytes."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(value)
        else:
            out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


def profile(path, edges):
    """A CPU profile in which each (caller, line, callee, line, weight) is hot."""
    strings, functions, locations, samples = [b"", b"samples", b"count", b"cpu", b"nanoseconds"], [], [], []

    def location(name, line, start):
        strings.append(name.encode())
        functions.append(message((1, len(functions) + 1), (2, len(strings) - 1), (3, len(strings) - 1), (5, start)))
        locations.append(message((1, len(locations) + 1), (4, message((1, len(functions)), (2, line)))))
        return len(locations)
    for caller, line, callee, weight in edges:
        stack = varint(location(callee, 1, 1)) + varint(location(caller, line + 1, 1))
        samples.append(message((1, stack), (2, varint(weight) + varint(weight))))
    kinds = [message((1, 1), (2, 2)), message((1, 3), (2, 4))]
    data = message(*((1, k) for k in kinds), *((2, s) for s in samples), *((4, x) for x in locations),
                   *((5, f) for f in functions), *((6, s) for s in strings))
    with gzip.open(path, "wb") as f:
        f.write(data)


class Builder:
    """Builds with the Go tree `root` (its bin/go) into the folder `place`."""

    def __init__(self, root, place):
        self.root, self.place = root, place
        self.go = os.path.join(root, "bin", "go")

    def environment(self, mode):
        return {**os.environ, "GOROOT": self.root, "GOCACHE": os.environ.get("GOCACHE", os.path.join(self.place, "cache")),
                "GOPATH": os.path.join(self.place, "gopath"), "GO111MODULE": "off", "GOTOOLCHAIN": "local", "GOFLAGS": "",
                "GOOS": mode.system, "GOARCH": mode.machine, "CGO_ENABLED": "1" if mode.cc else "0", "CC": mode.cc or "cc"}

    def flags(self, mode):
        hot = os.path.join(self.place, "hot.pgo")
        if not os.path.exists(hot):
            # Call sites are told apart by their lines, counted from the function's own.
            profile(hot, [("main.takeThread", 0, "runtime.LockOSThread", 1000)])
        flags = [f.replace("{profile}", hot) for f in mode.flags]
        if mode.linker:
            flags.append(f"-ldflags=-linkmode=external -extldflags '{mode.linker}'")
        return flags

    def go_run(self, mode, *arguments, cwd=STORM):
        done = subprocess.run([self.go, *arguments], cwd=cwd, env=self.environment(mode), capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{mode.name}: go {' '.join(arguments)}: {done.stderr}")

    def build(self, mode, kind, *more, source=STORM, tags=()):
        path = os.path.join(self.place, f"{mode.name}-{kind}")
        tags = ",".join([*KINDS[kind], *tags])
        self.go_run(mode, "build", "-tags", tags, "-o", path, *self.flags(mode), *more, ".", cwd=source)
        return path
