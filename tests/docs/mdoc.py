# SPDX-License-Identifier: MIT
"""What a manual page in mdoc(7) says, as far as the tests ask."""

import re
import shlex


def section(text, name):
    found = re.search(rf"^\.Sh {name}\n(.*?)(?=^\.Sh |\Z)", text, re.MULTILINE | re.DOTALL)
    return found.group(1) if found else ""


def names(text):
    """What the page is about."""
    return [n for line in re.findall(r"^\.Nm (.+)$", section(text, "NAME"), re.MULTILINE)
            for n in line.replace(",", " ").split()]


def summary_only(text):
    """Pages that introduce others and have functions of none."""
    return not functions(text)


def _plain(words):
    return re.sub(r"\s+", "", " ".join(words))


def functions(text):
    """name -> (type, parameters), without blanks, of the functions in the synopsis."""
    found, kind, long_name, long_args = {}, "", None, []
    for line in section(text, "SYNOPSIS").splitlines():
        macro, _, rest = line.partition(" ")
        words = shlex.split(rest, posix=True) if macro in (".Ft", ".Fn", ".Fo", ".Fa") else []
        if macro == ".Ft":
            kind = _plain(words)
        elif macro == ".Fn":
            found[words[0]] = (kind, _plain([",".join(words[1:])]))
        elif macro == ".Fo":
            long_name, long_args = words[0], []
        elif macro == ".Fa":
            long_args += words
        elif macro == ".Fc":
            found[long_name] = (kind, _plain([",".join(long_args)]))
    return found


def errors(text):
    """Errors that the ERRORS section lists, without their minus."""
    return {error for line in re.findall(r"^\.It (?:Er .*)$", section(text, "ERRORS"), re.MULTILINE)
            for error in re.findall(r"-(E[A-Z0-9]+)", line)}


def references(text):
    """(name, section) of every .Xr."""
    return re.findall(r"^\.Xr (\S+) (\d)", text, re.MULTILINE)


def options(text):
    """Long options, without their dashes."""
    lines = [line for line in text.splitlines() if re.search(r"\bFl\b|\bEx\b", line)]
    return {o for line in lines for o in re.findall(r"(?<![\w-])-([a-z][a-z-]+)", line)}
