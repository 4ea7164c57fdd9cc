#!/bin/sh
# check_consumer.sh BUILD SOURCE: installs BUILD into a fresh prefix, builds tests/consumer against it alone, and compares what its
# programs, and the installed Python module, print with what they must.
set -eu
build=$1 source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cmake --install "$build" --prefix "$work/prefix" >"$work/log" || { cat "$work/log"; exit 1; }
cmake -S "$source/tests/consumer" -B "$work/consumer" -G Ninja -DCMAKE_PREFIX_PATH="$work/prefix" -DCMAKE_BUILD_TYPE=Release \
  >"$work/log" 2>&1 && cmake --build "$work/consumer" >>"$work/log" 2>&1 || { cat "$work/log"; exit 1; }

expect() {  # expect TEXT COMMAND...
  expected=$1
  shift
  found=$("$@")
  [ "$found" = "$expected" ] || { echo "$*: got '$found'; expected '$expected'"; exit 1; }
}
# Manual page and completions are in their places, whole.
for page in "man:share/man/man1/guardbit.1" "completion bash:share/bash-completion/completions/guardbit" \
  "completion zsh:share/zsh/site-functions/_guardbit" "completion fish:share/fish/vendor_completions.d/guardbit.fish"; do
  "$work/prefix/bin/guardbit" ${page%%:*} | cmp - "$work/prefix/${page#*:}" || exit 1
done
expect "32768, 2048 swamped" "$work/consumer/fp8_gemm"
edge="$work/prefix/share/guardbit/configs/accelerators/edge.toml"
cycles=$("$work/prefix/bin/guardbit" replay "$source/traces/kjv-gpt2" -a "$edge" --windows 1 --no-values --variants none --format json -q |
  sed -n 's/^ *"cycles": \([0-9]*\),$/\1/p' | head -1)
expect "$cycles cycles" "$work/consumer/replay_cycles" "$source/traces/kjv-gpt2" "$edge"
for python in "$work"/prefix/lib/python3*/dist-packages; do  # the Python module, where it was built
  [ -d "$python/guardbit" ] || continue
  expect "$cycles cycles" env PYTHONPATH="$python" /usr/bin/python3 -c "import guardbit
print(guardbit.replay('$source/traces/kjv-gpt2', '$edge', variants='none', windows=1, values=False)['variants'][0]['cycles'], 'cycles')"
done
