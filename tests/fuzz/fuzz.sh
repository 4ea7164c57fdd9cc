#!/usr/bin/env bash
# Fuzzes one target after the other, each for SECONDS, from the folder of seeds and what earlier runs into OUT found. A
# finding is left in OUT as <target>-crash-*, -timeout-*, -oom-* or -leak-*, its report in <target>.log; the next target
# goes on. OUT/summary.log gets a line for each: exit status of libFuzzer (0: clean), seconds by the clock and of processor
# time (less when the machine is shared), executions, edges.
#   tests/fuzz/fuzz.sh SEEDS OUT SECONDS UNTIL [TARGET ...]
#   SEEDS   what malformed_input_test.py --corpus wrote
#   UNTIL   a time as date -d takes it; runs end then at latest
#   FUZZ_TIMEOUT in the environment: seconds by the clock after which an input is a finding (5; more on a shared machine)
set -eu
TIMEFORMAT="%0U + %0S s"
seeds=$1 out=$2 seconds=$3 until=$(date -d "$4" +%s)
shift 4
build=$(cd "$(dirname "$0")/../../build/fuzz/tests/fuzz" && pwd)
export TMPDIR="${TMPDIR:-/dev/shm}" # targets write their input to a file
[ $# -gt 0 ] || set -- $(cd "$build" && ls | sed -n 's/^fuzz_\([a-z0-9_]*\)$/\1/p')
for target in "$@"; do
  left=$((until - $(date +%s)))
  [ "$left" -gt 10 ] || { echo "$target: not run, time is up" >> "$out/summary.log"; continue; }
  [ "$left" -gt "$seconds" ] || seconds=$left
  mkdir -p "$out/corpus/$target"
  log=$out/$target.log
  status=0
  used=$({ time nice -n 19 "$build/fuzz_$target" -timeout="${FUZZ_TIMEOUT:-5}" -rss_limit_mb=600 -malloc_limit_mb=512 \
    -max_total_time="$seconds" -max_len=20000 -artifact_prefix="$out/$target-" "$out/corpus/$target" "$seeds/$target" \
    > "$log" 2>&1; } 2>&1) || status=$?
  runs=$(sed -n "s/^Done \([0-9]*\) runs in \([0-9]*\) second.*/\2 s ($used of processor time), \1 executions/p" "$log")
  edges=$(grep -a -o 'cov: [0-9]*' "$log" | tail -1 | tr -dc 0-9)
  echo "$target: exit $status, ${runs:-ended early}, ${edges:-0} edges" >> "$out/summary.log"
done
