#!/usr/bin/env bash
# Device tests and bench on a host with a GPU, all results in one folder. Builds by itself what needs only CUDA 13, CMake and a C++20 compiler, and
# Catch2's header for the tests (cmake/catch.cmake); or takes the programs of a bundle (make gpu-bundle). See usage.
set -euo pipefail

usage() {
  cat <<'END'
tools/gpu_suite.sh [--output DIR] [--sanitize] [--peers] [--seconds N] [--bench-seconds N] [--total N] [--bundle DIR] [-- FLAGS …]
  --output DIR   where results go: suite.json (what ran, how it ended; written after every part), host.txt, build.log, tests.json, tests.log,
                 bench.json, bench.log, clocks.csv, peers.json, peers.log, compare.md, sanitizer.log; default $OUT, else build/gpu-suite
  --sanitize     the tests once more under compute-sanitizer, memcheck and racecheck
  --peers        torch and Triton of python3 at the bench's cases, and both side by side
  --seconds N    what any one part may take; default 300; the build has half an hour
  --bench-seconds N   what the bench may take; default 540; it shares them out and stops by itself
  --total N      what all parts behind the build may take together, the tests a quarter of it at most; without it each has its own time
  --bundle DIR   programs of that bundle instead of a build
  -- FLAGS       what gpu_bench is told beside its output, as -- --only G-1,G-3
LORICA_TEST_FILTER, if set, is Catch2's filter of test cases. Exit code: 0 when nothing that ran failed (parts that could not run are told),
1 when something failed, 2 when there was nothing to run or the command line is wrong.
END
}

output=${OUT:-} sanitize=no peers=no seconds=300 bench_seconds=540 total="" bundle=""
while [ $# -gt 0 ]; do
  case $1 in
    --sanitize) sanitize=yes ;;
    --peers) peers=yes ;;
    --output | --seconds | --bench-seconds | --total | --bundle)
      [ $# -gt 1 ] || { echo "gpu_suite: $1 needs a value" >&2; exit 2; }
      name=${1#--}
      printf -v "${name//-/_}" '%s' "$2"
      shift
      ;;
    --help | -h) usage; exit 0 ;;
    --) shift; break ;;
    *) echo "gpu_suite: unknown option $1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
readonly bench_flags=("$@")
for number in "--seconds $seconds" "--bench-seconds $bench_seconds" "--total ${total:-1}"; do
  [[ $number =~ \ [1-9][0-9]*$ ]] || { echo "gpu_suite: $number is no number of seconds" >&2; exit 2; }
done
root=$(cd "$(dirname "$0")/.." && pwd)
output=${output:-${bundle:-$root/build}/gpu-suite}
mkdir -p "$output"
output=$(cd "$output" && pwd)
(cd "$output" && rm -f suite.json host.txt build.log tests.json tests.log bench.json bench.log clocks.csv peers.json peers.log compare.md sanitizer.log)

readonly bench_without_device=3 bench_out_of_time=4  # gpu_bench's exit codes
readonly bench_end=40                                 # seconds from the bench's own limit to that of its process
parts=() failed=0 ran=0

json_string() { printf '"%s"' "$(printf '%s' "$1" | tr '\n\t' '  ' | sed 's/\\/\\\\/g; s/"/\\"/g')"; }

# not_run PART WHY
not_run() {
  parts+=("{\"part\": \"$1\", \"state\": \"not run\", \"why\": $(json_string "$2")}")
  echo "gpu_suite: $1: not run: $2"
  write_summary
}

# left N: N seconds, or what --total leaves of them.
left() {
  local have=$1
  [ -z "$total" ] || [ $((total - (SECONDS - began))) -ge "$have" ] || have=$((total - (SECONDS - began)))
  echo $((have > 0 ? have : 0))
}

# ended PART CODE SECONDS [FURTHER_MEMBERS]
ended() {
  local state=passed
  [ "$1" = build ] || ran=1
  case $2 in
    0) ;;
    124 | 137) state="ended after $3 s" failed=1 ;;
    "$bench_out_of_time")
      if [ "$1" = bench ]; then state="passed, not all in its time"; else state=failed failed=1; fi
      ;;
    *) state=failed failed=1 ;;
  esac
  parts+=("{\"part\": \"$1\", \"state\": \"$state\", \"exit_code\": $2, \"seconds\": $3${4:-}}")
  echo "gpu_suite: $1: $state in $3 s${4:+ (${4#, })}"
  write_summary
}

