#!/bin/sh
# SPDX-License-Identifier: MIT
#
# format.sh ROOT: every C file looks as .clang-format says.
#
# Names the files that do not; status 1 when there is any, 77 where clang-format is not the version
# 14 of Debian 12: each version lays out some lines in its own way.

set -u
root=$1
version=$(clang-format --version 2>/dev/null)
case $version in
*"version 14."*) ;;
*)
	echo "skipped: clang-format 14 is wanted, here is ${version:-none}"
	exit 77
	;;
esac
cd "$root" || exit 2
find . \( -name .git -o -name 'build*' -type d \) -prune -o -name '*.[ch]' -print |
	xargs clang-format --dry-run -Werror 2>&1 | sed -n 's/^\.\/\([^:]*\):.*: error: .*/\1: not laid out by .clang-format/p' |
	sort -u | grep . && exit 1
exit 0
