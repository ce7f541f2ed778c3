#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test_storm_trace.sh WEFT CHECKER STEPS: what threads really do at their end, recorded by `weft storm --trace`, takes
# only the steps that models/exit.pml allows; and the checker is not asleep: a record with two steps exchanged, or
# with one missing, is refused.
set -u
weft=$1
checker=$2
steps=$3
failures=0
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

fail() {
	echo "$1"
	failures=$((failures + 1))
}

check() {
	awk -f "$checker" "$steps" "$1"
}

for arrangement in '--no-barrier --tasks=500' '--barrier --tasks=60' '--no-barrier --tasks=500 --processors=1' \
	'--no-barrier --tasks=500 --list=grows'; do
	# shellcheck disable=SC2086 # the arrangement is words
	"$weft" storm $arrangement --trace="$work/trace" >"$work/out" 2>&1 || {
		cat "$work/out"
		fail "weft storm $arrangement"
	}
	out=$(check "$work/trace") || fail "$arrangement: $out"
	echo "$arrangement: $out"
	tasks=${arrangement#*--tasks=}
	[ "${out%% *}" -ge "${tasks%% *}" ] || fail "$arrangement: fewer exits than tasks"
done

"$weft" storm --no-barrier --order=processor-first --trace="$work/old" >"$work/out" 2>&1
check "$work/old" >"$work/out" && fail "threads that exit in the old order, and nobody noticed"

victim=$(awk '$3 == 5 { print $2; exit }' "$work/trace")
sed "s/^exit $victim 2\$/exit $victim x/; s/^exit $victim 5\$/exit $victim 2/; s/^exit $victim x\$/exit $victim 5/" \
	"$work/trace" >"$work/exchanged"
check "$work/exchanged" >"$work/out" && fail "two steps exchanged, and nobody noticed"
grep -q "^thread $victim: step 5 handed_off after 1 signals_blocked" "$work/out" || fail "the wrong thread is accused"
grep -v "^exit $victim 4\$" "$work/trace" >"$work/missing"
check "$work/missing" >"$work/out" && fail "a step is missing, and nobody noticed"

[ $failures -eq 0 ]
