#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""atomics.py: an atomic operation stronger than relaxed names its partner, and is named back.

usage: atomics.py ROOT [FOLDER...]

The comment stands on the lines of the statement or straight above it:

    store_release(&noted, 1); /* pairs with deliver */
    n = load_acquire(&c->count); /* pairs with chan.c:put, select.c:fire */

FUNCTION is one of the same file, FILE:FUNCTION one of another, whose folder is named where two files
have the same name; a macro counts as a function. The partner has such a comment, too, and names this one back. An operation on a location that every
function of a protocol changes may pair with its own function. The names of the operations are those
of base/atomic.h.

Prints one line per offence; status 1 when there is any.
"""

import re
import sys

import source

ORDERS = "acquire|release|acq_rel|seq_cst"
STRONG = re.compile(rf"\b(?:(?:load|store|add|sub|or|and|swap|cas)_(?:{ORDERS})|fence_seq_cst)\(")
BARE = re.compile(r"\b__atomic_\w+\(|\b__sync_\w+\(")
WORD = r"(?:[\w./-]+:)?[A-Za-z_]\w*"
PAIRS = re.compile(rf"pairs with ({WORD}(?:,\s+{WORD})*)")
DEFINITIONS = ("src/base/atomic.h",)


def without_stars(text):
    return re.sub(r"\s*\n\s*\*?\s*", " ", text)


def partners(comment):
    """(file or None, function) of each partner that a comment names."""
    for found in PAIRS.finditer(without_stars(comment.text)):
        for word in re.split(r",\s+", found[1]):
            file, _, function = word.rpartition(":")
            yield file or None, function


def statement(file, line):
    """First and last line of the statement around a line, as far as its layout tells."""
    lines = [text.rstrip("\\ \t") for text in file.code.split("\n")]
    first = last = line
    while first > 1 and not re.search(r"[;{}:]$|^$|^#", lines[first - 2]):
        first -= 1
    while last < len(lines) and (not re.search(r"[;{}]$", lines[last - 1]) or
                                 unbalanced(lines[first - 1:last])):
        last += 1
    return first, last


def unbalanced(lines):
    text = "".join(lines)
    return text.count("(") > text.count(")")


def comments_of(file, line):
    """Comments on the lines of the statement, and the block that ends straight above it."""
    first, last = statement(file, line)
    return [c for c in file.comments if c.last >= first - 1 and c.first <= last and
            (c.first >= first or c.last == first - 1 and stands_alone(file, c) or c.last >= first)]


def stands_alone(file, comment):
    return not file.code.split("\n")[comment.first - 1].strip()


class Tree:
    """Which function names which, all files together."""

    def __init__(self, files):
        self.named = {}  # (path, function) -> what its comments name, as (file or None, function)
        for file in files:
            for function in file.functions():
                self.named.setdefault((file.path, function.name), set()).update(
                    p for c in file.comments if function.first <= c.first <= function.last for p in partners(c))

    def meant(self, path, where, function):
        """The functions that a name in a comment of this file stands for."""
        return [key for key in self.named if key[1] == function and
                (key[0] == path if where is None else f"/{key[0]}".endswith(f"/{where}"))]

    def offences(self, file):
        for found in STRONG.finditer(file.code):
            line = file.line(found.start())
            yield from self._offence(file, line, file.function_at(line), found[0][:-1])
        for found in BARE.finditer(file.code):
            yield file.line(found.start()), f"{found[0][:-1]} hides its order: base/atomic.h names it"

    def _offence(self, file, line, function, operation):
        here = (file.path, function.name if function else None)
        named = [p for comment in comments_of(file, line) for p in partners(comment)]
        if not named:
            yield line, f"{operation} names no partner (pairs with FILE:FUNCTION)"
        for where, name in named:
            there = self.meant(file.path, where, name)
            partner = f"{where or file.name}:{name}"
            if not there:
                yield line, f"its partner {partner} does not exist"
            elif not any(here in self.meant(key[0], *p) for key in there for p in self.named[key]):
                yield line, f"its partner {partner} does not name {file.name}:{here[1]} back"


def main(root, *folders):
    files = [f for f in source.sources(root, ["src"]) if f.path not in DEFINITIONS]
    tree = Tree(files)
    found = [f"{file.path}:{line}: {what}" for file in files
             if file.path.startswith(tuple(folders or ("src",)))
             for line, what in sorted(set(tree.offences(file)))]
    print(*found, sep="\n", end="\n" if found else "")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
