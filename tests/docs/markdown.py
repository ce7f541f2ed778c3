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


def anchors(text):
    """What a page's headings are called in links, as GitHub does it."""
    names = set()
    for heading in re.findall(r"^#+ +(.+?) *$", prose(text), re.MULTILINE):
        heading = re.sub(r"[^\w\- ]", "", heading.lower())
        names.add(heading.replace(" ", "-"))
    return names
