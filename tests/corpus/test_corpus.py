#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The scanner on real Go binaries: those of corpus.txt, and those of this machine.

usage: test_corpus.py corpus WEFT    every row of the table has its verdict (exit 77: not to be had here)
       test_corpus.py machine WEFT   every Go binary of the machine is found, and judged as a disassembler sees it
"""

import json
import os
import subprocess
import sys

import go_order

HERE = os.path.dirname(os.path.abspath(__file__))
PLACES = ["/usr", "/opt", "/bin", "/sbin", "/lib", "/srv", "/home", "/var/lib"]
VERDICTS = {"old": {"affected", "affected-dormant", "mitigated"}, "repaired": {"not-affected"}, "none": {"not-affected"}}


def scan(weft, *arguments):
    done = subprocess.run([weft, "scan", "--json", *arguments], capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout)


def rows():
    with open(os.path.join(HERE, "corpus.txt")) as f:
        for line in f:
            if not line.startswith("#"):
                package, version, _, arch, go, count, verdict = line.split()
                yield package.lstrip("@").replace("/", "-") + "-" + version, arch, go, int(count), verdict


def check_order(result, wrong):
    try:
        order = go_order.order(result["path"])
    except go_order.NotKnown as why:
        print(f"not compared: {result['path']}: {why}")
        return 0
    if result["verdict"] not in VERDICTS[order]:
        wrong.append(f"{result['path']}: {result['verdict']}, but the order of calls is {order}")
    return 1


def corpus(weft):
    fetched = subprocess.run([os.path.join(HERE, "fetch.sh")], stdout=subprocess.PIPE, text=True)
    if fetched.returncode:
        return fetched.returncode
    place, wrong, compared = fetched.stdout.strip(), [], 0
    for name, arch, go, count, verdict in rows():
        status, report = scan(weft, os.path.join(place, name))
        facts = [(r["verdict"], r["arch"], r["go_version"]) for r in report["results"]]
        wanted = [(verdict, arch, None if go == "-" else go)] * count
        if facts != wanted or status != 0 or report["errors"]:
            wrong.append(f"{name}: {facts} and status {status} instead of {wanted}")
        compared += sum(check_order(r, wrong) for r in report["results"])
        harmful = [c for r in report["results"] for c in r["lock_os_thread_callers"] if not c["harmless"]]
        if harmful:
            wrong.append(f"{name}: {harmful}")
    return conclude(wrong, compared)


def machine(weft):
    found = set()
    for place in PLACES:
        for folder, _, files in os.walk(place):
            for path in (os.path.join(folder, f) for f in files):
                try:
                    if os.path.isfile(path) and not os.path.islink(path) and go_order.is_go(path):
                        found.add((os.stat(path).st_dev, os.stat(path).st_ino))
                except OSError:
                    continue
    _, report = scan(weft, *[p for p in PLACES if os.path.isdir(p)])
    wrong, compared, seen = [], 0, set()
    for r in report["results"]:
        status = os.stat(r["path"])
        seen.add((status.st_dev, status.st_ino))
        compared += check_order(r, wrong) if go_order.is_go(r["path"]) else 0
    if found - seen:
        wrong.append(f"{len(found - seen)} Go binaries were not found")
    return conclude(wrong, compared)


def conclude(wrong, compared):
    print("\n".join(wrong))
    print(f"{compared} binaries compared with their disassembly, {len(wrong)} wrong")
    return 1 if wrong else 0 if compared else 77


if __name__ == "__main__":
    sys.exit({"corpus": corpus, "machine": machine}[sys.argv[1]](os.path.abspath(sys.argv[2])))
