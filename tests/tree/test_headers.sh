#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test_headers.sh ROOT: every public header stands alone, is clean in strict C11 and in C++17 with
# every compiler that is here, needs no macro, and declares names of weft alone.

set -eu
root=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# compiles INCLUDE-DIR HEADER COMPILER
compiles() {
	language=c standard=c11
	case $3 in
	*++) language=c++ standard=c++17 ;;
	esac
	printf '#include "%s"\nint main(void) { return 0; }\n' "$2" >"$work/one.c"
	"$3" -x $language -std=$standard -Wall -Wextra -Wpedantic -Werror -I"$1" -fsyntax-only "$work/one.c"
}

# foreign_names INCLUDE-DIR: prints the names that are not weft's; libc's struct addrinfo, which
# weft_resolve takes and returns, is named so that strict C11 can, without <netdb.h>'s macros.
foreign_names() {
	"$root/tools/declared.sh" "$1"/weft/*.h | grep -vE '^(function|struct) weft_[a-z0-9_]+$|^(constant|macro) WEFT_[A-Z0-9_]+$|^struct addrinfo$'
}

tried=
for compiler in gcc clang g++ clang++; do
	command -v $compiler >/dev/null || continue
	# clang++ without a C++ library cannot compile anything.
	case $compiler in
	*++) echo '#include <cstddef>' | $compiler -x c++ -fsyntax-only - 2>/dev/null || continue ;;
	esac
	tried="$tried $compiler"
	for header in "$root"/include/weft/*.h; do
		compiles "$root/include" "weft/$(basename "$header")" $compiler || fail "$header with $compiler"
	done
done
echo "compilers:$tried"
[ -n "$tried" ] || fail "no compiler"
if foreign_names "$root/include"; then
	fail "a public header gives a name that is not weft's"
fi

# The same checks must refuse what they are for.
mkdir -p "$work/weft"
# refused CODE: does not compile, or declares a foreign name
refused() {
	printf '%s\n' "$1" >"$work/weft/bad.h"
	if compiles "$work" weft/bad.h gcc 2>/dev/null && ! foreign_names "$work" >/dev/null; then
		fail "accepted: $1"
	fi
}
printf '#define WEFT_FINE 1\nint weft_fine(void);\n' >"$work/weft/bad.h"
compiles "$work" weft/bad.h gcc && ! foreign_names "$work" || fail "the header without faults is refused"
refused 'size_t weft_needs_a_header(void);'
refused 'struct weft_x { struct { int a; }; int b[]; } __attribute__((unknown_to_all));'
refused 'int helper(void);'
refused 'enum { RED, WEFT_GREEN };'
refused 'typedef int weft_typedef;'
refused 'struct helper { int x; };'
refused '#define MAX 1'
