#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test_packages.sh ROOT: the Debian packages hold what they should, and what is unpacked from them works.

set -eu
root=$1
here=$(cd "$(dirname "$0")" && pwd)
command -v dpkg-shlibdeps >/dev/null || { echo "skipped: dpkg-dev is not here" && exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

(cd "$root" && cmake --preset package -B "$work/build" >/dev/null)
cmake --build "$work/build" -j "$(nproc)" >/dev/null
(cd "$work/build" && cpack -B "$work/deb" >/dev/null)

# contains PACKAGE PATTERN: some path of the package matches
contains() {
	dpkg-deb -c "$work/deb/$1"_*.deb | awk '{print $6}' | grep -qE "^\./usr/$2\$" || fail "$1 lacks $2"
}

contains libweft1 'lib/.*/libweft\.so\.1'
contains libweft1 'lib/.*/libweft-random\.so\.0'
contains libweft-dev 'lib/.*/libweft\.so'
contains libweft-dev 'include/weft/weft\.h'
contains libweft-dev 'lib/.*/pkgconfig/weft\.pc'
contains weft-tools 'bin/weft'
contains weft-tools 'libexec/weft/weft-scan-textfile'
contains weft-tools 'share/man/man1/weft-doctor.1'
contains weft-tools 'lib/systemd/system/weft-scan.timer'
for package in libweft1 libweft-dev weft-tools; do
	contains $package "share/doc/$package/copyright"
	dpkg-deb -x "$work/deb/${package}"_*.deb "$work/root"
done
dpkg-deb -f "$work/deb/libweft-dev"_*.deb Depends | grep -q 'libweft1 (= ' || fail "libweft-dev is not tied to libweft1"
dpkg-deb -f "$work/deb/weft-tools"_*.deb Depends | grep -q 'libjansson4' || fail "weft-tools has no dependencies"

"$work/root/usr/bin/weft" --version
lib=$(dirname "$(find "$work/root" -name libweft.so.1)")
# shellcheck disable=SC2046
PKG_CONFIG_PATH="$lib/pkgconfig" cc "$here/install/tasks.c" -o "$work/tasks" \
	$(PKG_CONFIG_PATH="$lib/pkgconfig" pkg-config --cflags --libs weft)
LD_LIBRARY_PATH="$lib" "$work/tasks"
