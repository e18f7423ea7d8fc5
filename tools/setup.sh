#!/usr/bin/env bash
# Installs what building, testing and checking need: Debian 12 packages only. Returns at once when all are there.
# With --cuda also what the preset cuda compiles with, where nvcc is not on PATH (tools/setup_cuda).
set -euo pipefail
case "${1:-}" in
  "") ;;
  --cuda) "$0" && exec "$(dirname "$0")/setup_cuda" ;;
  *) echo "setup: unknown option $1; there is --cuda" >&2; exit 2 ;;
esac

packages=(
  g++ cmake ninja-build ccache pkg-config git ca-certificates
  libcaf-dev libboost1.81-dev libsimdjson-dev libspdlog-dev libfmt-dev libcli11-dev libtomlplusplus-dev prometheus-cpp-dev
  libpcre2-dev libxxhash-dev libicu-dev libssl-dev libsqlite3-dev libcurl4-openssl-dev libncurses-dev catch2
  python3 python3-pip python3-venv python3-yaml unzip curl tmux
  clang-format-14
)

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null || true)
  [ "${status:0:2}" = "ii" ] || missing+=("$package")
done
[ "${#missing[@]}" -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
  echo "setup: these Debian packages are needed and apt-get is not here: ${missing[*]}" >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "setup: installing packages needs root or sudo: ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
echo "setup: installing ${missing[*]}" >&2
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}"
