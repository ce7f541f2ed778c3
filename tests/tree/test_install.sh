#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test_install.sh BUILD CC: what `make install` puts below DESTDIR works for a user.
#
# Installs into a folder, compiles and runs small programs against it through pkg-config and
# find_package, shared and static, and lets `make uninstall` leave nothing behind.

set -eu
build=$1 cc=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export DESTDIR="$work/stage"
prefix=/opt/weft
root=$DESTDIR$prefix

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

cmake --install "$build" --prefix $prefix >/dev/null
lib=$(dirname "$(find "$root" -name libweft-random.a)")
export PKG_CONFIG_PATH="$lib/pkgconfig"
export LD_LIBRARY_PATH="$lib"

# program PACKAGE: through pkg-config, shared and static
by_pkg_config() {
	program=$1 package=$2
	# shellcheck disable=SC2046
	$cc "$here/install/$program.c" -o "$work/$program" $(pkg-config --cflags --libs "$package")
	"$work/$program"
	readelf -d "$work/$program" | grep -q "NEEDED.*lib$package.so.[01]" || fail "$program is not shared"
	# shellcheck disable=SC2046
	$cc -static "$here/install/$program.c" -o "$work/$program-static" \
		$(pkg-config --static --cflags --libs "$package")
	env -u LD_LIBRARY_PATH "$work/$program-static"
}

# A program that names libweft alone, as gcc's --as-needed leaves it, finds both libraries by its own RUNPATH.
by_runpath() {
	# shellcheck disable=SC2046
	$cc "$here/install/tasks.c" -o "$work/by-runpath" -Wl,--as-needed -Wl,-rpath,"$lib" \
		$(pkg-config --cflags --libs weft)
	env -u LD_LIBRARY_PATH "$work/by-runpath"
}

by_pkg_config random weft-random
if [ -e "$lib/libweft.a" ]; then
	by_pkg_config tasks weft
	by_runpath
fi

# man finds each call by its own name.
"$here/../../tools/declared.sh" "$here"/../../include/weft/*.h | while read -r kind name; do
	[ "$kind" != function ] || [ -e "$root/share/man/man3/$name.3" ] || fail "$name has no manual entry"
done

cmake -S "$here/install" -B "$work/cmake" -DCMAKE_C_COMPILER="$cc" -DCMAKE_PREFIX_PATH="$root" >/dev/null
DESTDIR='' cmake --build "$work/cmake" >/dev/null
for program in "$work"/cmake/random-* "$work"/cmake/tasks-*; do
	[ ! -x "$program" ] || "$program"
done

# pkg-config and the header name the same version.
[ "$(pkg-config --modversion weft-random)" = "$("$build/weft" --version | cut -d ' ' -f 2)" ] ||
	fail "pkg-config and the header disagree about the version"

touch "$root/include/not-ours.h"
"$here/../../tools/uninstall.sh" "$build" $prefix >/dev/null
left=$(find "$root" ! -type d ! -name not-ours.h; find "$root" -type d -name '*weft*' ! -path "$root")
[ -z "$left" ] || fail "uninstall left $left"
[ -e "$root/include/not-ours.h" ] || fail "uninstall removed a file that is not weft's"
