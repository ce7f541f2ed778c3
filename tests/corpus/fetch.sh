#!/bin/sh
# SPDX-License-Identifier: MIT
# Downloads the packages of corpus.txt into a cache (never into the tree), checks their sha256 and unpacks them.
#
#   fetch.sh [FOLDER]     default: ${XDG_CACHE_HOME:-~/.cache}/weft-corpus; the programs end up in FOLDER/unpacked, which
#                         is printed
#
# WEFT_DEBIAN names another mirror of Debian; WEFT_OFFLINE=1 forbids to download. Once a source has failed (other than
# by not having a package any more) it is not asked again.
#
# Exit status: 0 everything is there, 1 a package is not what it was, 77 some cannot be had here, each named.
set -eu

here=$(dirname "$(readlink -f "$0")")
cache=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/weft-corpus}
mirror=${WEFT_DEBIAN:-http://deb.debian.org/debian}
status=0 failed=${WEFT_OFFLINE:+npm deb}
mkdir -p "$cache/unpacked"
work=$(mktemp -d "$cache/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT

download_npm() {
	command -v npm >/dev/null || return 1
	(cd "$work" && timeout 120 npm pack --silent "$1" >/dev/null 2>&1) && mv "$work"/*.tgz "$2"
}

download_deb() {
	{ command -v curl && command -v dpkg-deb; } >/dev/null || return 1
	curl --silent --fail --location --max-time 300 --output "$work/deb" "$mirror/$1" || return
	mv "$work/deb" "$2"
}

download() {
	case " $failed " in *" $1 "*) return 1 ;; esac
	result=0
	"download_$1" "$2" "$3" || result=$?
	[ $result -eq 0 ] || [ $result -eq 22 ] || failed="$failed $1" # 22: the mirror answers that it has no such file
	return $result
}

unpack_npm() {
	tar -xzf "$1" -C "$2" --no-same-owner
}

unpack_deb() {
	dpkg-deb --extract "$1" "$2"
}

is_right() {
	echo "$2  $1" | sha256sum --check --status 2>/dev/null
}

while read -r from package hash rest; do
	case $from in '#'*) continue ;; esac
	name=$(echo "$package" | sed 's,^@,,; s,^pool/.*/,,; s,\.deb$,,; s,/,-,; s,@,-,')
	file=$cache/$name.$([ "$from" = npm ] && echo tgz || echo deb)
	if [ ! -f "$file" ] && ! download "$from" "$package" "$file"; then
		echo "skipped: $package is not in the cache, and cannot be downloaded" >&2
		status=77
		continue
	fi
	if ! is_right "$file" "$hash"; then
		echo "$file is not the package that was recorded (sha256 differs)" >&2
		exit 1
	fi
	[ -d "$cache/unpacked/$name" ] && continue
	mkdir "$work/$name"
	"unpack_$from" "$file" "$work/$name"
	mv -T "$work/$name" "$cache/unpacked/$name" 2>/dev/null || [ -d "$cache/unpacked/$name" ]
done <"$here/corpus.txt"
echo "$cache/unpacked"
exit $status
