#!/bin/sh
# The committed script is what its sources give. Usage: asset_test.sh SOURCE_DIR; 77: not run, the reason is printed.
set -eu
cd "$1/sim/report/html"
if [ ! -x node_modules/.bin/esbuild ]; then
  echo "skipped: needs ECharts and esbuild (tests/browser/setup.sh)"
  [ -z "${GUARDBIT_REQUIRE_BROWSER:-}" ] || exit 1
  exit 77
fi
built=$(mktemp)
trap 'rm -f "$built"' EXIT
./build.sh "$built"
cmp "$built" report.js || { echo "report.js is not what src/ gives; run sim/report/html/build.sh"; exit 1; }
