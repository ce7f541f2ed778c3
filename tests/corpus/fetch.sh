#!/bin/sh
# SPDX-License-Identifier: MIT
# Downloads the packages of corpus.txt into a cache (never into the tree), checks their sha256 and unpacks them.
#
#   fetch.sh [FOLDER]     default: ${XDG_CACHE_HOME:-~/.cache}/weft-corpus; the programs end up in FOLDER/unpacked
#
# Exit status: 0 everything is there, 1 a package is not what it was, 77 it cannot be downloaded here (WEFT_OFFLINE=1
# forbids to try).
set -eu

here=$(dirname "$(readlink -f "$0")")
cache=${1:-${XDG_CACHE_HOME:-$HOME/.cache}/weft-corpus}
mkdir -p "$cache/unpacked"
work=$(mktemp -d "$cache/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT

download() {
	if [ -n "${WEFT_OFFLINE:-}" ] || ! command -v npm >/dev/null; then
		echo "skipped: $1 is not in the cache, and nothing may be downloaded" >&2
		exit 77
	fi
	(cd "$work" && timeout 120 npm pack --silent "$1" >/dev/null 2>&1) || {
		echo "skipped: $1 cannot be downloaded" >&2
		exit 77
	}
	mv "$work"/*.tgz "$2"
}

is_right() {
	echo "$2  $1" | sha256sum --check --status 2>/dev/null
}

while read -r package version hash rest; do
	case $package in '#'*) continue ;; esac
	name=$(echo "$package" | sed 's,^@,,; s,/,-,')-$version
	file=$cache/$name.tgz
	[ -f "$file" ] || download "$package@$version" "$file"
	if ! is_right "$file" "$hash"; then
		echo "$file is not the package that was recorded (sha256 differs)" >&2
		exit 1
	fi
	[ -d "$cache/unpacked/$name" ] && continue
	mkdir "$work/$name"
	tar -xzf "$file" -C "$work/$name" --no-same-owner
	mv -T "$work/$name" "$cache/unpacked/$name" 2>/dev/null || [ -d "$cache/unpacked/$name" ]
done <"$here/corpus.txt"
echo "$cache/unpacked"
