#!/bin/sh
# Fuzzes one target after the other, each for SECONDS, with what the folder of seeds and earlier runs hold. A finding is
# left as crash-*, oom-* or timeout-* in OUT, its report in OUT/<target>.log; the next target goes on.
#   tests/fuzz/fuzz.sh SEEDS OUT SECONDS UNTIL [TARGET ...]
#   SEEDS   what malformed_input_test.py --corpus wrote
#   UNTIL   no target is started or continued after this time (date -d takes it), "tomorrow" for no end
set -eu
seeds=$1 out=$2 seconds=$3 until=$(date -d "$4" +%s)
shift 4
build=$(cd "$(dirname "$0")/../../build/fuzz/tests/fuzz" && pwd)
mkdir -p "$out"
export TMPDIR="${TMPDIR:-/dev/shm}"
[ $# -gt 0 ] || set -- $(cd "$build" && ls | sed -n 's/^fuzz_\([a-z0-9_]*\)$/\1/p')
for target in "$@"; do
  left=$((until - $(date +%s)))
  [ "$left" -gt 10 ] || { echo "$target: not run, time is up" >> "$out/summary.log"; continue; }
  [ "$left" -gt "$seconds" ] || seconds=$left
  mkdir -p "$out/corpus/$target"
  status=0
  nice -n 19 "$build/fuzz_$target" -timeout=5 -rss_limit_mb=600 -malloc_limit_mb=512 -max_total_time="$seconds" \
    -max_len=20000 -print_final_stats=1 -artifact_prefix="$out/$target-" "$out/corpus/$target" "$seeds/$target" \
    > "$out/$target.log" 2>&1 || status=$?
  echo "$target: exit $status, $(grep -a 'cov: ' "$out/$target.log" | tail -1)" >> "$out/summary.log"
done
