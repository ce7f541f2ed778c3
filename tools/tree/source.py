# SPDX-License-Identifier: MIT
"""source.py: the C files of a tree as the rules see them: code, comments, functions.

Text analysis, not a parser: it knows the layout that .clang-format gives, in which a function's body
begins and ends in the first column. A tree that does not keep that layout fails there first.
"""

import os
import re

SKIP_FOLDERS = {".git", ".cache", "__pycache__"}
CODE = (".c", ".h", ".S", ".def", ".cpp", ".cc", ".hpp")

TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)
FUNCTION = re.compile(r"^(?=[A-Za-z_])([^;{}#=]*?\))[^;{}()#=]*\n\{\n(.*?)^\}", re.M | re.S)
MACRO = re.compile(r"^#[ \t]*define[ \t]+(\w+)\(((?:[^\n]*\\\n)*[^\n]*)$", re.M)
NAME = re.compile(r"\b(?!__attribute__|aligned|section|TARGET)(\w+)\s*\(")


def blank(text):
    """The same text with nothing in it but its line ends."""
    return re.sub(r"[^\n]", " ", text)


class Comment:
    def __init__(self, text, first):
        self.text, self.first, self.last = text, first, first + text.count("\n")


class Function:
    """A function or a macro with parameters; lines count from 1, the last one is the closing brace's."""

    def __init__(self, name, body, first, opens, last, is_macro=False):
        self.name, self.body, self.first, self.opens, self.last = name, body, first, opens, last
        self.is_macro = is_macro

    def lines(self):
        """Of the body, between the braces."""
        return self.last - self.opens - 1


class Source:
    def __init__(self, root, path):
        self.path = path
        with open(os.path.join(root, path), encoding="utf-8") as file:
            self.text = file.read()
        self.comments = []
        self.code = TOKEN.sub(self._take, self.text)
        self._functions = None

    def _take(self, found):
        token = found[0]
        if token[0] == "/":
            self.comments.append(Comment(token, self.line(found.start())))
            return blank(token)
        return token[0] + blank(token[1:-1]) + token[0]

    @property
    def name(self):
        return os.path.basename(self.path)

    def line(self, at):
        """The line of a place in the text."""
        return self.text.count("\n", 0, at) + 1

    def functions(self):
        if self._functions is None:
            self._functions = [*self._bodies(), *self._macros()]
        return self._functions

    def _bodies(self):
        for found in FUNCTION.finditer(self.code):
            name = NAME.search(found[1])
            if name:
                opens = self.line(found.start(2)) - 1
                yield Function(name[1], found[2], self.line(found.start()), opens, self.line(found.end()))

    def _macros(self):
        for found in MACRO.finditer(self.code):
            first = self.line(found.start())
            yield Function(found[1], found[2], first, first, self.line(found.end()), is_macro=True)

    def function_at(self, line):
        for function in self.functions():
            if function.first <= line <= function.last:
                return function
        return None


def files(root, folders=("",)):
    """Paths from the root of every file that is the tree's own."""
    for folder in folders:
        for place, inner, names in os.walk(os.path.join(root, folder)):
            inner[:] = sorted(d for d in inner if d not in SKIP_FOLDERS and not d.startswith("build"))
            for name in sorted(names):
                yield os.path.relpath(os.path.join(place, name), root)


def sources(root, folders=("",), suffixes=CODE):
    return [Source(root, path) for path in files(root, folders) if path.endswith(suffixes)]
