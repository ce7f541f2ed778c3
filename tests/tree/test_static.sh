#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test_static.sh ROOT: the static weft command needs nothing of its host: it runs in an empty root.

set -eu
root=$1
[ -e "/usr/lib/$(cc -print-multiarch)/libzstd.a" ] || { echo "libzstd-dev is not here" && exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

(cd "$root" && cmake --preset static -B "$work/build" >/dev/null)
cmake --build "$work/build" --target weft-command -j "$(nproc)" >/dev/null
if readelf -lW "$work/build/weft" | grep -q INTERP; then
	echo "FAILED: it names a dynamic linker" >&2
	exit 1
fi
"$work/build/weft" --version
"$work/build/weft" doctor --json >/dev/null || [ $? = 1 ]

[ "$(id -u)" = 0 ] || { echo "the empty root needs root: not tried" && exit 0; }
mkdir "$work/empty"
cp "$work/build/weft" "$work/empty/"
chroot "$work/empty" /weft --version
chroot "$work/empty" /weft doctor >/dev/null || [ $? = 1 ]
