#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test_exceptions.sh ROOT LIBDIR SANITIZER: exceptions.cc with every C++ compiler and C++ library
# that is here, against the shared and the static library.
#
# LIBDIR has libweft.so and libweft.a; SANITIZER is that of their build, or "". Exits with 77 when
# there is no C++ here.

set -eu
root=$1
libs=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

flags="-std=c++17 -O1 -g -Wall -Wextra -Werror -I$root/include"
case $3 in # the libraries' sanitizer is that of their compiler
'') compilers="g++ clang++" ;;
thread) compilers=clang++ flags="$flags -fsanitize=thread" ;;
address) compilers=g++ flags="$flags -fsanitize=address,undefined" ;;
esac
shared="-L$libs -lweft -lweft-random -Wl,-rpath,$libs"
static="$libs/libweft.a $libs/libweft-random.a"

# try NAME COMMAND...: compiles and runs; what cannot even compile an empty program is not here.
try() {
	name=$1
	shift
	echo 'int main() { throw 1; }' >"$work/empty.cc"
	"$@" "$work/empty.cc" -o "$work/empty" 2>/dev/null || return 0
	for link in "$shared" "$static"; do
		# shellcheck disable=SC2086
		"$@" $flags "$root/tests/sched/exceptions.cc" -o "$work/program" $link -pthread
		"$work/program" || { echo "FAILED: $name, $link" >&2; exit 1; }
		echo "$name: right"
		tried=1
	done
}

tried=
for compiler in $compilers; do
	command -v "$compiler" >/dev/null || continue
	try "$compiler" "$compiler"
	[ "$compiler" = g++ ] || try "$compiler with libc++" "$compiler" -stdlib=libc++
done
if [ -z "$tried" ]; then
	echo "no C++ compiler is here"
	exit 77
fi
