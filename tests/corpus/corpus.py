# SPDX-License-Identifier: MIT
"""Where the real Go binaries of corpus.txt are, for the tests of other folders."""

import os
import subprocess
import unittest


def place():
    """The folder with the unpacked packages that can be had; skips the test where none can."""
    fetch = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fetch.sh")
    done = subprocess.run([fetch], stdout=subprocess.PIPE, text=True)
    if done.returncode not in (0, 77):
        raise RuntimeError("the corpus is not what was recorded")
    folder = done.stdout.strip()
    if not os.listdir(folder):
        raise unittest.SkipTest("the corpus cannot be downloaded here")
    return folder


# What is run, patched and shielded, too. The others are judged alone: of other processors, or their output has the time.
TRIED = ("bufbuild-buf-linux-x64", "bufbuild-buf-linux-aarch64", "lefthook-", "dbmate-", "esbuild-linux-x64")


def programs(folder):
    """Every ELF file of the packages that are tried."""
    for package in sorted(p for p in os.listdir(folder) if p.startswith(TRIED)):
        for directory, _, names in os.walk(os.path.join(folder, package)):
            for name in sorted(names):
                path = os.path.join(directory, name)
                with open(path, "rb") as f:
                    if f.read(4) == b"\x7fELF":
                        yield path
