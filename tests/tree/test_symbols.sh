#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test_symbols.sh ROOT LIBDIR: the built libraries export and define weft_* names alone, need libc
# alone, and export exactly what the public headers declare. The checker's own test is test_tree.sh.

set -eu
root=$1 libdir=$2
"$root/tools/check-tree.sh" shared "$libdir"/libweft.so "$libdir"/libweft-random.so
"$root/tools/check-tree.sh" static "$libdir"/libweft.a "$libdir"/libweft-random.a

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$root/tools/declared.sh" "$root"/include/weft/*.h | sed -n 's/^function //p' | sort -u >"$work/declared"
nm -D --defined-only "$libdir"/libweft.so "$libdir"/libweft-random.so |
	awk 'NF == 3 && $2 != "A" && !/_PRIVATE$/ { sub(/@.*/, "", $3); print $3 }' | sort -u >"$work/exported"
[ -s "$work/declared" ]
if ! diff "$work/declared" "$work/exported" >"$work/diff"; then
	sed -n 's/^< /declared, not exported: /p; s/^> /exported, not declared: /p' "$work/diff"
	exit 1
fi