# limited LIMIT LOG COMMAND …: runs it with both outputs appended to the log; its exit code, 124 where it took too long.
limited() {
  local limit=$1 log=$2
  shift 2
  timeout -k 5 "$limit" "$@" >>"$log" 2>&1
}

find_cuda() {
  local folder
  for folder in "${CUDA_HOME:-}" "${CUDA_PATH:-}" /usr/local/cuda /usr/local/cuda-13* /opt/cuda "$root/build/cuda-toolkit"; do
    [ -n "$folder" ] && [ -d "$folder/bin" ] && PATH=$PATH:$folder/bin:$folder/compute-sanitizer
  done
  export PATH
}

describe_host() {
  {
    date -u
    uname -srm
    lscpu 2>/dev/null | grep -E '^(Model name|CPU\(s\))' || true
    c++ --version 2>/dev/null | head -n 1 || true
    nvcc --version 2>/dev/null | tail -n 2 || true
    nvidia-smi 2>&1 || true
    nvidia-smi -q -d CLOCK,POWER,PERFORMANCE 2>/dev/null || true
  } >"$output/host.txt"
}

has_device() { nvidia-smi -L 2>/dev/null | grep "^GPU" >/dev/null || [ -e /dev/nvidia0 ] || [ -e /dev/dxg ]; }

# Compute capability of the first device as CMake wants it ("90"); nothing without a device.
architecture() { nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1 | grep -E '^[0-9]+\.[0-9]+$' | tr -d . || true; }

build() {
  local needed missing=() flags=() started=$SECONDS code=0
  for needed in nvcc cmake c++; do
    command -v "$needed" >/dev/null || missing+=("$needed")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    not_run build "no ${missing[*]} on PATH or where CUDA is; a bundle needs none of them (--bundle)"
    return 1
  fi
  command -v ninja >/dev/null && flags+=(-G Ninja)
  # Other compilers than the one that this is written with warn of other things.
  [ "$(c++ -dumpversion)" = 12 ] || flags+=(-DLORICA_WARNINGS_ARE_ERRORS=OFF)
  [ -z "$(architecture)" ] || flags+=("-DCMAKE_CUDA_ARCHITECTURES=$(architecture)-real")
  programs=$root/build/device/bin
  configure_and_build "${flags[@]}" || code=$?
  ended build $code $((SECONDS - started))
  return $code
}

configure_and_build() {
  local log=$output/build.log
  limited 120 "$log" cmake -S "$root" -B "$root/build/device" -DCMAKE_BUILD_TYPE=Release -DLORICA_ONLY_DEVICE=ON "$@" ||
    return
  local targets=(gpu_bench)
  cmake --build "$root/build/device" --target help | grep gpu_device_tests >/dev/null && targets+=(gpu_device_tests)
  limited 1800 "$log" cmake --build "$root/build/device" --parallel "$(nproc)" --target "${targets[@]}"
}

# counts: what tests.json says of all cases, as members of an object.
counts() { sed -n 's/^{"finished":[a-z]*\(,"passed":[0-9]*,"failed":[0-9]*,"skipped":[0-9]*\),.*/\1/p' "$output/tests.json" 2>/dev/null | sed 's/,/, /g; s/:/: /g'; }

run_tests() {
  local code=0 started=$SECONDS
  [ -x "$tests" ] || { not_run tests "not built: no Catch2 header; CATCH2_INCLUDE names the folder that has catch2/catch.hpp"; return; }
  LORICA_TEST_REPORT=$output/tests.json limited "$(left $((total && total / 4 < seconds ? total / 4 : seconds)))" "$output/tests.log" "$tests" -r compact ${LORICA_TEST_FILTER:+"$LORICA_TEST_FILTER"} || code=$?
  ended tests $code $((SECONDS - started)) "$(counts)"
}

