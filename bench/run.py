#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the benchmarks: weft beside whatever peers are built, taking turns, and prints which is faster.

    run.py [--quick | --curves | --smoke] [--rows NAME,...] [--rounds N] [--programs FOLDER] [--out FOLDER]

Each round does every row once with every contender, so that whatever the machine does meets all alike; ratios are taken
within a round, medians over the rounds. A run during which other processes used more than a tenth of a CPU is marked,
and where most runs of a row are, its ratio is taken from CPU time instead of wall time.
Writes NAME.json, NAME.txt and NAME.svg to the output folder. --smoke does a little of everything and only checks that
each program prints its checked result. Exit status: 0, or 1 when a program failed; a lost target is a result, not a
failure.
"""

import argparse
import dataclasses
import os
import statistics
import sys
import time

import chart
import measure
import report
import rows

ROUNDS, QUICK_SECONDS = 7, 50


def options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    mode = parser.add_mutually_exclusive_group()
    for name in ("quick", "curves", "smoke"):
        mode.add_argument(f"--{name}", action="store_true")
    parser.add_argument("--rows", help="only these, comma separated")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--programs", default="build/release/bench")
    parser.add_argument("--out", default=os.path.join(os.path.dirname(__file__), "results"))
    return parser.parse_args()


class Board:
    """Results by row and processors, then by contender; says what is going on, and remembers what failed."""

    def __init__(self, folder):
        self.folder, self.results, self.failures = folder, {}, []

    def add(self, row, processors, contender, values):
        self.results.setdefault((row.name, processors), {}).setdefault(contender, []).append(values)

    def progress(self, words):
        if sys.stderr.isatty():
            print(f"\r\033[K{words}", end="", file=sys.stderr, flush=True)

    def attempt(self, row, processors, contender):
        if not measure.present(self.folder, contender):
            return
        self.progress(f"{row.name} P={processors} {contender}")
        try:
            self.add(row, processors, contender, measure.once(self.folder, contender, row, processors, row.size))
        except (measure.Failed, OSError, IndexError, ValueError) as error:
            self.failures.append(f"{row.name} P={processors} {contender}: {error}")

    def go(self, row):
        if row.name.startswith("random-"):
            for contender, values in measure.draws(self.folder, row).items():
                self.add(row, 1, contender, values)
            return
        for processors in row.processors:
            for contender in row.contenders:
                self.attempt(row, processors, contender)

    def finish(self):
        self.progress("")
        for failure in dict.fromkeys(self.failures):
            print(f"FAILED {failure}")
        return 1 if self.failures else 0


def chosen(args):
    names = args.rows.split(",") if args.rows else [r.name for r in rows.ROWS]
    unknown = set(names) - {r.name for r in rows.ROWS}
    if unknown:
        sys.exit(f"no such row: {', '.join(unknown)}")
    found = [r for r in rows.ROWS if r.name in names]
    if args.smoke:
        return [dataclasses.replace(r, size=r.smoke) for r in found]
    if args.quick:
        return [dataclasses.replace(r, size=r.quick) for r in found if r.quick]
    return found


def measure_rows(board, table, rounds, seconds):
    """Whole rounds; with a limit in seconds, as many rows as fit, the first round complete."""
    end = time.monotonic() + seconds if seconds else None
    for i in range(rounds):
        for row in table:
            if i and end and time.monotonic() > end:
                return
            board.go(row)


def median(runs, metric):
    return statistics.median(report.series(runs, metric))


def bars(table, board):
    groups = []
    for row in table:
        for processors in row.processors:
            found = board.results.get((row.name, processors), {})
            values = {c: median(runs, row.metric) for c, runs in found.items() if report.series(runs, row.metric)}
            if values:
                groups.append((f"{row.title}, P={processors}", row.unit, values))
    return chart.bars(groups)


def curve(board, row, title, points):
    """points: (x, row to do, processors); one panel."""
    lines = {}
    for contender in row.contenders:
        for x, variant, processors in points:
            board.attempt(variant, processors, contender)
            runs = board.results.pop((variant.name, processors), {}).get(contender)
            if runs:
                lines.setdefault(contender, []).append((x, max(median(runs, row.metric), 1e-3)))
    return (title, row.unit, lines) if lines else None


def curves(board, table):
    for row in table:
        row = dataclasses.replace(row, contenders=tuple(c for c in row.contenders if c not in ("no-lease", "no-trace")))
        if row.curve_sizes:
            metric = "op_ns" if row.metric == "wall_ms" else row.metric
            by_size = dataclasses.replace(row, metric=metric, unit="ns" if metric == "op_ns" else row.unit)
            yield curve(board, by_size, f"{row.name}: by number of tasks",
                        [(n, dataclasses.replace(row, size=n), min(2, max(row.processors))) for n in row.curve_sizes])
        if row.curve_processors:
            yield curve(board, row, f"{row.name}: by processors",
                        [(p, dataclasses.replace(row, size=row.size // 10), p) for p in rows.PROCESSORS])
        if row.name == "echo":
            yield curve(board, row, "echo: time per request by connections",
                        [(n, dataclasses.replace(row, size=1000, options={"connections": n}), 1) for n in rows.CONNECTIONS])


def write(args, name, parts):
    os.makedirs(args.out, exist_ok=True)
    for ending, content in parts.items():
        path = os.path.join(args.out, f"{name}.{ending}")
        with open(path, "w", encoding="utf-8") as f:
            f.write(content)
        print(f"wrote {path}")


def main():
    args = options()
    board, table, versions = Board(args.programs), chosen(args), measure.versions(args.programs)
    for contender in ("go", "boost", "floor", "no-lease", "no-trace"):
        if not measure.present(args.programs, contender):
            print(f"skipped: {measure.PROGRAMS[contender]} is not there")
    if args.curves:
        panels = [panel for panel in curves(board, table) if panel]
        write(args, "curves", {"svg": chart.curves(panels)})
        return board.finish()
    rounds = args.rounds or (1 if args.smoke else ROUNDS)
    measure_rows(board, table, rounds, QUICK_SECONDS if args.quick else 0)
    status = board.finish()
    if args.smoke:
        return status
    words = report.table(table, board.results, versions)
    print(words)
    name = "quick" if args.quick else "bench"
    write(args, name, {"txt": words + "\n", "svg": bars(table, board)})
    report.write_json(os.path.join(args.out, f"{name}.json"), table, board.results, versions)
    return status


if __name__ == "__main__":
    sys.exit(main())
