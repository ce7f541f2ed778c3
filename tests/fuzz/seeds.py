#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the first inputs of a fuzz target.

usage: seeds.py TARGET FOLDER MAKE_TWIN
"""

import gzip
import io
import json
import os
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile

TARGET, FOLDER, MAKE_TWIN = sys.argv[1:4]
KINDS = [["caller=main.work"], ["relocated", "caller=pkg.init.0"], ["repaired"], ["patched"], ["no-table"]]


def twin(words):
    with tempfile.NamedTemporaryFile() as f:
        subprocess.run([MAKE_TWIN, f.name, *words], check=True)
        with open(f.name, "rb") as g:
            return g.read()


def tar(entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as t:
        for name, content in entries:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            t.addfile(info, io.BytesIO(content))
    return out.getvalue()


def images():
    layer = tar([("bin/x", twin(KINDS[0])[:0x8000]), ("bin/.wh.y", b""), ("opt/.wh..wh..opq", b"")])
    manifest = json.dumps([{"Config": "c", "Layers": ["a/layer.tar"]}]).encode()
    index = json.dumps({"manifests": [{"digest": "sha256:m"}]}).encode()
    oci = json.dumps({"layers": [{"digest": "sha256:l", "mediaType": "x.tar"}]}).encode()
    yield tar([("a/layer.tar", layer), ("manifest.json", manifest), ("c", b'{"rootfs":{"diff_ids":["sha256:x"]}}')])
    yield tar([("blobs/sha256/l", gzip.compress(layer)), ("blobs/sha256/m", oci), ("index.json", index)])


def cores():
    """A core file with one segment, a status note and a file note, made by hand."""
    def note(kind, content):
        return struct.pack("<III", 5, len(content), kind) + b"CORE\0\0\0\0" + content.ljust(-(-len(content) // 4) * 4, b"\0")

    files = struct.pack("<5Q", 1, 4096, 0x400000, 0x401000, 0) + b"/bin/x\0"
    notes = note(1, bytes(336)) + note(0x46494C45, files) + note(6, struct.pack("<4Q", 33, 0x7000, 0, 0)) + \
        note(0x53494749, struct.pack("<iii", signal.SIGSEGV, 0, 1).ljust(128, b"\0"))
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack("<HHIQQQIHHHHHH", 4, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    headers = struct.pack("<IIQQQQQQ", 4, 0, 64 + 112, 0, 0, len(notes), 0, 4)
    headers += struct.pack("<IIQQQQQQ", 1, 6, 64 + 112 + len(notes), 0x7000, 0, 64, 64, 1)
    yield head + headers + notes + bytes(64)


def parts(start, end):
    for i, words in enumerate(KINDS):
        yield bytes([i]) + twin(words)[start:end]


def streams():
    """The mark's length less one, what a line may take (two bytes), four sizes of pieces; the mark, then the text."""
    text = b"GET / HTTP/1.1\r\nHost: x\r\n\r\nrest\r\n\r"
    yield bytes([3, 100, 0, 1, 1, 1, 1]) + b"\r\n\r\n" + text
    yield bytes([1, 20, 0, 3, 0, 50, 255]) + b"\r\n" + text
    yield bytes([0, 0, 63, 255, 255, 255, 255]) + b"\n" + b"x" * 9000 + b"\n" + text


SEEDS = {
    "stream": streams,
    "elf": lambda: map(twin, KINDS),
    "pclntab": lambda: parts(0x4000, 0x4600),
    "buildinfo": lambda: parts(0x7000, 0x7600),
    "image": images,
    "core": cores,
}

os.makedirs(FOLDER, exist_ok=True)
for number, content in enumerate(SEEDS[TARGET]()):
    with open(os.path.join(FOLDER, f"seed-{number}"), "wb") as out:
        out.write(content)
