#!/usr/bin/env bash
# Installs what the browser tests and the rebuild of the report's script need beyond cmake/debian-packages.txt: Debian's
# Chromium, and from the npm registry playwright-core, ECharts and esbuild. Without them these tests are skipped.
set -euo pipefail
cd "$(dirname "$0")/../.."
. cmake/setup.sh
command -v node >/dev/null || { echo "Node.js 20 is needed for the browser tests" >&2; exit 69; }
install_packages tests/browser/debian-packages.txt
for folder in tests/browser sim/report/html; do
  (cd "$folder" && npm ci --no-fund --no-audit --ignore-scripts >&2)
done
