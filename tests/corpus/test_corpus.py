#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The scanner on real Go binaries: those of corpus.txt, and those of this machine.

usage: test_corpus.py corpus WEFT    every row of the table has its verdict (exit 77: not all are to be had here)
       test_corpus.py lockers WEFT   a disassembly of all their code finds the callers of LockOSThread that it names
       test_corpus.py machine WEFT   every Go binary of the machine is found, and judged as a disassembler sees it
"""

import json
import os
import subprocess
import sys

import corpus
import go_order

PLACES = ["/usr", "/opt", "/bin", "/sbin", "/lib", "/srv", "/home", "/var/lib"]
VERDICTS = {"old": {"affected", "affected-dormant", "mitigated"}, "repaired": {"not-affected"}, "none": {"not-affected"}}


def scan(weft, *arguments):
    done = subprocess.run([weft, "scan", "--json", *arguments], capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout)


def check_order(result, wrong):
    try:
        order = go_order.order(result["path"])
    except go_order.NotKnown as why:
        print(f"not compared: {result['path']}: {why}")
        return 0
    if result["verdict"] not in VERDICTS[order]:
        wrong.append(f"{result['path']}: {result['verdict']}, but the order of calls is {order}")
    return 1


def check_name(result, row, wrong):
    with open(result["path"], "rb") as f:
        linked = b"runtime.LockOSThread\0" in f.read()
    if row.locker == "none" and linked:
        wrong.append(f"{result['path']}: has the name of LockOSThread")


def verdicts(weft):
    (place, missing), wrong, compared = corpus.fetch(), [], 0
    for row in corpus.rows(place):
        status, report = scan(weft, os.path.join(place, row.name))
        results = sorted(report["results"], key=lambda r: r["path"])
        facts = [(r["verdict"], r["arch"], r["go_version"]) for r in results]
        if facts != row.facts() or status != int("affected" in row.verdicts) or report["errors"]:
            wrong.append(f"{row.name}: {facts} and status {status} instead of {row.facts()}")
        harmful = {c["function"] for r in results for c in r["lock_os_thread_callers"] if not c["harmless"]}
        if harmful != row.harmful():
            wrong.append(f"{row.name}: {harmful} instead of {row.harmful()}")
        for result in results:
            compared += check_order(result, wrong)
            check_name(result, row, wrong)
    return conclude(wrong, compared) or missing


def lockers(weft):
    (place, missing), wrong, compared = corpus.fetch(), [], 0
    for row in (row for row in corpus.rows(place) if row.locker not in ("-", "none")):
        for result in scan(weft, os.path.join(place, row.name))[1]["results"]:
            named = {c["function"] for c in result["lock_os_thread_callers"]}
            try:
                found = go_order.lockers(result["path"]) or set()
            except go_order.NotKnown as why:
                print(f"not compared: {result['path']}: {why}")
                continue
            compared += 1
            if named != found:
                wrong.append(f"{result['path']}: {named}, but the disassembly has {found}")
    return conclude(wrong, compared) or missing


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
    sys.exit({"corpus": verdicts, "lockers": lockers, "machine": machine}[sys.argv[1]](os.path.abspath(sys.argv[2])))
