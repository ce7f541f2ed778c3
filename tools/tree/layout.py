#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""layout.py: what clang-format leaves alone: the width of comments, their markers, their tables.

usage: layout.py ROOT [FOLDER...]

- No line of a C, C++ or header file is wider than 100 columns, a tab being eight.
- Each line of a comment of several lines begins with " *", and it ends with " */".
- A table or a list is indented by two blanks at least and ends with an empty line, an indented one,
  or the comment: a line at the margin straight below it, as well as three blanks inside a line at the
  margin, are what a reflow leaves of a table.

Prints one line per offence; status 1 when there is any.
"""

import re
import sys

import source

WIDTH = 100


def too_wide(file):
    for number, line in enumerate(file.text.split("\n"), 1):
        columns = len(line.expandtabs(8))
        if columns > WIDTH:
            yield number, f"{columns} columns, {WIDTH} are allowed"


def broken_markers(comment):
    lines = comment.text.split("\n")
    for number, line in enumerate(lines[1:], comment.first + 1):
        if not re.match(r"\s*\*(?:[ \t/]|$)", line):
            yield number, "a line of a comment begins without a star"
    for number, line in enumerate(lines, comment.first):
        if re.search(r"\*[ \t]+/[ \t]*$", line):
            yield number, "a broken end of a comment"
        if "/*" in line.strip()[2:].split("*/")[0]:
            yield number, "a comment begins inside a comment"


def indent(line):
    """Blanks after the star; None for a line that says nothing."""
    found = re.match(r"\s*(?:/\*+|\*)(\s*)(\S?)", line)
    if not found or not found[2] or line.strip() in ("*/", "/*"):
        return None
    return len(found[1].expandtabs(8)) if "\t" in found[1] else len(found[1])


def broken_tables(comment):
    lines = comment.text.split("\n")
    above = None
    for number, line in enumerate(lines[1:], comment.first + 1):
        here = indent(line)
        if here == 1 and above is not None and above >= 2:
            yield number, "text at the margin straight below a table or a list"
        elif here == 1 and re.search(r"\S   +\S", line.rstrip("*/ ")):
            yield number, "a row of a table inside of text"
        above = here


def offences(file):
    yield from too_wide(file)
    for comment in file.comments:
        if comment.text.startswith("/*"):
            yield from broken_markers(comment)
            yield from broken_tables(comment)


def main(root, *folders):
    found = [f"{file.path}:{line}: {what}" for file in source.sources(root, folders or ("",))
             for line, what in sorted(offences(file))]
    print(*found, sep="\n", end="\n" if found else "")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
