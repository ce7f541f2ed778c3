#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test_preload.sh LIBRARY CONTRACT TRACE_RUN: programs that were never told draw through
# libweft-getrandom.so. Each is run bare as well: that shows that the system calls counted are those
# that the library saves. A libc that draws through the vDSO itself (glibc 2.41) leaves nothing to
# save; there the loader must say that the program's calls are bound to the library.

set -eu
library=$1 contract=$2 trace=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

fail() {
	echo "failed: $*"
	status=1
}

# calls_of PRELOAD COMMAND...: how many getrandom system calls it makes; its output in $work/out
calls_of() {
	preload=$1
	shift
	"$trace" --count getrandom "$work/count" env LD_PRELOAD="$preload" "$@" >"$work/out" ||
		{ [ $? -eq 77 ] && exit 77; fail "$1 under $preload"; }
	cat "$work/count"
}

# is_bound COMMAND...: the loader binds its getrandom to the library
is_bound() {
	LD_PRELOAD=$library LD_DEBUG=bindings "$@" 2>&1 >/dev/null |
		grep "to $library.*symbol .getrandom" >/dev/null
}

# saves COMMAND...: prints 1,000 different words, bare with as many system calls (unless libc saves
# them itself), preloaded with nearly none
saves() {
	bare=$(calls_of "" "$@")
	saved=$(calls_of "$library" "$@")
	[ "$(sort -u "$work/out" | wc -l)" -eq 1000 ] || fail "$1: words came twice"
	if [ "$libc" -ge 1000 ]; then
		[ "$bare" -ge 1000 ] || fail "$1: $bare system calls bare"
	else
		is_bound "$@" || fail "$1: its getrandom is not the library's"
	fi
	[ "$saved" -lt 100 ] || ! has_vdso || fail "$1: $saved system calls preloaded"
	echo "$1: $bare system calls bare, $saved preloaded"
}

has_vdso() {
	"$trace" --count getrandom "$work/count" env LD_PRELOAD="$library" "$contract" || return 0
	[ "$(cat "$work/count")" -lt 100 ]
}

"$contract" || fail "the contract, bare"
LD_PRELOAD=$library "$contract" strict || fail "the contract, preloaded"
libc=$(calls_of "" "$contract" draw)
saves "$contract" draw
if command -v python3 >/dev/null; then
	saves python3 -c 'import os
for i in range(1000): print(os.urandom(16).hex())'
	saves python3 -c 'import uuid
for i in range(1000): print(uuid.uuid4())'
fi
if command -v openssl >/dev/null; then
	first=$(LD_PRELOAD=$library openssl rand -hex 32)
	second=$(LD_PRELOAD=$library openssl rand -hex 32)
	[ ${#first} -eq 64 ] && [ "$first" != "$second" ] || fail "openssl rand"
fi
exit $status
