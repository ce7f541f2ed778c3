#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""headers.py: docs/HEADERS.md: the headers of src/sched, which files include each, and for what.

usage: headers.py ROOT          prints the page
       headers.py ROOT check    compares it with ROOT/docs/HEADERS.md; status 1 when that is out of date

"For what" are the names that a header declares and the including file uses, in the header's order. A
file that uses none of them must not include the header: `check` names it.
"""

import os
import re
import sys

import source

FOLDER = "src/sched/"
PAGE = "docs/HEADERS.md"
MOST = 6

INTRODUCTION = """\
# The headers of the scheduler

Which files include each header of `src/sched`, and which of its names they use there. A header's own
`.c` file is left out. `tools/tree/headers.py` writes this page
(`python3 tools/tree/headers.py . >docs/HEADERS.md`), and a test fails when it is out of date.
"""

INCLUDE = re.compile(r'^#[ \t]*include[ \t]+"sched/(\w+\.h)"', re.M)
DECLARED = re.compile(
    r"^#[ \t]*define[ \t]+(?P<macro>\w+)"
    r"|\b(?:struct|union|enum)[ \t]+(?P<tag>\w+)(?:\s+\w+)?\s*\{"
    r"|^enum\b[^{;]*\{(?P<values>[^}]*)\}"
    r"|^extern[^;(]*?\b(?P<variable>\w+)(?:\[[^]]*\])?\s*;"
    r"|^(?=[a-z_])[^;{}#=()]*?\b(?P<function>\w+)\([^;{}]*\)[^;{}()]*[;\n]"
    r"|^extern[^;(]*\(\*(?P<pointer>\w+)\)", re.M)
GUARD = re.compile(r"^WEFT_\w+_H$")


def enumerators(values):
    return re.findall(r"(?:^|,)\s*(\w+)", values)


def declared(header):
    """The names that a header declares, in its order, each once."""
    names = {}
    for found in DECLARED.finditer(re.sub(r"__attribute__\(\(.*?\)\)\s*", "", header.code)):
        for kind, text in found.groupdict().items():
            for name in enumerators(text) if kind == "values" and text else [text] if text else []:
                if not GUARD.match(name):
                    names.setdefault(name, kind)
    for body in re.findall(r"\benum[ \t]+\w+[ \t]*\{([^}]*)\}", header.code):
        for name in enumerators(body):
            names.setdefault(name, "values")
    return list(names)


def used(names, code):
    words = set(re.findall(r"\w+", re.sub(r"^#[ \t]*include.*", "", code, flags=re.M)))
    return [name for name in names if name in words]


def what_for(names):
    if not names:
        return "none of its names"
    more = len(names) - MOST
    return ", ".join(f"`{name}`" for name in names[:MOST]) + (f" and {more} more" if more > 0 else "")


def title(header):
    """The first sentence of the head comment, without the file's name."""
    head = next(c.text for c in header.comments if f"{header.name}:" in c.text)
    text = " ".join(re.sub(r"^[ \t]*/?\*+/?|\*/", "", head, flags=re.M).split())
    return re.split(r"(?<=[.:;]) ", text.split(": ", 1)[1])[0].rstrip(".:;")


def page(root):
    files = source.sources(root, ["src"], (".c", ".h"))
    headers = {file.name: file for file in files if file.path.startswith(FOLDER) and file.path.endswith(".h")}
    text = INTRODUCTION
    for name, header in sorted(headers.items()):
        names = declared(header)
        users = [file for file in files if name in INCLUDE.findall(file.text) and
                 file.path != header.path[:-1] + "c"]
        text += f"\n## `{name}`: {title(header)}\n\n"
        if users:
            text += "| included by | for |\n| --- | --- |\n"
        for file in users:
            text += f"| `{file.path[len('src/'):]}` | {what_for(used(names, file.code))} |\n"
        if not users:
            text += "Its own file alone.\n"
    return text


def offences(root, wanted):
    header = ""
    for line in wanted.split("\n"):
        found = re.match(r"## `(.*?)`|\| `(.*?)` \| none of its names", line)
        if found and found[2]:
            yield f"src/{found[2]}:1: includes sched/{header} and uses none of its names"
        elif found:
            header = found[1]
    path = os.path.join(root, PAGE)
    if not os.path.exists(path) or open(path, encoding="utf-8").read() != wanted:
        yield f"{PAGE}:1: out of date: python3 tools/tree/headers.py . >{PAGE}"


def main(root, check=None):
    wanted = page(root)
    said = list(offences(root, wanted)) if check else [wanted.rstrip("\n")]
    print(*said, sep="\n", end="\n" if said else "")
    return bool(check and said)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
