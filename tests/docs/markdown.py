# SPDX-License-Identifier: MIT
"""The parts of a Markdown page that the tests look at."""

import pathlib
import re

FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def pages(root):
    """Every page of the tree."""
    root = pathlib.Path(root)
    return sorted([*root.glob("*.md"), *root.glob("docs/**/*.md"), *root.glob("contrib/**/*.md")])


def fences(text):
    """(info, content) of each fenced block."""
    return FENCE.findall(text)


def prose(text):
    return FENCE.sub("", text)


def programs(text):
    """Blocks that are marked as complete programs: ```c program"""
    return [content for info, content in fences(text) if info.split() == ["c", "program"]]


def links(text):
    """Targets of links and pictures."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(text))


FILE = re.compile(
    r"(?<![\w/.<~$-])(?:[\w.*-]+/|\{[\w,]+\}/)*"
    r"(?:[\w*{][\w.,*{}-]*\.(?:c|h|S|def|py|sh|md|map|cmake|pml|txt|json|awk)|(?<=/)(?![\w.*{-]))(?![\w/(])")


def alternatives(path):
    """src/{a,b}.c is src/a.c and src/b.c."""
    braces = re.search(r"\{([^}]*)\}", path)
    if not braces:
        return [path]
    return [one for choice in braces[1].split(",")
            for one in alternatives(path[:braces.start()] + choice + path[braces.end():])]


def files(text):
    """Files and folders that a page names, in code or not: what ends like a file of the tree, or in /."""
    return [path for found in FILE.findall(text) if found for path in alternatives(found)]


def functions(text):
    """(file, function) of what a page names as file.c:function."""
    return re.findall(r"((?:[\w.-]+/)*[\w-]+\.(?:c|h|py|sh)):([a-z_]\w+)", text)


def anchors(text):
    """What a page's headings are called in links, as GitHub does it."""
    names = set()
    for heading in re.findall(r"^#+ +(.+?) *$", prose(text), re.MULTILINE):
        heading = re.sub(r"[^\w\- ]", "", heading.lower())
        names.add(heading.replace(" ", "-"))
    return names
