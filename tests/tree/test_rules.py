#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each rule of tools/tree notices what it is for, and nothing else.

usage: test_rules.py ROOT
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(sys.argv.pop(1))
HEAD = "/* SPDX-License-Identifier: MIT */\n"


class Rules(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.tree = pathlib.Path(self.folder.name)

    def tearDown(self):
        self.folder.cleanup()

    def write(self, path, text):
        file = self.tree / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(HEAD + text)

    def run_rule(self, rule, *arguments):
        rule = ROOT / "tools/tree" / rule
        interpreter = [sys.executable] if rule.suffix == ".py" else []
        return subprocess.run([*interpreter, rule, self.tree, *arguments], stdout=subprocess.PIPE, text=True)

    def offences(self, rule, *arguments):
        """What the rule says, one string a line, its file in front; nothing: the tree is fine."""
        done = self.run_rule(rule, *arguments)
        said = done.stdout.splitlines()
        self.assertEqual(done.returncode, 1 if said else 0)
        return said

    def says(self, rule, path, text, *expected):
        self.write(path, text)
        said = self.offences(rule)
        self.assertEqual([line.split(": ", 1)[1] for line in said], list(expected), said)
        self.assertTrue(all(line.startswith(f"{path}:") for line in said), said)


class Layout(Rules):
    def test_width(self):
        fits = "/* " + "x" * 94 + " */\n"
        self.says("layout.py", "src/a.c", fits + "\tint " + "x" * 87 + ";\n")
        self.says("layout.py", "src/a.c", "int " + "x" * 96 + ";\n", "101 columns, 100 are allowed")
        self.says("layout.py", "src/a.c", fits.replace("x", "xx", 1), "101 columns, 100 are allowed")
        self.says("layout.py", "src/a.c", "\tint " + "x" * 88 + ";\n", "101 columns, 100 are allowed")
        self.write("src/a.c", "")
        self.says("layout.py", "tests/b.cpp", "int " + "x" * 96 + ";\n", "101 columns, 100 are allowed")

    def test_an_umlaut_is_one_column(self):
        self.says("layout.py", "src/a.h", "/* " + "\u00fc" * 94 + " */\n")

    def test_markers(self):
        self.says("layout.py", "src/a.c", "/*\n * fine\n *\tfine\n */\n/* fine\n * too */\n/* a */ /* b */\n")
        self.says("layout.py", "src/a.c", "/*\n * text\n * /\nint x; /* more */\n", "a broken end of a comment",
                  "a comment begins inside a comment", "a line of a comment begins without a star")
        self.says("layout.py", "src/a.c", "/*\n * text\ntext\n */\n", "a line of a comment begins without a star")
        self.says("layout.py", "src/a.c", 'char text[] = "/* no * / comment";\n')

    def test_tables(self):
        self.says("layout.py", "src/a.c", "/*\n * text\n *   one    1\n *   two    2\n *\n * text\n */\n")
        self.says("layout.py", "src/a.c", "/*\n *   one    1\n * and two    2 of it\n */\n",
                  "text at the margin straight below a table or a list")
        self.says("layout.py", "src/a.c", "/*\n * text\n * and two    2 of it\n */\n",
                  "a row of a table inside of text")


PUT = "static void put(void)\n{\n\tstore_release(&x, 1);%s\n}\n\n"
GET = "static int get(void)\n{\n%s\treturn load_acquire(&x);\n}\n"


class Atomics(Rules):
    def test_partners(self):
        self.says("atomics.py", "src/a.c", PUT % " /* pairs with get */" + GET % "\t/* pairs with put */\n")
        self.says("atomics.py", "src/a.c", PUT % "" + GET % "\t/* pairs with put */\n",
                  "store_release names no partner (pairs with FILE:FUNCTION)",
                  "its partner a.c:put does not name a.c:get back")
        self.says("atomics.py", "src/a.c", PUT % " /* pairs with take */" + GET % "\t/* pairs with put */\n",
                  "its partner a.c:take does not exist", "its partner a.c:put does not name a.c:get back")

    def test_partners_of_other_files(self):
        self.write("src/b/get.h", GET % "\t/* pairs with a.c:put */\n")
        self.says("atomics.py", "src/b/a.c", PUT % " /* pairs with get.h:get */")
        self.says("atomics.py", "src/b/a.c", PUT % " /* pairs with b/get.h:get */")
        self.write("src/b/get.h", GET % "\t/* pairs with put */\n")
        self.write("src/b/a.c", PUT % " /* pairs with c/get.h:get */")
        self.assertEqual(self.offences("atomics.py", "src/b"),
                         ["src/b/a.c:4: its partner c/get.h:get does not exist",
                          "src/b/get.h:5: its partner get.h:put does not exist"])

    def test_a_statement_of_several_lines(self):
        self.says("atomics.py", "src/a.c", GET % "\t/* pairs with put */\n" +
                  "static void put(void)\n{\n\twhile (!cas_release(&x, &seen,\n\t\t\t1)) /* pairs with get */\n\t\t;\n}\n")

    def test_a_comment_of_the_next_statement_does_not_count(self):
        self.says("atomics.py", "src/a.c", PUT % "\n\tx++; /* pairs with get */" + GET % "\t/* pairs with put */\n",
                  "store_release names no partner (pairs with FILE:FUNCTION)")

    def test_fences_and_hidden_orders(self):
        self.says("atomics.py", "src/a.c", "void f(void)\n{\n\tfence_seq_cst();\n\tload_relaxed(&x);\n}\n",
                  "fence_seq_cst names no partner (pairs with FILE:FUNCTION)")
        self.says("atomics.py", "src/a.c", "int f(void)\n{\n\treturn __atomic_load_n(&x, 2);\n}\n",
                  "__atomic_load_n hides its order: base/atomic.h names it")


class Unused(Rules):
    def test_functions(self):
        self.says("unused.py", "src/a.c", "static int f(void)\n{\n\treturn 1;\n}\n\nint main(void)\n{\n\treturn f();\n}\n")
        self.says("unused.py", "src/a.c", "static int f(int n)\n{\n\treturn n ? f(n - 1) : 0;\n}\n",
                  "function f is never used")
        self.says("unused.py", "src/a.c", "int weft__f(void);\n\nint weft__f(void)\n{\n\treturn 1;\n}\n",
                  "function weft__f is never used")
        self.says("unused.py", "src/a.c", "int weft_f(void)\n{\n\treturn 1;\n}\n")
        self.says("unused.py", "src/a.c", "/* For tests. */\nint weft__f(void)\n{\n\treturn 1;\n}\n")

    def test_members(self):
        use = "int main(void)\n{\n\treturn s->a + s->next->b[0];\n}\n"
        self.says("unused.py", "src/a.c", "struct s {\n\tint a, b[2];\n\tstruct s *next;\n\tint spare;\n};\n" + use)
        self.says("unused.py", "src/a.c", "struct s {\n\tint a, b[2], c;\n\tstruct s *next;\n\tint (*f)(int n);\n};\n" + use,
                  "member c is never read", "member f is never read")

    def test_members_that_are_only_written(self):
        self.says("unused.py", "src/a.c", "struct s {\n\tint a, b, c;\n};\nint main(void)\n{\n\ts->a = 1;\n\ts->b++;\n"
                  "\tstore_relaxed(&s->c, 1);\n\treturn 0;\n}\n", *[f"member {m} is never read" for m in "abc"])
        self.says("unused.py", "src/a.c", "struct s {\n\tint a, b;\n};\nint main(void)\n{\n\tint n = s->a++;\n"
                  "\treturn s->b == n;\n}\n")

    def test_a_member_that_is_written_through_is_read(self):
        self.says("unused.py", "src/a.c", "struct s {\n\tint **a;\n};\nint main(void)\n{\n\t*s->a = 0;\n"
                  "\treturn 0;\n}\n")

    def test_members_for_tests(self):
        member = "struct s {\n\tint a; /* for tests: %s */\n\tint b;\n};\nint main(void)\n{\n\treturn %s;\n}\n"
        self.says("unused.py", "src/a.c", member % ("a count", "s->b"))
        self.says("unused.py", "src/a.c", member % ("a count", "0"), "member b is never read")

    def test_layouts_of_others(self):
        self.says("unused.py", "src/a.c", "/* The layout of a file. */\nstruct s {\n\tint a;\n};\n")

    def test_enumerators(self):
        self.says("unused.py", "src/a.c", "enum { A, B = 2 };\nint main(void)\n{\n\treturn A + B;\n}\n")
        self.says("unused.py", "src/a.c", "enum { A, B = 2, C };\nint main(void)\n{\n\treturn A + C;\n}\n",
                  "enumerator B is never used")

    def test_lock_ranks(self):
        self.write("src/a.c", "int main(void)\n{\n\treturn RANK_ONE;\n}\n")
        self.says("unused.py", "src/lockrank.def", "LOCK_RANK(ONE) /* a */\nLOCK_RANK(TWO) /* b */\n",
                  "lock rank TWO is never used")


class Headers(Rules):
    HEAD = "/* a.h: one thing. */\nstruct a {\n\tint b;\n};\n__attribute__((pure)) int weft__a(struct a *a);\n"
    USER = '#include "sched/a.h"\nint weft_b(struct a *a)\n{\n\treturn weft__a(a);\n}\n'

    def setUp(self):
        super().setUp()
        self.write("src/sched/a.h", self.HEAD)
        self.write("src/api/b.c", self.USER)
        self.write("docs/HEADERS.md", "")
        (self.tree / "docs/HEADERS.md").write_text(self.run_rule("headers.py").stdout)

    def check(self):
        return [line.split(": ", 1) for line in self.offences("headers.py", "check")]

    def test_page(self):
        page = (self.tree / "docs/HEADERS.md").read_text()
        self.assertIn("## `a.h`: one thing\n\n| included by | for |\n| --- | --- |\n"
                      "| `api/b.c` | `a`, `weft__a` |\n", page)
        self.assertEqual(self.check(), [])

    def test_out_of_date(self):
        self.write("src/debug/c.c", self.USER)
        self.assertEqual([file for file, _ in self.check()], ["docs/HEADERS.md:1"])

    def test_includes_for_nothing(self):
        self.write("src/api/b.c", '#include "sched/a.h"\n')
        self.assertIn(["src/api/b.c:1", "includes sched/a.h and uses none of its names"], self.check())


class TheTree(Rules):
    """The tree itself keeps them all."""

    def setUp(self):
        self.tree = ROOT

    def tearDown(self):
        pass

    def test_layout(self):
        self.assertEqual(self.offences("layout.py"), [])

    def test_unused(self):
        self.assertEqual(self.offences("unused.py"), [])

    def test_atomics(self):
        self.assertEqual(self.offences("atomics.py"), [])

    def test_headers(self):
        self.assertEqual(self.offences("headers.py", "check"), [])


class Format(Rules):
    def test_layout(self):
        shutil.copy(ROOT / ".clang-format", self.tree)
        self.write("src/a.c", "int f(void)\n{\n\treturn 1;\n}\n")
        done = self.run_rule("format.sh")
        if done.returncode == 77:
            self.skipTest(done.stdout)
        self.assertEqual((done.returncode, done.stdout), (0, ""))
        self.write("src/b.c", "int f(void) {\n    return 1;\n}\n")
        self.assertEqual(self.run_rule("format.sh").stdout, "src/b.c: not laid out by .clang-format\n")
        self.assertEqual(self.run_rule("format.sh").returncode, 1)


if __name__ == "__main__":
    unittest.main()
