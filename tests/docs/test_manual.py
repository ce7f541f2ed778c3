#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The manual and the public headers say the same: each function has an entry with its very prototype and the errors
that its comment names, no entry is about something that is not there, references lead somewhere, and mandoc finds
nothing to say.

usage: test_manual.py ROOT
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import mdoc

ROOT = pathlib.Path(sys.argv.pop(1))
HEADERS = sorted((ROOT / "include/weft").glob("*.h"))
# Headers of inline functions alone, which are not read function by function: page -> header.
ADAPTERS = {"weft_tls.3": "with/openssl.h", "weft_redis.3": "with/hiredis.h", "weft_curl.3": "with/curl.h",
            "weft_pq.3": "with/pq.h"}
PAGES = sorted((ROOT / "docs/man").glob("*.[1-8]"))


def declared(headers):
    """Functions that the headers declare."""
    lines = subprocess.run([ROOT / "tools/declared.sh", *headers], capture_output=True, text=True, check=True).stdout
    return {name for kind, name in (line.split(" ", 1) for line in lines.splitlines()) if kind == "function"}


def without_directives(text):
    """A header's text without its preprocessor lines, macros of several lines included."""
    return re.sub(r"^#(?:.*\\\n)*.*$", "", text, flags=re.MULTILINE)


def prototypes(text, wanted):
    """name -> (type, parameters) without blanks, of the wanted functions in a header's text."""
    text = re.sub(r"/\*.*?\*/|__attribute__\(\(.*?\)\)\s|\bWEFT_(?:MUST_CHECK|MALLOC|(?:NONNULL|PRINTF)\([^)]*\))\s", "", without_directives(text), flags=re.DOTALL)
    found = {}
    for name in wanted:
        for kind, parameters in re.findall(rf"([\w \*]+?)\b{name}\(((?:[^()]|\([^()]*\))*)\);", text):
            found[name] = tuple(re.sub(r"\s+", "", part) for part in (kind, parameters))
    return found


ERROR = re.compile(r"-(E[A-Z0-9]+)\b")
IN_A_CHILD = {"ENOTSUP"}  # weft/error.h says it for every call
OF_A_WAIT = {"EAGAIN", "ETIMEDOUT", "ECANCELED"}
HOLD_A_THREAD = {"weft_fsync", "weft_open", "weft_pread", "weft_pwrite"}  # their deadline ends nothing
OF_OTHER_CALLS = {"weft_cancel": {"ECANCELED"}, "weft_stop": {"ESHUTDOWN"}, "weft_error_name": {"ETIMEDOUT"},
                  "weft_error_text": {"ETIMEDOUT"}, "weft_limit": {"EAGAIN", "ETIMEDOUT"}}


def comments(header, wanted):
    """name -> what a header says of the wanted functions: the comment above, which may be about several in a row."""
    comment, found = "", {}
    for part, said in re.findall(r"(/\*.*?\*/)|([^/]+)", without_directives(header), re.DOTALL):
        comment = re.sub(r"\s+(?:\* )?", " ", part) or comment
        found |= {name: comment for name in re.findall(r"\b(\w+)\(", said) if name in wanted}
    return found


def common_errors(header):
    """What the head of a header says of all its calls."""
    head = re.search(r"Common errors:.*?\*/", header, re.DOTALL)
    return set(ERROR.findall(head.group(0))) if head else set()


def named_errors(headers):
    """name -> (errors that it has, errors that it may have besides)."""
    said, heads, waits = {}, {}, set()
    for header in headers:
        text, names = header.read_text(), declared([header])
        said |= comments(text, names)
        heads |= dict.fromkeys(names, common_errors(text))
        if common_errors(text):
            waits |= {name for name, (_, parameters) in prototypes(text, names).items() if "deadline" in parameters} - HOLD_A_THREAD
    found = {}
    for name, comment in said.items():
        errors = set(ERROR.findall(comment)) | (OF_A_WAIT if name in waits else set())
        for other in re.findall(r"those of (weft_\w+)", comment):
            errors |= set(ERROR.findall(said[other]))
        found[name] = (errors - OF_OTHER_CALLS.get(name, set()) - IN_A_CHILD, heads[name] | IN_A_CHILD)
    return found


def unlike_errors(named, page):
    """Errors of a page's functions that its ERRORS leave out, and errors there that no comment names."""
    functions = mdoc.functions(page.read_text())
    has = set().union(*(named[name][0] for name in functions))
    may = set().union(*(named[name][1] for name in functions))
    listed = mdoc.errors(page.read_text())
    return sorted((has - listed) | (listed - has - may))


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
    """References to pages of this project that are not there."""
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

    def test_errors_are_the_same(self):
        named = named_errors(HEADERS)
        for page in PAGES:
            with self.subTest(page=page.name):
                if page.name not in ADAPTERS:
                    self.assertEqual(unlike_errors(named, page), [])

    def test_errors_of_adapters_are_in_their_headers(self):
        for page, header in ADAPTERS.items():
            listed = mdoc.errors((ROOT / "docs/man" / page).read_text())
            self.assertTrue(listed, page)
            self.assertLessEqual(listed, set(ERROR.findall((ROOT / "include/weft" / header).read_text())), page)

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

    def test_errors_differ(self):
        page = Page("a.3", self.PAGE + ".Sh ERRORS\n.It Er -EPERM , -EBUSY\n")
        both = ({"EPERM", "EBUSY"}, set())
        self.assertEqual(unlike_errors({"weft_now": both}, page), [])
        self.assertEqual(unlike_errors({"weft_now": ({"EPERM"}, {"EBUSY"})}, page), [])
        self.assertEqual(unlike_errors({"weft_now": ({"EPERM"}, set())}, page), ["EBUSY"])
        self.assertEqual(unlike_errors({"weft_now": ({"EPERM", "EBUSY", "EIO"}, set())}, page), ["EIO"])

    def test_errors_of_a_comment_are_found(self):
        header = ("/* Head. Common errors: -EAGAIN; -EBADF. */\n"
                  "/* Errors: -EIO, -EPERM. */\nint weft_a(int64_t deadline);\nint weft_b(void);\n"
                  "/* Errors: those of weft_a; -EBUSY. */\nint weft_c(void);\n")
        with tempfile.NamedTemporaryFile("w", suffix=".h") as file:
            file.write(header)
            file.flush()
            named = named_errors([pathlib.Path(file.name)])
        may = {"EAGAIN", "EBADF", "ENOTSUP"}
        self.assertEqual(named, {"weft_a": ({"EIO", "EPERM", *OF_A_WAIT}, may), "weft_b": ({"EIO", "EPERM"}, may),
                                 "weft_c": ({"EIO", "EPERM", "EBUSY"}, may)})

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
