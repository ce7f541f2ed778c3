# SPDX-License-Identifier: MIT
"""What runs an example: argument 1 is the folder of the programs."""
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

BIN = Path(sys.argv[1])
WEFT = BIN.parent / "weft"
LIMIT = 30


def example(name):
    path = BIN / f"example_{name}"
    if not path.exists():
        print(f"skipped: no {path.name}")
        sys.exit(77)
    return str(path)


def expect(what, got, wanted):
    if got != wanted:
        sys.exit(f"FAILED: {what}: {got!r:.300}, not {wanted!r:.300}")


class Server:
    """A program that prints its port (or another first line) and ends on SIGTERM."""

    def __init__(self, *command, environment=None):
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                        env={**os.environ, **(environment or {})})
        self.line = self.process.stdout.readline().strip()
        if not self.line:
            sys.exit(f"FAILED: {command[0]} does not start: {self.process.stderr.read()}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def dial(self):
        return socket.create_connection(("127.0.0.1", int(self.line)), LIMIT)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def tasks(self):
        """How many tasks it has."""
        out = subprocess.run([WEFT, "ps", "--json", str(self.process.pid)], stdout=subprocess.PIPE, check=True).stdout
        return len(json.loads(out)["tasks"])

    def end(self, status=0):
        self.process.send_signal(signal.SIGTERM)
        try:
            out, err = self.process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            sys.exit("FAILED: it does not end on SIGTERM")
        expect(f"exit status; it said {err[-3000:]!r}", self.process.returncode, status)
        return out


def read_all(s):
    return b"".join(iter(lambda: s.recv(65536), b""))
