# SPDX-License-Identifier: MIT
"""The real Go binaries of corpus.txt: its rows, and where the programs are."""

import os
import re
import subprocess
import unittest
from typing import NamedTuple

HERE = os.path.dirname(os.path.abspath(__file__))
# What is tried in little time: each version with the bug and one without, programs that print their own path, every
# processor with the code. WEFT_LONG=1 tries all.
FEW = ("bufbuild-buf-linux-x64-1.53.0", "bufbuild-buf-linux-aarch64-1.53.0", "lefthook-", "dbmate-", "docker-buildx_",
       "prometheus-alertmanager_", "ebnflint_", "snid_", "esbuild-linux-x64")


class Row(NamedTuple):
    name: str  # the folder that it is unpacked into
    arch: str
    go: str
    verdicts: list
    locker: str

    def facts(self):
        return [(verdict, self.arch, None if self.go == "-" else self.go) for verdict in self.verdicts]

    def harmful(self):
        return set() if self.locker in ("-", "none", "harmless") else {self.locker}


def verdicts_of(text):
    for part in text.split(","):
        *count, verdict = part.split("*")
        yield from [verdict] * int(count[0] if count else 1)


def rows(place):
    """Those that are there; whether all are is fetch.sh's to say."""
    with open(os.path.join(HERE, "corpus.txt")) as f:
        for line in (line for line in f if not line.startswith("#")):
            _, package, _, arch, go, verdicts, locker, _ = line.split()
            name = re.sub(r"^@|^pool/.*/|\.deb$", "", package).replace("/", "-", 1).replace("@", "-", 1)
            if os.path.isdir(os.path.join(place, name)):
                yield Row(name, arch, go, list(verdicts_of(verdicts)), locker)


def fetch():
    """The folder with the unpacked packages; 0 when all are there, 77 when some cannot be had here."""
    done = subprocess.run([os.path.join(HERE, "fetch.sh")], stdout=subprocess.PIPE, text=True)
    if done.returncode not in (0, 77):
        raise RuntimeError("the corpus is not what was recorded")
    return done.stdout.strip(), done.returncode


def place():
    """The folder; skips the test where none can be had."""
    folder = fetch()[0]
    if not os.listdir(folder):
        raise unittest.SkipTest("the corpus cannot be downloaded here")
    return folder


def is_elf(path):
    with open(path, "rb") as f:
        return f.read(4) == b"\x7fELF"


def programs(folder):
    """Every ELF file of the packages that are tried, and what it runs on, as Go calls it."""
    for row in rows(folder):
        if not row.name.startswith(FEW) and not os.environ.get("WEFT_LONG"):
            continue
        for directory, _, names in os.walk(os.path.join(folder, row.name)):
            for path in (os.path.join(directory, name) for name in sorted(names)):
                if not os.path.islink(path) and is_elf(path):
                    yield path, row.arch
