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

# Where code of the command stands.
rooms="shell elf gobin core proc scan/image scan shield patch triage storm doctor inspect"

# A tree without faults, to plant one in.
good_tree() {
	rm -rf "$work/tree"
	mkdir -p "$work/tree/src/base" "$work/tree/src/sched" "$work/tree/src/api" "$work/tree/src/debug" \
		"$work/tree/src/run" "$work/tree/include/weft" "$work/tree/examples"
	for folder in $rooms; do
		mkdir -p "$work/tree/src/cli/$folder"
		echo '/* SPDX-License-Identifier: MIT */' >"$work/tree/src/cli/$folder/r.h"
	done
	echo '/* SPDX-License-Identifier: MIT */' >"$work/tree/src/cli/main.c"
	for file in src/base/a.h src/sched/s.c src/api/c.c src/debug/d.h src/run/r.h include/weft/w.h examples/e.c; do
		echo '/* SPDX-License-Identifier: MIT */' >"$work/tree/$file"
	done
	echo '#include "base/a.h"' >>"$work/tree/src/sched/s.c"
	echo '#include "weft/w.h"' >>"$work/tree/src/base/a.h"
	echo '#include "debug/d.h"' >>"$work/tree/src/run/r.h"
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
planted src/debug/d.h '#include "run/r.h"' 'must not include "run/r.h"'
planted src/run/r.h '#include "cli/main.c"' 'must not include "cli/main.c"'
planted src/api/c.c '#include "../base/a.h"' 'must not include'
planted include/weft/w.h '#include "base/a.h"' 'must not include "base/a.h"'
planted examples/e.c '#include "base/a.h"' 'must not include "base/a.h"'
planted src/base/a.h "$(yes ';' | head -n 500)" 'more than 500 lines'

# The floors of the command, from the ground: each room refuses what stands above it and beside it, and
# a tool knows no other tool but where it is listed.

# refuses ROOM OTHER...: a file of this room may include all rooms but these
refuses() {
	good_tree
	file=src/cli/$1/r.h
	shift
	for other in $rooms; do
		echo "#include \"cli/$other/r.h\"" >>"$work/tree/$file"
	done
	printf '#include "cli/commands.def"\n#include "cli/main.c"\n' >>"$work/tree/$file"
	if said=$("$check" tree "$work/tree"); then
		fail "nothing noticed in $file"
	fi
	said=$(echo "$said" | sed -n "s|^$file:[0-9]*: must not include \"cli/\(.*\)\"$|\1|p" | sed 's|/r.h$||' | tr '\n' ' ')
	[ "$said" = "$* main.c " ] || fail "$file refuses $said, not $* main.c"
}

image="scan/image scan"
refuses shell elf gobin core proc $image shield patch triage storm doctor inspect
refuses elf shell gobin core proc $image shield patch triage storm doctor inspect
refuses gobin core proc $image shield patch triage storm doctor inspect
refuses core gobin proc $image shield patch triage storm doctor inspect
refuses proc gobin core $image shield patch triage storm doctor inspect
refuses scan patch triage storm doctor inspect
refuses scan/image patch triage storm doctor inspect
refuses shield $image patch triage storm doctor inspect
refuses patch $image shield triage storm doctor inspect
refuses triage $image shield patch storm doctor inspect
refuses storm $image shield patch triage doctor inspect
refuses doctor patch triage storm inspect
refuses inspect $image shield patch triage storm doctor
good_tree
for room in $rooms; do
	echo "#include \"cli/$room/r.h\"" >>"$work/tree/src/cli/main.c"
done
"$check" tree "$work/tree" || fail "main.c may not include every room"
planted src/cli/main.c '#include "cli/attic/r.h"' 'must not include "cli/attic/r.h"'
good_tree
mkdir "$work/tree/src/cli/attic"
printf '/* SPDX-License-Identifier: MIT */\n#include "cli/shell/r.h"\n' >"$work/tree/src/cli/attic/a.c"
"$check" tree "$work/tree" | grep -q 'src/cli/attic/a.c:2: must not include' || fail "a room on no floor was not noticed"

good_tree
for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
	cp "$work/tree/src/cli/scan/image/r.h" "$work/tree/src/cli/scan/image/$n.h"
done
"$check" tree "$work/tree" || fail "a folder of 16 files is refused"
cp "$work/tree/src/cli/scan/image/r.h" "$work/tree/src/cli/scan/image/16.h"
"$check" tree "$work/tree" | grep -q 'src/cli/scan/image: more than 16 files' || fail "a full folder was not noticed"

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
