#!/bin/sh
# SPDX-License-Identifier: MIT
#
# packages.sh GROUP...: makes sure that the Debian packages of the groups are installed.
# packages.sh --missing GROUP...: prints those that are not, and installs nothing.
#
# Says nothing when they are. Otherwise each missing one is named with its purpose and installed, as
# root or through sudo; where neither is to be had, one line says what to install. On a system
# without dpkg it only looks for the programs and lets the build find out the rest.

set -eu

# group  package  what for
table='
build  libc6-dev        headers of the C library
build  pkg-config       finds libraries
build  libjansson-dev   JSON reports of the weft command
build  libarchive-dev   container images, read by weft scan
test   spin             models of the protocols
test   python3          tests that need an independent reader
test   libcurl4-openssl-dev  examples: a library that knows nothing of tasks
test   libssl-dev       the same
test   libhiredis-dev   the same
test   libpq-dev        weft/with/pq.h
test   libsqlite3-dev   the same
test   openssl          certificates for them
test   valgrind         instruction counts of single operations
test   redis-tools      the Redis server, without the service that redis-server starts
all    g++              the headers in C++
all    clang            ThreadSanitizer, a second compiler
all    gdb              the debugger commands for tasks
all    postgresql       the PostgreSQL server, for weft/with/pq.h
package dpkg-dev       dependencies of the packages
package file           what is a program, for dpkg-shlibdeps
static libzstd-dev      compressed layers of images, as an archive
static zlib1g-dev       the same
static liblzma-dev      the same
static libbz2-dev       the same
format clang-format     layout
lint   clang-tidy       analyser
lint   shellcheck       shell scripts
lint   cppcheck         analyser
lint   mandoc           manual pages
'

installed() {
	dpkg-query -W -f '${db:Status-Status}\n' "$1" 2>/dev/null | grep -qx installed
}

# Lines "package what-for" of the wanted groups that are not installed.
missing() {
	echo "$table" | while read -r group package purpose; do
		case " $* " in
		*" $group "*) installed "$package" || echo "$package $purpose" ;;
		esac
	done
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif [ -t 0 ]; then
		sudo "$@"
	else
		sudo -n "$@"
	fi
}

install_one() {
	as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get -o DPkg::Lock::Timeout=300 install -y -q --no-install-recommends "$1" </dev/null
}

if [ "${1-}" = --missing ]; then
	shift
	missing "$@" | cut -d ' ' -f 1
	exit 0
fi

if ! command -v dpkg-query >/dev/null; then
	echo "weft: no Debian system: pkg-config, jansson, libarchive and spin have to be there"
	exit 0
fi

lacking=$(missing "$@")
[ -n "$lacking" ] || exit 0
names=$(echo "$lacking" | cut -d ' ' -f 1 | tr '\n' ' ')

if [ "$(id -u)" != 0 ] && ! command -v sudo >/dev/null; then
	echo "weft: please install these packages as root: apt-get install $names" >&2
	exit 1
fi

echo "weft: missing packages: $names"
echo "weft: reading the package lists"
as_root apt-get -o DPkg::Lock::Timeout=300 update -q </dev/null ||
	echo "weft: the package lists could not be renewed; trying with those at hand"
echo "$lacking" | while read -r package purpose; do
	echo "weft: installing $package ($purpose)"
	install_one "$package" || {
		echo "weft: could not install it; please install as root: apt-get install $names" >&2
		exit 1
	}
done
