#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test_run_model.sh RUNNER: run_model.sh believes a model only what it says and does: a wrong prediction fails.
set -u
runner=$1
failures=0
command -v spin >/dev/null || { echo "skipped: no spin on this machine (Debian: apt-get install spin)"; exit 77; }
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

# expect STATUS WORDS PREDICTION...: a model with these predictions is answered so
expect() {
	status=$1
	words=$2
	shift 2
	{
		echo "/*"
		for prediction in "$@"; do
			echo " * run: $prediction"
		done
		cat <<-'MODEL'
		 */
		#ifndef LIMIT
		#define LIMIT 3
		#endif
		byte n;
		active [2] proctype count()
		{
			n++;
			assert(n < LIMIT);
		#ifdef STUCK
			false
		#endif
		}
		MODEL
	} >"$work/model.pml"
	out=$("$runner" "$work/model.pml")
	got=$?
	if [ $got -ne "$status" ] || ! echo "$out" | grep -q -- "$words"; then
		echo "for '$*' wanted status $status and '$words', got status $got and:"
		echo "$out"
		failures=$((failures + 1))
	fi
}

expect 0 '1 of 1 runs as predicted' 'pass | | right'
expect 0 '3 of 3 runs' 'pass | | right' 'fail n<2 | -DLIMIT=2 | caught' 'fail invalid end state | -DSTUCK | caught'
expect 1 "wanted 'pass', got 'failn<2'" 'pass | -DLIMIT=2 | wrong'
expect 1 "wanted 'failn<3', got 'pass'" 'fail n<3 | | wrong'
expect 1 "wanted 'failn<3', got 'failn<2'" 'fail n<3 | -DLIMIT=2 | wrong for another reason'
expect 1 '1 of 2 runs' 'pass | | right' 'fail n<3 | | wrong'
expect 1 "got 'incomplete'" 'pass | -m3 | too shallow'
expect 1 "got 'incomplete'" 'pass | -DLIMIT=) | not a model'
expect 1 'no run: lines'

[ $failures -eq 0 ] && echo "run_model: all as expected"
