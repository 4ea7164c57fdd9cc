# Sourced by quickstart and run-tests: installs what is missing, configures and builds a preset.
# shellcheck shell=bash

# install_packages [LIST]: installs the Debian packages of LIST (cmake/debian-packages.txt) that are not there yet.
install_packages() {
  local list=${1:-cmake/debian-packages.txt} missing=() package
  while read -r package; do
    [ -n "$package" ] || continue
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done < "$list"
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "installing Debian packages: ${missing[*]}" >&2
  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "not root and no sudo: install these packages and run again" >&2; exit 69; }
    as_root=(sudo)
  fi
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

# build_preset PRESET [TARGET...]: configures build/PRESET and builds the targets (default: all).
build_preset() {
  local preset=$1 targets=()
  shift
  [ $# -eq 0 ] || targets=(--target "$@")
  echo "building build/$preset" >&2
  mkdir -p build
  cmake --preset "$preset" -Wno-dev >"build/configure-$preset.log" 2>&1 || { cat "build/configure-$preset.log" >&2; exit 70; }
  cmake --build "build/$preset" "${targets[@]}" >&2
}
