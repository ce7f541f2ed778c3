#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh SECONDS BUILD...: runs every stress program of each build folder for so long, one after the other: about
# 9 x SECONDS for each build. WEFT_STRESS_SEED takes the place of seeds of their own. Status 1: something failed.

set -eu
[ $# -ge 2 ] || {
	sed -n '4,5s/^# //p' "$0" >&2
	exit 2
}
seconds=$1
shift
status=0
for build; do
	for name in lease lease_delayed select select_delayed sync sync_delayed mix mix_delayed mix_sim; do
		echo "$build:"
		# shellcheck disable=SC2086 # no seed is no argument
		"$build/tests/stress/stress_$name" "$seconds" ${WEFT_STRESS_SEED:-} || status=1
	done
done
exit $status
