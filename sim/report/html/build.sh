#!/usr/bin/env bash
# Bundles src/ and the parts of Apache ECharts that it uses into report.js, which is committed: only who changes src/
# needs npm. Usage: sim/report/html/build.sh [OUTPUT]; needs Node.js and the npm registry once (npm ci).
set -euo pipefail
cd "$(dirname "$0")"
output=${1:-report.js}
[ -d node_modules ] || npm ci --no-fund --no-audit >&2
node_modules/.bin/esbuild src/main.js --bundle --minify --target=es2020 --charset=ascii --legal-comments=none \
  --banner:js="$(cat src/licenses.txt)" --log-level=warning --outfile="$output"
