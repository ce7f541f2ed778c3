#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The manual and the public headers say the same: each function has an entry with its very prototype, no entry is
about something that is not there, references lead somewhere, and mandoc finds nothing to say.

usage: test_manual.py ROOT
"""

import pathlib
import re
import shutil
import subprocess
import sys
import unittest

import mdoc

ROOT = pathlib.Path(sys.argv.pop(1))
HEADERS = sorted((ROOT / "include/weft").glob("*.h"))
PAGES = sorted((ROOT / "docs/man").glob("*.[1-8]"))


def declared(headers):
    """Functions that the headers declare."""
    lines = subprocess.run([ROOT / "tools/declared.sh", *headers], capture_output=True, text=True, check=True).stdout
    return {name for kind, name in (line.split(" ", 1) for line in lines.splitlines()) if kind == "function"}


def prototypes(text, wanted):
    """name -> (type, parameters) without blanks, of the wanted functions in a header's text."""
    text = re.sub(r"/\*.*?\*/|^#.*?$|__attribute__\(\(.*?\)\)\s|\bWEFT_(?:MUST_CHECK|MALLOC|NONNULL\([^)]*\))\s", "", text, flags=re.DOTALL | re.MULTILINE)
    found = {}
    for name in wanted:
        for kind, parameters in re.findall(rf"([\w \*]+?)\b{name}\(((?:[^()]|\([^()]*\))*)\);", text):
            found[name] = tuple(re.sub(r"\s+", "", part) for part in (kind, parameters))
    return found


def entries(pages):
    """name -> prototype of all functions of section 3."""
    return {name: prototype for page in pages if page.suffix == ".3"
            for name, prototype in mdoc.functions(page.read_text()).items()}


def differences(headers, pages):
    """What one side says and the other does not."""
    functions = declared(headers)
    theirs = {}
    for header in headers:
        theirs |= prototypes(header.read_text(), functions)
    ours = entries(pages)
    return sorted(name for name in functions | set(ours) if theirs.get(name) != ours.get(name))


def unnamed(page):
    """Functions of a page that its NAME section leaves out, and names without a function."""
    text = page.read_text()
    if page.suffix != ".3" or mdoc.summary_only(text):
        return []
    return sorted(set(mdoc.functions(text)) ^ set(mdoc.names(text)))


def lost_references(pages):
    """References to pages of ours that are not there."""
    known = {(name, page.suffix[1:]) for page in pages for name in [*mdoc.names(page.read_text()), page.stem]}
    return sorted({r for page in pages for r in mdoc.references(page.read_text())
                   if r[0].startswith("weft") and r not in known})


class Manual(unittest.TestCase):
    maxDiff = None

    def test_the_headers_are_read(self):
        functions = declared(HEADERS)
        found = {}
        for header in HEADERS:
            found |= prototypes(header.read_text(), functions)
        self.assertGreater(len(functions), 30)
        self.assertEqual(functions - set(found), set())

    def test_every_function_has_its_entry_and_every_entry_its_function(self):
        self.assertEqual(differences(HEADERS, PAGES), [])

    def test_pages_are_found_by_every_name(self):
        for page in PAGES:
            self.assertEqual(unnamed(page), [], page)

    def test_references_lead_somewhere(self):
        self.assertEqual(lost_references(PAGES), [])

    @unittest.skipUnless(shutil.which("mandoc"), "needs mandoc")
    def test_mandoc_is_content(self):
        self.assertEqual(lint(PAGES), "")


def lint(pages):
    return subprocess.run(["mandoc", "-T", "lint", "-W", "warning", *pages], capture_output=True, text=True,
                          check=False).stdout


class Page:
    """A page or header that exists in memory only."""

    def __init__(self, name, text):
        self.suffix, self.stem, self.text = pathlib.PurePath(name).suffix, pathlib.PurePath(name).stem, text

    def read_text(self):
        return self.text


class TheChecksCanFail(unittest.TestCase):
    PAGE = ".Sh NAME\n.Nm weft_now\n.Nd x\n.Sh SYNOPSIS\n.Ft int64_t\n.Fn weft_now void\n.Sh SEE ALSO\n.Xr weft_now 3\n"

    def test_prototypes_differ(self):
        header = (ROOT / "include/weft/task.h").read_text()
        known = prototypes(header, {"weft_now", "weft_spawn", "weft_exit"})
        self.assertEqual(known["weft_now"], ("int64_t", "void"))
        self.assertEqual(known["weft_exit"], ("void", "intresult"))
        self.assertIn("int(*fn)(void*arg)", known["weft_spawn"][1])
        self.assertEqual(entries([Page("a.3", self.PAGE)])["weft_now"], known["weft_now"])
        self.assertNotEqual(entries([Page("a.3", self.PAGE.replace("int64_t", "int"))])["weft_now"], known["weft_now"])

    def test_an_entry_is_missing_or_too_many(self):
        some = [p for p in PAGES if "weft_getrandom" not in mdoc.names(p.read_text())]
        self.assertIn("weft_getrandom", differences(HEADERS, some))
        stranger = Page("b.3", self.PAGE.replace("weft_now", "weft_later"))
        self.assertIn("weft_later", differences(HEADERS, [*PAGES, stranger]))

    def test_a_name_is_missing(self):
        self.assertEqual(unnamed(Page("a.3", self.PAGE)), [])
        self.assertEqual(unnamed(Page("a.3", self.PAGE.replace(".Nm weft_now", ".Nm weft_then"))),
                         ["weft_now", "weft_then"])

    def test_a_reference_is_lost(self):
        self.assertEqual(lost_references([Page("a.3", self.PAGE)]), [])
        self.assertEqual(lost_references([Page("a.3", self.PAGE.replace("Xr weft_now", "Xr weft_gone"))]),
                         [("weft_gone", "3")])

    @unittest.skipUnless(shutil.which("mandoc"), "needs mandoc")
    def test_mandoc_complains(self):
        done = subprocess.run(["mandoc", "-T", "lint", "-W", "warning"], input=".Dt A 3\n.Os\n.Sh NAME\n.Nonsense\n",
                              capture_output=True, text=True, check=False)
        self.assertIn("unknown macro", done.stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
