#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run_model.sh MODEL: does what the `run:` lines in a model's head comment say, each within LIMIT seconds (a bound
# for runs that do not end: on a quiet machine none takes more than a few).
#
#   run: pass           | flags | what it shows
#   run: fail <reason>  | flags | what it shows
#
# Flags that start with -D go to the model, others to the verifier. `pass` means: the whole state space was searched
# and holds no error. `fail` means: the verifier stopped on exactly that assertion (or "invalid end state").
# Exit status 0 all as said, 1 not, 77 no spin here.
set -u
LIMIT=200

model=$1
command -v spin >/dev/null || { echo "skipped: no spin on this machine (Debian: apt-get install spin)"; exit 77; }
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
trap 'exit 2' INT TERM

# search OPTIMISE FLAGS: builds the verifier in $work and leaves its words in $work/out
search() {
	optimise=$1
	defines=
	options=
	for flag in $2; do
		case $flag in
		-D*) defines="$defines $flag" ;;
		*) options="$options $flag" ;;
		esac
	done
	rm -f "$work"/pan* "$work/out"
	# shellcheck disable=SC2086 # the flags are words
	(cd "$work" && spin $defines -a "$model" && ${CC:-gcc} $optimise -w -DSAFETY -DMEMLIM=1024 -o pan pan.c) \
		>"$work/out" 2>&1 || return 1
	# shellcheck disable=SC2086
	(cd "$work" && timeout $LIMIT ./pan -n -m200000 $options) >"$work/out" 2>&1
}

# verdict: "pass", "fail <reason>" or "incomplete" out of $work/out
verdict() {
	if grep -q '^pan:1: assertion violated' "$work/out"; then
		sed -n 's/^pan:1: assertion violated \(.*\) (at depth.*/fail \1/p' "$work/out" | tr -d ' ()'
	elif grep -q '^pan:1: invalid end state' "$work/out"; then
		echo "failinvalidendstate"
	elif grep -q 'errors: 0' "$work/out" && ! grep -Eq 'depth too small|out of memory|memory bound|interrupted' "$work/out"; then
		echo pass
	else
		echo incomplete
	fi
}

failures=0
runs=0
sed -n 's/^ \* run: //p' "$model" >"$work/plan"
while IFS='|' read -r expected flags words; do
	runs=$((runs + 1))
	began=$(date +%s%N)
	case $expected in
	pass*) search -O1 "$flags" ;;
	*) search -O0 "$flags" ;; # an error is found early: compiling takes longer than searching
	esac
	took=$((($(date +%s%N) - began) / 1000000))
	got=$(verdict)
	states=$(sed -n 's/ *\([0-9e.+]*\) states, stored.*/\1/p' "$work/out")
	want=$(echo "$expected" | tr -d ' ()')
	outcome=ok
	if [ "$got" != "$want" ]; then
		outcome=WRONG
		failures=$((failures + 1))
	fi
	printf '%-5s %-4s %9s states %6s ms  %s:%s\n' "$outcome" "${expected%% *}" "${states:-?}" "$took" "$flags" "$words"
	if [ $outcome = WRONG ]; then
		echo "      wanted '$want', got '$got'; the verifier said:"
		sed 's/^/      /' "$work/out" | head -20
	fi
done <"$work/plan"

[ $runs -gt 0 ] || { echo "$model has no run: lines"; exit 1; }
echo "$(basename "$model"): $((runs - failures)) of $runs runs as predicted"
[ $failures -eq 0 ]
