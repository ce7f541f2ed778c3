#!/bin/sh
# SPDX-License-Identifier: MIT
#
# uninstall.sh BUILD PREFIX: removes what `cmake --install BUILD --prefix PREFIX` puts below DESTDIR.
#
# The list is made by installing into an empty folder, so it needs no record of an earlier install
# and removes nothing else. Folders go when they are weft's own and empty.

set -eu
build=$1 prefix=$2 root=${DESTDIR:-}

stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
DESTDIR=$stage cmake --install "$build" --prefix "$prefix" >/dev/null

(cd "$stage" && find . ! -type d) | while read -r file; do
	path=$root${file#.}
	if [ -e "$path" ] || [ -L "$path" ]; then
		echo "-- Removing: $path"
		rm -f "$path"
	fi
done
(cd "$stage" && find . -depth -type d -path '*weft*') | while read -r folder; do
	rmdir "$root${folder#.}" 2>/dev/null || true
done
