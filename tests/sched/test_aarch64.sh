#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test_aarch64.sh ROOT TEST...: libweft compiled for aarch64, and these tests of this folder with it
# under qemu-user (test_NAME.c for NAME). It shows what the switch and the first frame do there.

set -eu
root=$1
shift
cc=aarch64-linux-gnu-gcc
qemu=$(command -v qemu-aarch64-static || command -v qemu-aarch64) || { echo "skipped: no qemu-user"; exit 77; }
command -v $cc >/dev/null || { echo "skipped: no $cc"; exit 77; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake -S "$root" -B "$work" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_C_COMPILER=$cc \
	-DCMAKE_ASM_COMPILER=$cc -DWEFT_TESTS=OFF -DWEFT_TOOLS=OFF >/dev/null
cmake --build "$work" --target weft-static weft-random-static -j "$(nproc)" >/dev/null
flags="-std=gnu17 -O2 -D_GNU_SOURCE -DEMULATED -Wall -Werror -I$root/include -I$root/src"
failed=0
for name in "$@"; do
	case $name in
	stack) wraps=-Wl,--wrap=sysconf,--wrap=madvise,--wrap=weft__syscall ;;
	lack) wraps=-Wl,--wrap=madvise,--wrap=mprotect,--wrap=weft__syscall ;;
	*) wraps= ;;
	esac
	# shellcheck disable=SC2086 # the lists are lists
	$cc $flags -static "$root/tests/sched/test_$name.c" "$root/tests/kit.c" "$root/tests/kit_run.c" -o "$work/$name" $wraps \
		"$work/src/libweft.a" "$work/src/libweft-random.a" -pthread -lm
	echo "aarch64: $name"
	"$qemu" "$work/$name" || failed=1
done
exit $failed
