#!/usr/bin/env bash
# The first minutes on a machine with an NVIDIA GPU: all that has run in emulation only, run for real. Prints a short table last.
#
#   scripts/gpu_check.sh OUT [BUILD]
#
# OUT gets every log, and the table as table.txt. BUILD (default build/cuda) is used as it is if it has the test program, also one that was
# built elsewhere and carried here; else it is configured and built for this GPU. Where the headers that the build needs are not installed,
# scripts/bundle_headers.sh collects them on another machine; its folder is given as LORA_BUNDLE.
# Exit 1 if anything failed, after everything has run.
set -uo pipefail

[ $# -ge 1 ] && [ $# -le 2 ] || { sed -n '2,10p' "$0" >&2; exit 2; }
mkdir -p "$1" || exit 2
out=$(cd "$1" && pwd)
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 2
build=${2:-build/cuda}
export LORA_SOURCE_DIR=$PWD  # where the tests find their data, should they have been built elsewhere
rows=()
failed=0

# row NAME STATUS DETAIL
row() { rows+=("$(printf '%-28s %-8s %s' "$1" "$2" "$3")"); [ "$2" != FAILED ] || failed=1; }

# check NAME LIMIT COMMAND..: runs it with a limit in seconds, keeps what it prints, and notes the last line of that.
check() {
  local name=$1 limit=$2 log="$out/$1.log" start=$SECONDS status
  shift 2
  echo "== $name: $*"
  timeout "$limit" "$@" >"$log" 2>&1
  status=$?
  tail -n 4 "$log"
  local last
  last="$(grep -v '^[[:space:]=]*$' "$log" | tail -n 1 | cut -c1-90), $((SECONDS - start)) s"
  case $status in
    0) row "$name" passed "$last" ;;
    124) row "$name" FAILED "ran past $limit s" ;;
    *) row "$name" FAILED "exit $status: $last" ;;
  esac
}

describe() {
  date -u '+date %Y-%m-%d'
  nvidia-smi --query-gpu=name,driver_version,compute_cap,memory.total --format=csv,noheader 2>/dev/null || echo 'no GPU: nvidia-smi says nothing'
  nvcc --version 2>/dev/null | grep release || echo 'no nvcc'
}

build_here() {
  cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DLORA_CUDA=ON -DLORA_CUDA_ARCHITECTURES=native -DLORA_CPU_ISAS=avx2 \
    -DLORA_INSTALL=OFF ${LORA_BUNDLE:+-DCMAKE_PREFIX_PATH="$LORA_BUNDLE/usr"} &&
    cmake --build "$build" --target lora_tests golden_check mnist_lora
}

sanitize() {  # TOOL TAGS
  compute-sanitizer --tool "$1" --error-exitcode 99 --launch-timeout 60 "$build/tests/lora_tests" "$2"
}

describe | tee "$out/machine.txt"
[ -x "$build/tests/lora_tests" ] || check build 540 build_here
if [ -x "$build/tests/lora_tests" ]; then
  check ptx-conformance 120 "$build/tests/lora_tests" '[ptx]'
  for who in own library; do
    check "products-$who" 300 env LORA_CUDA_PRODUCTS=$who "$build/tests/lora_tests" '[gemm],[conv]'
  done
  check kernels 600 "$build/tests/lora_tests" '[kernels]'
  check cuda-tests 600 "$build/tests/lora_tests" '[cuda]'
  check golden 300 "$build/tests/golden_check" --device cuda tests/golden
  if command -v compute-sanitizer >/dev/null; then
    check memcheck 300 sanitize memcheck '[ptx],[pool]'
    check racecheck 300 sanitize racecheck '[ptx],[pool]'
  else
    row compute-sanitizer absent 'not on this machine'
  fi
  for device in cpu cuda; do
    check "digits-$device" 300 "$build/apps/mnist_lora" digits --device "$device" --ranks 8 --epochs 3 --quiet --out "$out/digits-$device"
    check "finetune-$device" 300 "$build/apps/mnist_lora" finetune --device "$device" --limit 3000 --epochs 3 --quiet --out "$out/finetune-$device"
  done
else
  row tests FAILED "$build has no tests/lora_tests"
fi

{ cat "$out/machine.txt"; printf '%s\n' "${rows[@]}"; } | tee "$out/table.txt"
exit "$failed"
