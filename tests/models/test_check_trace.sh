#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test_check_trace.sh CHECKER STEPS MODEL: the checker accepts good traces and names what is wrong in bad ones; and
# the list of steps agrees with the model: simulated runs of exit.pml pass, those of its old order do not.
set -u
checker=$1
steps=$2
model=$3
failures=0

# expect STATUS WORDS: the trace on stdin is answered so
expect() {
	out=$(awk -f "$checker" "$steps" /dev/stdin)
	got=$?
	if [ $got -ne "$1" ] || ! echo "$out" | grep -q -- "$2"; then
		echo "wanted status $1 and '$2', got status $got and: $out"
		failures=$((failures + 1))
	fi
}

# record THREAD STEP...
record() {
	thread=$1
	shift
	for step in "$@"; do
		echo "exit $thread $step"
	done
}

record 1 1 2 3 4 5 6 | expect 0 '1 thread exits, 0 wrong'
record 1 1 2 3 4 5 6 7 | expect 0 '0 wrong'
{ record 1 1 2 3; record 22 1 2; echo "state 1 taken"; record 1 4 5 6; record 22 3 4 5 6; } | expect 0 '2 thread exits, 0 wrong'
record 1 1 3 4 5 2 6 | expect 1 'thread 1: step 3 things_dropped after 1 signals_blocked'
record 3 1 2 3 4 5 5 6 | expect 1 'step 5 handed_off after 5 handed_off'
record 3 1 2 3 4 6 | expect 1 'step 6 bare after 4 unlinked'
record 3 1 2 3 4 5 6 3 | expect 1 'step 3 things_dropped after 6 bare'
record 3 1 2 3 4 5 6 7 1 | expect 1 'after 7 gone'
record 3 1 2 3 4 | expect 1 'thread 3: the record ends after 4 unlinked'
record 3 1 2 9 | expect 1 'no such step'
{ record 1 1 2 3 4 5 6; record 2 1 2 4 5 6; } | expect 1 '2 thread exits, 1 wrong'
echo "exit 1" | expect 1 'is not'
echo "exit one 2" | expect 1 'is not'
echo "nothing" | expect 2 'no exits'
expect 2 'no exits' </dev/null

if command -v spin >/dev/null; then
	for seed in 1 2 3 4 5 6 7 8; do
		spin -T -n$seed "$model" | expect 0 '3 thread exits, 0 wrong'
		spin -T -n$seed -DOLD_ORDER "$model" | expect 1 '3 thread exits, 3 wrong'
	done
else
	echo "no spin on this machine: the list of steps was not compared with the model"
fi

[ $failures -eq 0 ] && echo "check_trace: all as expected"
