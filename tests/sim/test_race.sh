#!/bin/sh
# SPDX-License-Identifier: MIT
#
# test_race.sh RACE: the example finds its planted race within 10,000 schedules, and replays it every time.

set -eu
race=$1

said=$("$race" search 2>/dev/null)
seed=$(echo "$said" | sed -n 's/^schedule \([0-9]*\) sells a seat twice.*/\1/p')
[ -n "$seed" ] || { echo "not found: $said"; exit 1; }
for _ in 1 2 3 4 5 6 7 8 9 10; do
	"$race" replay "$seed" >/dev/null 2>&1 && { echo "seed $seed was not replayed"; exit 1; }
	WEFT_SIM=$seed "$race" >/dev/null 2>&1 && { echo "WEFT_SIM=$seed was not replayed"; exit 1; }
done
# What fails says how to see it again.
"$race" replay "$seed" 2>&1 | grep -q "WEFT_SIM=$seed runs this schedule again"
