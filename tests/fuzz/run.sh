#!/bin/sh
# SPDX-License-Identifier: MIT
# Fuzzes one target for some seconds; a finding is left in the working folder as crash-*, timeout-* or oom-*.
#
#   run.sh TARGET FUZZER MAKE_TWIN [SECONDS]      WEFT_FUZZ_SECONDS overrides SECONDS (a long run: 1800)
set -eu
target=$1 fuzzer=$2 twin=$3 seconds=${WEFT_FUZZ_SECONDS:-${4:-20}}
here=$(dirname "$(readlink -f "$0")")
mkdir -p "fuzz-$target"
cd "fuzz-$target"
python3 "$here/seeds.py" "$target" seeds "$twin"
mkdir -p found
exec "$fuzzer" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=1024 -max_len=65536 -print_final_stats=1 \
	-verbosity=0 found seeds
