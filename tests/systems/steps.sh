#!/bin/sh
# SPDX-License-Identifier: MIT
#
# steps.sh STEP: one step of a system's row, run inside of it by run.sh; the tree is the working directory.
#
#   about    system, compiler, libc, kernel: a line
#   run      the README's first command
#   test     its second
#   install  make install, programs linked by pkg-config, by CMake and statically, make uninstall: nothing is left
#   deb      make deb, the packages installed, used, and removed: nothing is left

set -eu

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# Every file of the system that a step could leave behind.
files() {
	find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /var -o -path "$PWD" \
		-o -path /etc/ld.so.cache -o -path /root \) -prune -o -print | sort
}

same_files() {
	files >/tmp/after
	comm -13 "$1" /tmp/after >/tmp/left
	[ ! -s /tmp/left ] || fail "left behind: $(tr '\n' ' ' </tmp/left)"
}

about() {
	. /etc/os-release
	echo "${PRETTY_NAME:-Linux}; gcc $(gcc -dumpfullversion), glibc $(ldd --version | sed -n '1s/.* //p'), Linux $(uname -r)"
}

use() { # PREFIX: the programs of a user, each way
	export PKG_CONFIG_PATH="$1/lib/pkgconfig"
	source=tests/tree/install/tasks.c
	# shellcheck disable=SC2046
	gcc "$source" -o /tmp/shared -Wl,-rpath,"$1/lib" $(pkg-config --cflags --libs weft)
	/tmp/shared
	# shellcheck disable=SC2046
	gcc -static "$source" -o /tmp/static $(pkg-config --static --cflags --libs weft)
	/tmp/static
	rm -rf /tmp/by-cmake
	cmake -S tests/tree/install -B /tmp/by-cmake -DCMAKE_PREFIX_PATH="$1" >/dev/null
	cmake --build /tmp/by-cmake >/dev/null
	for program in /tmp/by-cmake/tasks-* /tmp/by-cmake/random-*; do
		"$program"
	done
}

install_step() {
	make release >/dev/null # what it installs of packages stays
	files >/tmp/before
	make install PREFIX=/opt/weft
	use /opt/weft
	make uninstall PREFIX=/opt/weft
	rmdir -p /opt/weft/lib/* /opt/weft/share/*/* /opt/weft/* 2>/dev/null || true
	make install PREFIX="/opt/my weft"
	"/opt/my weft/bin/weft" --version
	make uninstall PREFIX="/opt/my weft"
	find /opt -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null || true
	same_files /tmp/before
}

deb_step() {
	make deb
	files >/tmp/before
	apt-get install -y -q --no-install-recommends ./build/package/deb/*.deb
	weft --version
	weft storm --tasks=1000
	gcc tests/tree/install/tasks.c -o /tmp/shared -lweft
	/tmp/shared
	apt-get purge -y -q libweft-dev weft-tools 'libweft[0-9]*'
	same_files /tmp/before
}

case ${1-} in
about) about ;;
run) make run ;;
test) make test ;;
install) install_step ;;
deb) deb_step ;;
*) fail "no step: ${1-}" ;;
esac
