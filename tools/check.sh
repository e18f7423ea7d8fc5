#!/usr/bin/env bash
# What a change must pass before it is worth reviewing: format, house rules, and (by the build) warnings as errors.
set -euo pipefail
cd "$(dirname "$0")/.."
tools/setup.sh
mapfile -t sources < <(git ls-files '*.cpp' '*.hpp' '*.cu' '*.cuh')
clang-format-14 --dry-run -Werror "${sources[@]}"
python3 tools/check_house.py
python3 bench/report/report.py --check
echo "check: ${#sources[@]} files formatted, house rules hold"
