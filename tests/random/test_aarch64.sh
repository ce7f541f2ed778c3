#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test_aarch64.sh ROOT: libweft-random compiled for aarch64, its tests run under qemu-user. There is no vDSO there:
# the parser, ChaCha20 on NEON and every fallback are what this shows.

set -eu
root=$1
cc=aarch64-linux-gnu-gcc
qemu=$(command -v qemu-aarch64-static || command -v qemu-aarch64) || { echo "skipped: no qemu-user"; exit 77; }
command -v $cc >/dev/null || { echo "skipped: no $cc"; exit 77; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
flags="-std=gnu17 -O2 -D_GNU_SOURCE -Wall -Werror -fvisibility=hidden -I$root/include -I$root/src"
library="$root/src/base/fatal.c $root/src/base/sized.c $root/src/base/sys.c $root/src/random/chacha.c $root/src/random/getrandom.c
	$root/src/random/pool.c $root/src/random/state.c $root/src/random/urandom.c $root/src/random/vdso.c"
kit="$root/tests/kit.c $root/tests/kit_run.c"
failed=0
for name in chacha vdso draw; do
	# shellcheck disable=SC2086 # the lists are lists
	$cc $flags -static $library $kit "$root/tests/random/random_test.c" "$root/tests/random/test_$name.c" -o "$work/$name"
	echo "aarch64: $name"
	"$qemu" "$work/$name" || failed=1
done
# shellcheck disable=SC2086
$cc $flags -static $library $kit "$root/tests/random/static_draw.c" -o "$work/static_draw"
"$qemu" "$work/static_draw" || failed=1
exit $failed
