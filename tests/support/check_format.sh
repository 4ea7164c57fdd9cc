#!/bin/sh
# Fails if clang-format would change a source file. Usage: check_format.sh SOURCE_DIR
set -eu
cd "$1"
find models sim tests -name '*.h' -o -name '*.cpp' | sort | xargs clang-format --dry-run --Werror
