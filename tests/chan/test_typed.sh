#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test_typed.sh ROOT: what a channel of WEFT_CHAN_TYPE refuses, with every compiler that is here:
# another type is an error in C++ and in C with -Werror, and never silent; the right one is clean.

set -eu
root=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# compile STATEMENT COMPILER FLAG...: a program with that statement; what the compiler says in $work/said
compile() {
	cat >"$work/program.c" <<END
#include <weft/typed.h>
WEFT_CHAN_TYPE(numbers, int);
WEFT_CHAN_TYPE(words, const char *)
int main(void)
{
	struct numbers *chan = numbers_new(1);
	int number = 1;
	long large = 1;
	(void)number;
	(void)large;
	$1
	numbers_unref(chan);
	return 0;
}
END
	compiler=$2
	shift 2
	$compiler "$@" -Wall -Wextra -Wpedantic -I"$root/include" -fsyntax-only "$work/program.c" 2>"$work/said"
}

right='if (numbers_send(chan, &number, 0)) return 1;'
tried=0
for compiler in gcc clang g++ clang++; do
	command -v $compiler >/dev/null || continue
	tried=$((tried + 1))
	case $compiler in
	*++) language='-x c++ -std=c++17' ;;
	*) language='-std=c11' ;;
	esac
	# shellcheck disable=SC2086
	compile "$right" $compiler $language -Werror || fail "$compiler: the right type: $(cat "$work/said")"
	for wrong in 'if (numbers_send(chan, &large, 0)) return 1;' 'if (numbers_recv(chan, &large, 0)) return 1;' \
		'struct words *other = chan; (void)other;' 'words_unref(chan);'; do
		# shellcheck disable=SC2086
		! compile "$wrong" $compiler $language -Werror || fail "$compiler accepts: $wrong"
		# shellcheck disable=SC2086
		if compile "$wrong" $compiler $language; then
			[ "$language" = -std=c11 ] || fail "$compiler accepts without -Werror: $wrong"
			[ -s "$work/said" ] || fail "$compiler is silent about: $wrong"
		fi
	done
done
[ $tried -gt 0 ] || fail "no compiler is here"
echo "$tried compilers"
