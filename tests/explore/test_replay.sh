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

# refused ARGUMENT...
refused() {
	"$program" "$@" >"$work/refused" 2>&1
	[ $? -eq 2 ] || fail "not refused: $*"
}

"$program" >"$work/all" || fail "$program does not pass"
sed -n 's/^ok  *fail .* ms  \(.*\) (\(.*\)), choices \([0-9a-z]*\)$/\1\t\2\t\3/p' "$work/all" >"$work/failing"
tab=$(printf '\t')
while IFS=$tab read -r name words choices; do
	replayed=$((replayed + 1))
	"$program" --replay "$name" "$choices" >"$work/steps"
	[ $? -eq 1 ] || fail "$name $choices: not status 1"
	[ "$(tail -1 "$work/steps")" = "$name: $words" ] || fail "$name $choices: other words"
	grep -q '^  thread 0: ' "$work/steps" || fail "$name $choices: no steps"
done <"$work/failing"
[ $replayed -gt 0 ] || fail "nothing to replay"

refused --replay 'no such scenario' 0
refused --replay 'store buffering happens' '*'
refused --replay 'store buffering happens'
refused --help
"$program" --replay 'store buffering happens' zzzz | grep -q 'belong to another program' || fail "foreign choices are taken"

[ $failures -eq 0 ] && echo "$replayed failing runs replayed"
