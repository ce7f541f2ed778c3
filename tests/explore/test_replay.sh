#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test_replay.sh EXPLORE_LITMUS: every failing run that the program prints is replayed by its choices, with the same words
# at its end and the steps before; what is not a run of the program is refused.
set -u
program=$1
failures=0
replayed=0
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

fail() {
	echo "$1"
	failures=$((failures + 1))
}

# refused STATUS ARGUMENT...
refused() {
	status=$1
	shift
	"$program" "$@" >"$work/refused" 2>&1
	[ $? -eq "$status" ] || fail "not refused: $*"
}

"$program" >"$work/all" || fail "$program does not pass"
sed -n 's/^ *[0-9]* schedules  \(.*\) (\(.*\)), choices \([0-9a-z]*\)$/\1\t\2\t\3/p' "$work/all" >"$work/failing"
tab=$(printf '\t')
while IFS=$tab read -r name words choices; do
	replayed=$((replayed + 1))
	"$program" "$name" -- "$choices" >"$work/steps" 2>/dev/null
	[ $? -eq 1 ] || fail "$name $choices: not status 1"
	grep -qxF "$name: $words" "$work/steps" || fail "$name $choices: other words"
	grep -q '^  thread 0: ' "$work/steps" || fail "$name $choices: no steps"
done <"$work/failing"
[ $replayed -gt 0 ] || fail "nothing to replay"

refused 2 'no such scenario' -- 0
refused 1 'store buffering happens' -- '*'
"$program" 'store buffering happens' -- zzzz 2>&1 | grep -q 'belong to another program' || fail "foreign choices are taken"

[ $failures -eq 0 ] && echo "$replayed failing runs replayed"
