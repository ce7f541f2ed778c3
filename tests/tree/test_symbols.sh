#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test_symbols.sh ROOT LIBDIR: the built libraries export and define weft_* names alone, need libc
# alone, export exactly what the public headers declare, and ask libc for nothing that ThreadSanitizer
# would take for a race. The checker's own test is test_tree.sh.

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

# Descriptors are used, and memory is moved, by the system calls of base/sys.h: ThreadSanitizer takes a
# use by libc's functions for one that races with another thread's close, and does not see what moves.
if nm -D --undefined-only "$libdir"/libweft.so "$libdir"/libweft-random.so | sed -n 's/@.*//; s/^ *U //p' |
	grep -xE 'mremap|f?stat(64)?|dup[23]?|ioctl|p?poll|(get|set)sockopt|getsockname|getpeername|accept4?|p?readv?|p?writev|recv(from|msg)?|send(to|msg)?|connect|bind|listen'; then
	echo 'libc functions that ThreadSanitizer sees, or does not see enough of'
	exit 1
fi
