#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test_static.sh ROOT PRESET [EMULATOR]: the static weft command needs nothing of its host: it runs in
# an empty root. For another processor, EMULATOR (itself static) runs it.

set -eu
root=$1 preset=$2 emulator=${3:-}
missing=$("$root/tools/packages.sh" --missing static)
[ -z "$missing" ] || { echo "skipped: not here: $missing" && exit 77; }
if [ -n "$emulator" ]; then
	emulator=$(command -v "$emulator") || { echo "skipped: no emulator" && exit 77; }
	[ -e /usr/lib/aarch64-linux-gnu/libarchive.a ] || { echo "skipped: no libarchive for it" && exit 77; }
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

(cd "$root" && cmake --preset "$preset" -B "$work/build" >/dev/null)
cmake --build "$work/build" --target weft-command -j "$(nproc)" >/dev/null
if readelf -lW "$work/build/weft" | grep -q INTERP; then
	echo "FAILED: it names a dynamic linker" >&2
	exit 1
fi
$emulator "$work/build/weft" --version
$emulator "$work/build/weft" doctor --host-only --json >/dev/null || [ $? = 1 ]

[ "$(id -u)" = 0 ] || { echo "the empty root needs root: not tried" && exit 0; }
mkdir "$work/empty"
cp "$work/build/weft" "$work/empty/"
[ -z "$emulator" ] || cp "$emulator" "$work/empty/emulator"
chroot "$work/empty" ${emulator:+/emulator} /weft --version
chroot "$work/empty" ${emulator:+/emulator} /weft doctor --host-only >/dev/null || [ $? = 1 ]
