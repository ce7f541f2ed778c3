#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh PRESET [CTEST-OPTION...]: ctest in the build folder of the preset; after it, which tests were skipped and why,
# and ctest's verdict again, which stays near the end. Its status is ctest's.

set -u
cd "$(dirname "$0")/.." || exit 2
preset=$1
shift
folder=build/$preset/Testing/Temporary
mkdir -p "$folder"
ctest --preset "$preset" --output-log "$folder/said.txt" "$@"
status=$?
skipped=$(awk '
	/^[0-9]+\/[0-9]+ Test: / { name = $3 }
	/^skipped: / { print "  " name ": " substr($0, 10) }
	/ \.\.\. skipped / { match($0, / \.\.\. skipped /); print "  " name ": " $1 ": " substr($0, RSTART + RLENGTH) }
' "$folder/LastTest.log")
if [ -n "$skipped" ]; then
	printf '\nSkipped, and why:\n%s\n\n' "$skipped"
	grep 'tests passed' "$folder/said.txt"
fi
exit $status