run_bench() {
  local code=0 started=$SECONDS limit clocks=unknown watch=
  has_device || { not_run bench "no device"; return; }
  limit=$(left "$bench_seconds")
  [ "$limit" -gt $((2 * bench_end)) ] || { not_run bench "$limit s are left, too few"; return; }
  if command -v nvidia-smi >/dev/null; then
    clocks=$(nvidia-smi --query-gpu=name,driver_version,clocks.sm,clocks.mem,clocks.max.sm,clocks.max.mem,power.limit --format=csv | tr '\n' ';') || clocks=unknown
    nvidia-smi --query-gpu=timestamp,index,clocks.sm,clocks.mem,power.draw,temperature.gpu,clocks_throttle_reasons.active --format=csv --loop-ms=500 \
      >"$output/clocks.csv" 2>/dev/null &
    watch=$!
  fi
  limited "$limit" "$output/bench.log" "$programs/gpu_bench" --output "$output/bench.json" --clocks "$clocks" --limit $((limit - bench_end)) \
    "${bench_flags[@]}" || code=$?
  [ -z "$watch" ] || kill "$watch" 2>/dev/null || true
  [ $code -ne "$bench_without_device" ] || { not_run bench "no device that can be used: $(tail -n 1 "$output/bench.log")"; return; }
  ended bench $code $((SECONDS - started))
}

run_peers() {
  local code=0 started=$SECONDS folder=$root/bench/peers limit
  [ -z "$bundle" ] || folder=$bundle/peers
  [ $peers = yes ] || { not_run peers "--peers was not given"; return; }
  has_device || { not_run peers "no device"; return; }
  limit=$(left "$seconds")
  [ "$limit" -gt $((2 * bench_end)) ] || { not_run peers "$limit s are left, too few"; return; }
  python3 -c 'import torch, triton' 2>/dev/null || { not_run peers "python3 has no torch with Triton"; return; }
  limited "$limit" "$output/peers.log" python3 "$folder/gpu_peers.py" --output "$output/peers.json" --limit $((limit - bench_end)) || code=$?
  [ ! -f "$output/bench.json" ] || python3 "$folder/gpu_compare.py" "$output/bench.json" "$output/peers.json" >"$output/compare.md" 2>>"$output/peers.log" || true
  ended peers $code $((SECONDS - started))
}

# run_sanitizer TOOL
run_sanitizer() {
  local code=0 started=$SECONDS log=$output/sanitizer.log
  [ $sanitize = yes ] || { not_run "$1" "--sanitize was not given"; return; }
  command -v compute-sanitizer >/dev/null || { not_run "$1" "no compute-sanitizer"; return; }
  [ -x "$tests" ] || { not_run "$1" "no tests were built"; return; }
  has_device || { not_run "$1" "no device"; return; }
  [ "$(left 1)" -gt 0 ] || { not_run "$1" "no time was left"; return; }
  echo "== $1" >>"$log"
  limited "$(left "$seconds")" "$log" compute-sanitizer --tool "$1" --error-exitcode 86 "$tests" -r compact ${LORICA_TEST_FILTER:+"$LORICA_TEST_FILTER"} || code=$?
  ended "$1" $code $((SECONDS - started))
}

write_summary() {
  local i
  {
    printf '{\n  "commit": %s,\n' "$(json_string "$commit")"
    printf '  "device": %s,\n  "parts": [\n' "$(json_string "$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null || echo none)")"
    for ((i = 0; i < ${#parts[@]}; ++i)); do
      printf '    %s%s\n' "${parts[i]}" "$([ $((i + 1)) -eq ${#parts[@]} ] || echo ,)"
    done
    printf '  ]\n}\n'
  } >"$output/suite.json.part"
  mv "$output/suite.json.part" "$output/suite.json"
}

began=$SECONDS
commit=unknown
find_cuda
describe_host
if [ -n "$bundle" ]; then
  programs=$bundle tests=$bundle/gpu_tests
  commit=$(sed -n 's/^Built from commit \([0-9a-f]*\).*/\1/p' "$bundle/README.md")
  not_run build "the programs are a bundle's"
else
  programs=$root/build/device/bin tests=$root/build/device/bin/gpu_device_tests
  commit=$(git -C "$root" rev-parse HEAD 2>/dev/null || echo unknown)
  if ! build; then
    exit $((failed == 1 ? 1 : 2))
  fi
fi
began=$SECONDS
run_tests
run_bench
run_peers
run_sanitizer memcheck
run_sanitizer racecheck
echo "gpu_suite: results in $output"
[ $ran -eq 1 ] || exit 2
exit $failed
