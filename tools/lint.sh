#!/bin/sh
# SPDX-License-Identifier: MIT
#
# lint.sh BUILD: analysers and rules over the whole tree. BUILD holds a configured release build.
#
# Every tool that is here runs, whatever the others say; those that are not are named. Status 1 when
# any of them found something.

set -u
build=$1
cd "$(dirname "$0")/.." || exit 2
status=0

# step NAME COMMAND...: runs it when its tool is here
step() {
	name=$1
	shift
	if ! command -v "$name" >/dev/null; then
		echo "lint: $name is not here, skipped"
		return
	fi
	echo "lint: $name"
	"$@" || status=1
}

# The C sources that the build compiles: what is half written or of another processor is not among them.
compiled() {
	sed -n 's/^ *"file": "\(.*\.c\)",*$/\1/p' "$build/compile_commands.json" |
		grep "^$PWD/src/" | sort -u
}

# files FIND-TEST... in the folders that may hold scripts and pages
files() {
	for folder in .ci tools tests bench contrib docs "$build/docs"; do
		[ ! -d "$folder" ] || find "$folder" -type f "$@"
	done
}

scripts() {
	files -exec grep -lE '^#!(/bin/|/usr/bin/env )(ba)?sh' {} +
}

tidy() {
	compiled | xargs -P "$(nproc)" -n 4 clang-tidy -p "$build" --quiet 2>/dev/null
}

check_shell() {
	scripts | xargs shellcheck -S warning
}

# Null pointers, lifetimes and vectors are left to the other two, which see through macros and attributes.
check_cpp() {
	compiled | xargs cppcheck -q --enable=warning,portability --inline-suppr --error-exitcode=1 \
		--suppress=unknownMacro --suppress=internalAstError --suppress=missingInclude \
		--suppress=nullPointer --suppress=ctunullpointer --suppress=autoVariables --suppress=uninitvar \
		-Isrc -Iinclude -D_GNU_SOURCE -D__linux__ "-D__$(uname -m)__" --std=c11
}

check_python() {
	files -name '*.py' |
		xargs python3 -c 'import ast, sys; [ast.parse(open(f).read(), f) for f in sys.argv[1:]]'
}

# Manual pages as they are installed.
check_manuals() {
	files -name '*.[1-8]' | xargs -r mandoc -T lint -W warning
}

# gcc's analyser needs a compilation of its own. What it says is shown and not counted: that of gcc 12
# does not follow counts of owners or vectors that are filled lane by lane.
analyse() {
	cmake -S . -B "$build/analyse" -DCMAKE_BUILD_TYPE=Release -DWEFT_TESTS=OFF -DCMAKE_C_COMPILER=gcc \
		-DCMAKE_C_FLAGS=-fanalyzer >/dev/null &&
		cmake --build "$build/analyse" -j "$(nproc)" --clean-first 2>&1 >/dev/null |
		grep 'Wanalyzer' | sort -u
	return 0
}

# Says itself when it skips.
check_format() {
	tools/tree/format.sh . || [ $? = 77 ]
}

check_leftovers() {
	! grep -rnwE 'TODO|FIXME|XXX' --include='*.[chS]' --include='*.sh' --include='*.py' \
		src include tests tools bench examples | grep -v '^tools/lint.sh'
}

step clang-tidy tidy
step cppcheck check_cpp
step gcc analyse
step shellcheck check_shell
step python3 check_python
step mandoc check_manuals
step sh tools/check-tree.sh tree .
step python3 tools/check-tree.sh code .
step clang-format check_format
step grep check_leftovers
exit $status
