#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test_aarch64.sh ROOT: the programs of the pages, and libweft with them, compiled for aarch64 and run under qemu-user.

set -eu
root=$1
cc=aarch64-linux-gnu-gcc
qemu=$(command -v qemu-aarch64-static || command -v qemu-aarch64) || { echo "skipped: no qemu-user"; exit 77; }
command -v $cc >/dev/null || { echo "skipped: no $cc"; exit 77; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cmake -S "$root" -B "$work" -DCMAKE_SYSTEM_NAME=Linux -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_C_COMPILER=$cc \
	-DCMAKE_ASM_COMPILER=$cc -DWEFT_TESTS=OFF -DWEFT_TOOLS=OFF >/dev/null
cmake --build "$work" --target weft-static weft-random-static -j "$(nproc)" >/dev/null
EMULATOR=$qemu "$root/tests/docs/test_programs.py" "$root" $cc -static \
	"$(find "$work" -name libweft.a)" "$(find "$work" -name libweft-random.a)"
