#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test_standards.sh ROOT SOURCE...: the sources, and through them weft/weft.hpp, are clean in C++17,
# 20 and 23 with every compiler that is here.

set -eu
root=$1
shift
tried=0
for compiler in g++ clang++; do
	command -v $compiler >/dev/null || continue
	for standard in c++17 c++20 c++2b; do
		$compiler -std=$standard -Wall -Wextra -Wno-missing-field-initializers -Wno-unused-parameter \
			-Werror -I"$root/include" \
			-fsyntax-only "$@" || { echo "FAILED: $compiler -std=$standard" >&2; exit 1; }
		tried=$((tried + 1))
	done
	printf '#include <weft/weft.hpp>\nint main() { return weft::run([] { return 0; }); }\n' |
		$compiler -std=c++17 -Wall -Wextra -Wpedantic -Werror -I"$root/include" -fsyntax-only -x c++ - ||
		{ echo "FAILED: $compiler -Wpedantic" >&2; exit 1; }
done
[ $tried -gt 0 ] || { echo "skipped: no C++ compiler is here"; exit 77; }
echo "$tried combinations"
