#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test_tree.sh ROOT CC: the tree keeps its rules, and tools/check-tree.sh notices a tree that does not.

set -eu
root=$1 cc=$2
check=$root/tools/check-tree.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# A tree without faults, to plant one in.
good_tree() {
	rm -rf "$work/tree"
	mkdir -p "$work/tree/src/base" "$work/tree/src/sched" "$work/tree/src/api" "$work/tree/src/debug" \
		"$work/tree/include/weft" "$work/tree/examples"
	for file in src/base/a.h src/sched/s.c src/api/c.c src/debug/d.h include/weft/w.h examples/e.c; do
		echo '/* SPDX-License-Identifier: MIT */' >"$work/tree/$file"
	done
	echo '#include "base/a.h"' >>"$work/tree/src/sched/s.c"
	echo '#include "weft/w.h"' >>"$work/tree/src/base/a.h"
}

# planted FILE LINE MESSAGE: the good tree with one line more is refused with this message
planted() {
	good_tree
	echo "$2" >>"$work/tree/$1"
	if said=$("$check" tree "$work/tree"); then
		fail "not noticed in $1: $2"
	fi
	case $said in
	*"$1"*"$3"*) ;;
	*) fail "wrong message for $1: $said" ;;
	esac
}

good_tree
"$check" tree "$work/tree" || fail "the tree without faults is refused"
planted src/base/a.h '#include "sched/s.h"' 'must not include "sched/s.h"'
planted src/sched/s.c '# include "api/c.h"' 'must not include "api/c.h"'
planted src/api/c.c '#include "debug/d.h"' 'must not include "debug/d.h"'
planted src/api/c.c '#include "../base/a.h"' 'must not include'
planted include/weft/w.h '#include "base/a.h"' 'must not include "base/a.h"'
planted examples/e.c '#include "base/a.h"' 'must not include "base/a.h"'
planted src/base/a.h "$(yes ';' | head -n 600)" 'more than 600 lines'
good_tree
echo 'int x;' >"$work/tree/src/base/new.c"
"$check" tree "$work/tree" | grep -q 'src/base/new.c: no SPDX line' || fail "a missing SPDX line was not noticed"

# planted_symbol CODE MESSAGE: a library with this code is refused, shared and static
planted_symbol() {
	echo "$1" >"$work/lib.c"
	"$cc" -c -fPIC "$work/lib.c" -o "$work/lib.o"
	"$cc" -shared "$work/lib.o" -o "$work/lib.so"
	rm -f "$work/lib.a"
	ar rc "$work/lib.a" "$work/lib.o"
	"$check" shared "$work/lib.so" | grep -q "lib.so: $2" || fail "not noticed in a shared library: $1"
	"$check" static "$work/lib.a" | grep -q "lib.a: $2" || fail "not noticed in a static library: $1"
}

planted_symbol 'int weft_fine; void helper(void) {}' 'exports helper'
planted_symbol 'int table[3]; int weft_fine;' 'exports table'
planted_symbol 'static int unused;' 'defines no symbol'
echo 'void weft__private(void) {}' >"$work/lib.c"
"$cc" -shared -fPIC "$work/lib.c" -o "$work/lib.so"
"$check" shared "$work/lib.so" | grep -q 'exports weft__private' || fail "an exported private name was not noticed"
echo '#include <math.h>
double weft_fine(double x) { return cos(x); }' >"$work/lib.c"
"$cc" -shared -fPIC "$work/lib.c" -o "$work/lib.so" -Wl,--no-as-needed -lm
"$check" shared "$work/lib.so" | grep -q 'needs libm' || fail "a library beside libc was not noticed"

"$check" tree "$root" || fail "the tree breaks its own rules"
