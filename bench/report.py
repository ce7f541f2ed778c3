# SPDX-License-Identifier: MIT
"""What came out: medians, ratios, targets won and lost; as a table and as JSON."""

import json
import statistics

CPU_OF = {"op_ns": "op_cpu_ns", "wall_ms": "cpu_ms", "request_ns": "server_ns"}


def series(runs, metric):
    return [r[metric] for r in runs if metric in r]


def summary(runs, metric):
    values = series(runs, metric)
    return {"median": statistics.median(values), "least": min(values), "most": max(values), "runs": len(values),
            "noisy": sum(r["noisy"] for r in runs)} if values else None


def ratios(ours, theirs, metric):
    return [a[metric] / b[metric] for a, b in zip(ours, theirs) if b.get(metric) and metric in a]


def noisy(*groups):
    return any(sum(r["noisy"] for r in g) * 2 > len(g) for g in groups)


def limit_for(target, processors):
    limit = target[3]
    return limit[min(processors, 2) - 1] if isinstance(limit, tuple) else limit


def judge(target, results, processors):
    """One line of the verdict: text, value, won; None where it does not apply."""
    metric, kind, contender, _ = target
    limit, ours = limit_for(target, processors), results["weft"]
    theirs = results.get(contender, ours)
    if limit is None or contender and contender not in results:
        return None
    by_cpu = kind == "ratio" and metric in CPU_OF and noisy(ours, theirs) and series(theirs, CPU_OF[metric])
    used = CPU_OF[metric] if by_cpu else metric
    if kind == "ratio":
        value, text = statistics.median(ratios(ours, theirs, used)), f"<= {limit:.2f} x {contender}"
    elif kind == "plus":
        value = statistics.median(series(ours, used)) - statistics.median(series(theirs, used))
        text = f"<= {contender} + {limit:g}"
    else:
        value, text = statistics.median(series(ours, used)), f"<= {limit:g}"
    return {"target": f"{used} {text}", "value": value, "won": value <= limit, "by_cpu": bool(by_cpu)}


def number(value):
    return f"{value:.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def cell(runs, metric):
    s = summary(runs, metric)
    if not s:
        return "-"
    mark = "*" if s["noisy"] * 2 > s["runs"] else ""
    return f"{number(s['median'])}{mark} ({number(s['least'])}..{number(s['most'])})"


def lines(row, processors, results):
    """The lines of the table for one row and one number of processors."""
    yield f"{row.title}, P={processors} [{row.unit}]"
    for contender, runs in results.items():
        text = f"    {contender:9}{cell(runs, row.metric):>32}"
        if row.metric in CPU_OF and CPU_OF[row.metric] not in row.extra:
            text += f"   cpu {cell(runs, CPU_OF[row.metric])}"
        for name in row.extra:
            if series(runs, name):
                text += f"   {name} {number(statistics.median(series(runs, name)))}"
        yield text
    for target in row.targets:
        verdict = judge(target, results, processors)
        if verdict:
            yield (f"    {'win ' if verdict['won'] else 'LOSE'} {verdict['target']:38} {number(verdict['value'])}"
                   f"{'  (by CPU time: the machine was busy)' if verdict['by_cpu'] else ''}")


def table(rows, results, versions):
    out = [" ".join(f"{k} {v};" for k, v in versions.items()),
           "median (least..most) of the rounds; * others used more than 10 % of a CPU in most of them", ""]
    for row in rows:
        for processors in row.processors:
            found = results.get((row.name, processors))
            if found and found.get("weft"):
                out += lines(row, processors, found)
    return "\n".join(out)


def verdicts(rows, results):
    for row in rows:
        for processors in row.processors:
            found = results.get((row.name, processors))
            if found and found.get("weft"):
                for target in row.targets:
                    verdict = judge(target, found, processors)
                    if verdict:
                        yield {"row": row.name, "processors": processors} | verdict


def write_json(path, rows, results, versions):
    document = {"versions": versions, "verdicts": list(verdicts(rows, results)),
                "runs": [{"row": name, "processors": p, "contender": c, "runs": runs}
                         for (name, p), found in results.items() for c, runs in found.items()]}
    with open(path, "w", encoding="utf-8") as f:
        json.dump(document, f, indent=1)
        f.write("\n")
