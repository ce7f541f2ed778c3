#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Pages agree with the tree: links resolve, files and functions are there, examples are listed, pictures are whole,
translations keep up.

usage: test_pages.py ROOT
"""

import fnmatch
import os
import pathlib
import re
import sys
import tempfile
import unittest
import xml.etree.ElementTree

import markdown

ROOT = pathlib.Path(sys.argv.pop(1))
READMES = ["README.md", "README.zh-CN.md"]
READERS_OWN = {"hello.c"}  # files that a page asks its reader to write


def broken_links(page):
    """Links of a page that lead nowhere in the tree."""
    broken = []
    for link in markdown.links(page.read_text()):
        if link.startswith(("http://", "https://")):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists():
            broken.append(link)
        elif anchor and target.suffix == ".md" and anchor not in markdown.anchors(target.read_text()):
            broken.append(link)
    return broken


def paths_of(root):
    """Every file and folder of the tree, by its path from the root."""
    for place, folders, names in os.walk(root):
        folders[:] = [f for f in folders if f not in (".git", "__pycache__") and not f.startswith("build")]
        for name in [*folders, *names]:
            yield os.path.relpath(os.path.join(place, name), root)


def missing_files(page, paths):
    """What a page names although no file of the tree has that path, or a path that ends so."""
    def is_there(name):
        name = name.rstrip("/")
        while name.startswith("../"):
            name = name.removeprefix("../")
        return any(fnmatch.fnmatchcase(f"/{path}", f"*/{name}") for path in paths)
    return [name for name in markdown.files(page.read_text()) if name not in READERS_OWN and not is_there(name)]


def missing_functions(page, root, paths):
    """What a page names as file:function although no file of that name has such a word."""
    def has(path, function):
        return re.search(rf"\b{function}\b", (root / path).read_text())
    return [f"{name}:{function}" for name, function in markdown.functions(page.read_text())
            if not any(has(path, function) for path in paths if f"/{path}".endswith(f"/{name}"))]


def unlisted(folder, text):
    """Programs of a folder that a page does not link to."""
    linked = {pathlib.PurePath(link).name for link in markdown.links(text)}
    return [p.name for p in sorted(folder.glob("*.c")) if p.name not in linked]


def elsewhere(text):
    """Links that leave the page: headings are translated, too."""
    return [link for link in markdown.links(text) if not link.startswith("#")]


def other_shape(one, two):
    """How two versions of a page differ in what is not prose."""
    for what in (markdown.fences, elsewhere):
        a, b = sorted(set(what(one))), sorted(set(what(two)))
        if a != b:
            return [x for x in a + b if (x in a) != (x in b)]
    return []


class Pages(unittest.TestCase):
    def test_links_resolve(self):
        for page in markdown.pages(ROOT):
            self.assertEqual(broken_links(page), [], page)

    def test_named_files_are_there(self):
        paths = list(paths_of(ROOT))
        for page in markdown.pages(ROOT):
            self.assertEqual(missing_files(page, paths), [], page)

    def test_named_functions_are_there(self):
        paths = list(paths_of(ROOT))
        for page in markdown.pages(ROOT):
            self.assertEqual(missing_functions(page, ROOT, paths), [], page)

    def test_examples_are_listed(self):
        for name in READMES:
            self.assertEqual(unlisted(ROOT / "examples", (ROOT / name).read_text()), [], name)

    def test_translations_keep_up(self):
        english, chinese = [(ROOT / name).read_text() for name in READMES]
        mine, theirs = "(README.zh-CN.md)", "(README.md)"
        self.assertEqual(other_shape(english.replace(mine, theirs), chinese), [])

    def test_pictures_are_whole(self):
        for picture in (ROOT / "docs/img").glob("*.svg"):
            root = xml.etree.ElementTree.parse(picture).getroot()
            self.assertIsNotNone(root.find("{http://www.w3.org/2000/svg}title"), picture)
            self.assertIn("prefers-color-scheme: dark", picture.read_text(), picture)


class TheChecksCanFail(unittest.TestCase):
    def test_links(self):
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder) / "page.md"
            page.write_text("# Here\n[a](page.md) [b](#here) [c](gone.md) [d](#there) [e](https://x)\n"
                            "```\n[f](in-code.md)\n```\n")
            self.assertEqual(broken_links(page), ["gone.md", "#there"])

    def test_named_files(self):
        paths = ["src/api", "src/api/chan.c", "tools/a.py", "tools/b.py"]
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder) / "page.md"
            page.write_text("chan.c, `api/chan.c`, src/{api,gone}/chan.c; tools/*.py, *.awk. `src/api/`, src/b/\n"
                            "```\nlost.h\n```\nhello.c, e.g. read/write(2), https://x.org/page.md ../tools/a.py")
            self.assertEqual(missing_files(page, paths), ["src/gone/chan.c", "*.awk", "src/b/", "lost.h"])

    def test_named_functions(self):
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            (root / "a").mkdir()
            (root / "a/one.c").write_text("static int there(void)\n")
            page = root / "page.md"
            page.write_text("`one.c:there`, one.c:gone, a/one.c:there, b/one.c:there; one.c:17, one.c: so")
            self.assertEqual(missing_functions(page, root, ["a/one.c"]), ["one.c:gone", "b/one.c:there"])

    def test_examples(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("one.c", "two.c"):
                (pathlib.Path(folder) / name).touch()
            self.assertEqual(unlisted(pathlib.Path(folder), "[one](examples/one.c) two.c"), ["two.c"])

    def test_translations(self):
        self.assertEqual(other_shape("[a](x)\n```\n1\n```\n", "[b](x)\n```\n1\n```\n"), [])
        self.assertNotEqual(other_shape("[a](x)\n```\n1\n```\n", "[b](x)\n```\n2\n```\n"), [])
        self.assertEqual(other_shape("[a](x) [b](y)", "[b](x)"), ["y"])


if __name__ == "__main__":
    unittest.main(verbosity=2)
