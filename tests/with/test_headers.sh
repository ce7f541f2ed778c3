#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test_headers.sh ROOT HEADER PACKAGE: an adapter is clean in strict C11 and in C++17 with every
# compiler that is here, included twice and used by nobody.

set -eu
root=$1 header=$2 package=$3
pkg-config --exists "$package" || { echo "skipped: no $package"; exit 77; }
flags=$(pkg-config --cflags "$package")
for compiler in gcc clang g++ clang++; do
	command -v $compiler >/dev/null || continue
	case $compiler in
	*++) language='-x c++ -std=c++17' ;;
	*) language='-x c -std=c11' ;;
	esac
	# shellcheck disable=SC2086
	printf '#include <%s>\n#include <%s>\n' "$header" "$header" |
		$compiler $language -Wall -Wextra -Wpedantic -Werror -D_GNU_SOURCE -I"$root/include" $flags -fsyntax-only - ||
		{ echo "FAILED: $compiler: $header" >&2; exit 1; }
done
