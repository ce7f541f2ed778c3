#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test_help.sh ROOT: `make help` lists every goal of the Makefile, and a goal that it does not list is noticed.

set -eu
root=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Goals of .PHONY, and goals that have rules but are not in it, that `make help` does not list.
unlisted() {
	(cd "$1" && make -s help) >"$work/help"
	{
		sed -e ':join' -e '/\\$/N; s/\\\n//; t join' "$1/Makefile" | sed -n 's/^\.PHONY: *//p' | tr -s ' \t' '\n'
		sed -n 's/^\([a-z][a-z0-9 -]*\):.*/\1/p' "$1/Makefile" | grep -v '=' | tr ' ' '\n'
	} | sort -u | while read -r goal; do
		grep -qE "^  make ([a-z0-9-]+ )*$goal( |$)" "$work/help" || echo "$goal"
	done
}

missing=$(unlisted "$root")
[ -z "$missing" ] || { echo "FAILED: make help does not list: $missing" >&2; exit 1; }

mkdir "$work/planted"
{
	cat "$root/Makefile"
	printf '.PHONY: forgotten\nalso-forgotten:\n\ttrue\n'
} >"$work/planted/Makefile"
[ "$(unlisted "$work/planted" | tr '\n' ' ')" = "also-forgotten forgotten " ] ||
	{ echo "FAILED: a goal that make help does not list is not noticed" >&2; exit 1; }
