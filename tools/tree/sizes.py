# SPDX-License-Identifier: MIT
"""sizes.py: how long functions and files of src are.

usage: sizes.py ROOT
"""

import sys

import source


def quantile(sorted_values, share):
    return sorted_values[min(len(sorted_values) - 1, int(len(sorted_values) * share))]


def main(root):
    found = source.sources(root, ["src"], (".c", ".h"))
    functions = [(f.lines(), f"{s.path}:{f.name}") for s in found for f in s.functions() if not f.is_macro]
    lengths = sorted(n for n, _ in functions)
    files = sorted((s.text.count("\n"), s.path) for s in found)
    headers = [s for s in found if s.path.endswith(".h")]
    print(f"{len(files)} files, {len(headers)} of them headers; {len(functions)} functions")
    print(f"lines of a function: median {quantile(lengths, .5)}, 90th percentile {quantile(lengths, .9)}")
    print("longest functions:", ", ".join(f"{name} {n}" for n, name in sorted(functions)[:-4:-1]))
    print("longest files:", ", ".join(f"{path} {n}" for n, path in files[:-4:-1]))


if __name__ == "__main__":
    main(sys.argv[1])
