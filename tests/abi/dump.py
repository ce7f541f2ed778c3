#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What a program compiled against the public headers relies on, one fact a line.

usage: dump.py INCLUDE-DIR LIBRARY...

    function weft_accept: WEFT_0 int (int, struct sockaddr *, socklen_t *, int64_t)
    struct weft_case: 24 bytes, aligned to 8
    member weft_case.op: int, 4 bytes at 0
    constant WEFT_CHAN_SEND: 1
    macro WEFT_FOREVER: INT64_MAX

The compiler says what it read: prototypes by -aux-info of gcc, which leaves out names of parameters
and attributes and keeps the names of types, and sizes and values by a program that prints them. Only
the names of constants, macros and members are read here, from our plain style of headers. Rejected:
DWARF, whose readers are not everywhere and which holds what a program uses only.
"""

import pathlib
import re
import subprocess
import sys
import tempfile


def without_comments(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def declarations(headers):
    """The headers' text without comments and preprocessor lines."""
    text = "\n".join(without_comments(h.read_text()) for h in headers)
    return re.sub(r"^\s*#.*$", "", text.replace("\\\n", " "), flags=re.M)


def macros(headers):
    """Macros that stand for something, which a guard does not; the version's numbers are no promise."""
    for header in headers:
        text = without_comments(header.read_text()).replace("\\\n", " ")
        for name, value in re.findall(r"^#\s*define\s+(WEFT_\w+(?:\([^)]*\))?)[ \t]+(\S.*)$", text, re.M):
            if not name.startswith("WEFT_VERSION_"):
                yield name, " ".join(value.split())


def structs(text):
    """Struct -> its members as (name, type), in order; those of a union without a name are the struct's."""
    for name, body in re.findall(r"struct (weft_\w+) \{(.*?)\n\};", text, re.S):
        body = re.sub(r"\bunion \{(.*?)\}", r"\1", body, flags=re.S)
        members = [" ".join(m.split()) for m in body.split(";") if m.strip()]
        yield name, [split_member(m) for m in members]


def split_member(text):
    """("chan", "struct weft_chan *"), ("word", "uint64_t [4]"), ("fn", "void (*)(void *arg)")."""
    name = re.search(r"\(\*(\w+)\)", text) or re.search(r"(\w+)\s*(?:\[[^]]*\]\s*)*$", text)
    rest = text[:name.start(1)] + text[name.end(1):]
    return name[1], rest.strip()


def constants(text):
    for body in re.findall(r"\benum\b[^;{]*\{(.*?)\}", text, re.S):
        yield from re.findall(r"\b(WEFT_\w+)\s*(?:=|,|$)", body)


def printing_program(text):
    """A program that prints the facts which only a compiler knows."""
    lines = ['#include "weft/weft.h"', "#include <stdio.h>", "int main(void) {"]
    for name, members in structs(text):
        s = f"struct {name}"
        lines.append(f'printf("struct {name}: %zu bytes, aligned to %zu\\n", sizeof({s}), _Alignof({s}));')
        lines += [f'printf("member {name}.{m}: {kind}, %zu bytes at %zu\\n", '
                  f"sizeof((({s} *)0)->{m}), offsetof({s}, {m}));" for m, kind in members]
    lines += [f'printf("constant {name}: %lld\\n", (long long){name});' for name in constants(text)]
    return "\n".join(lines + ["}"])


def output_of(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def printed(include, text, work):
    source, program = work / "facts.c", work / "facts"
    source.write_text(printing_program(text))
    output_of("gcc", "-std=gnu11", "-I", include, source, "-o", program)
    return output_of(program).splitlines()


def prototypes(include, work):
    """Function -> "int (int, int64_t)"."""
    source, info = work / "all.c", work / "info"
    source.write_text('#include "weft/weft.h"\n')
    output_of("gcc", "-std=gnu11", "-I", include, "-fsyntax-only", "-aux-info", info, source)
    found = re.findall(r"extern (.*?)(weft_\w+) (\(.*\));", info.read_text())
    return {name: f"{result.strip()} {parameters}" for result, name, parameters in found}


def versions(libraries):
    """Exported function or object -> its version; what one library keeps for the other is no promise."""
    for library in libraries:
        for line in output_of("nm", "-D", "--defined-only", "--with-symbol-versions", library).splitlines():
            _, kind, name = line.split()
            if kind != "A" and "PRIVATE" not in name:
                yield re.split("@+", name)


def dump(include, libraries):
    headers = sorted(pathlib.Path(include).glob("weft/*.h"))
    text = declarations(headers)
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        declared = prototypes(include, work)
        facts = printed(include, text, work)
    facts += [f"function {name}: {version} {declared.get(name, 'not declared')}"
              for name, version in versions(libraries)]
    facts += [f"macro {name}: {value}" for name, value in macros(headers)]
    return sorted(facts)


def differences(old, new):
    """What changed from one dump to another: "+ fact", "- fact" or "~ subject: old -> new"."""
    old, new = (dict(fact.split(": ", 1) for fact in facts) for facts in (old, new))
    for subject in sorted(old.keys() | new.keys()):
        if subject not in old:
            yield f"+ {subject}: {new[subject]}"
        elif subject not in new:
            yield f"- {subject}: {old[subject]}"
        elif old[subject] != new[subject]:
            yield f"~ {subject}: {old[subject]} -> {new[subject]}"


if __name__ == "__main__":
    print("\n".join(dump(sys.argv[1], sys.argv[2:])))
