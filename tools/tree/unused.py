#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""unused.py: functions, members, enumerators and lock ranks of src that src itself does not use.

usage: unused.py ROOT

A name counts as used where it appears in other code of src than what declares or defines it: a
function outside of its own body, a member where it is read, or is an argument of a macro, an
enumerator and a rank anywhere else. Two things of the same name hide each other; nothing that is used
is ever reported.

What a test alone uses is unused, unless the comment of the function or member says "for tests". Not
asked for: public functions and everything in include/weft, members and enumerators of a layout that
somebody else reads or fixed ("layout" or "ABI" in the comment of the struct or enumeration), and
members whose name says that they fill a gap (spare, pad, unused, reserved).

Prints one line per offence; status 1 when there is any.
"""

import re
import sys
from collections import Counter

import source

RECORD = re.compile(r"\b(?:struct|union)(?:[ \t]+(?:\w+|__attribute__\(\([^;{}]*?\)\)))*[ \t]*\{")
ENUM = re.compile(r"\benum\b[^;{}()]*\{([^}]*)\}")
GAP = re.compile(r"^(?:spare|pad|unused|reserved)\w*$")
PUBLIC = re.compile(r"^weft_[a-z0-9]")
ENTRY = {"main"}


def body_end(text, at):
    """Where the brace at `at` closes."""
    depth = 0
    for found in re.compile(r"[{}]").finditer(text, at):
        depth += 1 if found[0] == "{" else -1
        if depth == 0:
            return found.start()
    return len(text)


def members(body):
    """(name, place) of the members of a struct's own level; records inside are looked at by themselves."""
    flat = list(body)
    for found in RECORD.finditer(body):
        end = body_end(body, found.end() - 1)
        flat[found.start():end + 1] = re.sub(r"[^\n]", " ", body[found.start():end + 1])
    flat = "".join(flat)
    for declaration in re.finditer(r"[^;]+", flat):
        for part in re.finditer(r"[^,]+", re.sub(r"\([^()]*\)(?=\s*(?:__|$))", lambda m: " " * len(m[0]),
                                                 declaration[0])):
            name = re.search(r"\(\*\s*(\w+)", part[0]) or \
                re.search(r"(\w+)(?:\s*\[[^]]*\]|\s*:\s*\w+|\s+cache_aligned)*\s*$", part[0])
            if name:
                yield name[1], declaration.start() + part.start() + name.start(1)


def exempt(file, line):
    """Does the comment above, or on the line, say that the layout is not ours to change?"""
    return any(re.search(r"\b(?:layout|ABI)\b", c.text) for c in file.comments
               if c.last in (line - 1, line))


def records(files):
    for file in files:
        for found in RECORD.finditer(file.code):
            if exempt(file, file.line(found.start())):
                continue
            start = found.end()
            body = file.code[start:body_end(file.code, start - 1)]
            body = re.sub(r"^#.*$", lambda m: " " * len(m[0]), body, flags=re.M)
            for name, at in members(body):
                line = file.line(start + at)
                if not GAP.match(name) and not is_for_tests(file, line):
                    yield file, line, name


WRITTEN = re.compile(
    r"\b(?:store_\w+|count_owned)\(&[^,;]*?(?:\.|->)(\w+),"
    r"|(?:\.|->)(\w+)\s*(?:=(?!=)|[-+|&^*/]=|<<=|>>=)"
    r"|^\s*[^\s;=(][^;=(]*(?:\.|->)(\w+)(?:\+\+|--);", re.M)
READ = re.compile(r"(?:\.|->)\s*(\w+)")
NAMED = re.compile(r"\b(?:offsetof|container_of|[A-Z][A-Z0-9_]*)\(([^()]*)\)")


def without_writes(code):
    """The same code, with nothing in the places that only write a member; `*s->m = x` reads m."""
    def blank_member(found):
        line = code[code.rfind("\n", 0, found.start()) + 1:found.start()]
        if re.match(r"\s*\*\w", line):
            return found[0]
        return found[0].replace(found[found.lastindex], "")

    return WRITTEN.sub(blank_member, code)


def unused_members(files):
    used = set()
    for file in files:
        used.update(READ.findall(without_writes(file.code)))
        used.update(word for arguments in NAMED.findall(file.code) for word in re.findall(r"\w+", arguments))
    for file, line, name in records(files):
        if name not in used and not name.isupper():
            yield file, line, f"member {name} is never read"


def words(files):
    return Counter(word for file in files for word in re.findall(r"\w+", file.code))


def unused_enumerators(files):
    count = words(files)
    for file in files:
        for found in ENUM.finditer(file.code):
            line = file.line(found.start())
            if exempt(file, line):
                continue
            for value in re.finditer(r"(?:^|,)\s*(\w+)", found[1]):
                if count[value[1]] == 1:
                    yield file, file.line(found.start(1) + value.start(1)), f"enumerator {value[1]} is never used"


def unused_ranks(files):
    count = words(files)
    for file in files:
        if file.name == "lockrank.def":
            for found in re.finditer(r"^LOCK_RANK\((\w+)\)", file.code, re.M):
                if not count[f"RANK_{found[1]}"]:
                    yield file, file.line(found.start()), f"lock rank {found[1]} is never used"


PROTOTYPE = re.compile(r"^(?=[A-Za-z_])[^;{}#=]*?\b(\w+)\s*\([^;{}]*\)[^;{}()]*;", re.M)


def unused_functions(files):
    count = words(files)
    own = Counter()
    for file in files:
        own.update(name for name in PROTOTYPE.findall(file.code))
        for function in file.functions():
            if not function.is_macro:
                own[function.name] += 1 + len(re.findall(rf"\b{function.name}\b", function.body))
    for file in files:
        for function in file.functions():
            name = function.name
            if function.is_macro or PUBLIC.match(name) or name in ENTRY:
                continue
            if count[name] > own[name] or is_called_from_outside(file, function):
                continue
            if not is_for_tests(file, function.first):
                yield file, function.first, f"function {name} is never used"


def is_called_from_outside(file, function):
    """A constructor, or exported: what the linker or another program calls."""
    lines = file.code.split("\n")
    region = re.findall(r"visibility (push|pop)", "\n".join(lines[:function.first]))
    return re.search(r"constructor|destructor|\bexported\b", " ".join(lines[function.first - 1:function.opens])) or \
        file.path.endswith(".c") and region[-1:] == ["push"]


def is_for_tests(file, line):
    """Does the comment on the line say so, or one above that has lines of its own?"""
    def belongs(comment):
        alone = file.text.split("\n")[comment.first - 1].lstrip().startswith("/*")
        return comment.last == line or (comment.last == line - 1 and alone)

    return any(re.search(r"\b[Ff]or tests\b", c.text) and belongs(c) for c in file.comments)


def main(root):
    files = source.sources(root, ["src"])
    found = [f"{file.path}:{line}: {what}"
             for rule in (unused_functions, unused_members, unused_enumerators, unused_ranks)
             for file, line, what in rule(files)]
    print(*found, sep="\n", end="\n" if found else "")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
