#!/bin/sh
# A build with nvcc: the program links cuBLAS and cuDNN, runs on the CPU, and says in one sentence why it cannot run on a GPU where there is
# none: check_cuda_build.sh BUILD
set -eu
app=$1/apps/mnist_lora
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { echo "check_cuda_build: $1" >&2; exit 1; }

for library in libcublasLt libcudnn; do
  ldd "$app" | grep -q "$library" || fail "$app does not link $library"
done
"$app" digits --device cpu --ranks 1 --epochs 1 --limit 500 --quiet --out "$work/cpu" || fail "training on the CPU failed"
if nvidia-smi >/dev/null 2>&1; then
  echo "check_cuda_build: this machine has a GPU; scripts/gpu_check.sh runs on it"
  exit 0
fi
status=0
"$app" digits --device cuda --ranks 1 --epochs 1 --limit 500 --quiet --out "$work/cuda" 2>"$work/error" || status=$?
cat "$work/error"
[ "$status" = 1 ] || fail "--device cuda without a GPU exits $status, not 1"
[ "$(grep -c . "$work/error")" = 1 ] && grep -q "NVIDIA driver" "$work/error" || fail "--device cuda without a GPU does not say why in one line"
"$app" digits --device auto --ranks 1 --epochs 1 --limit 500 --quiet --out "$work/auto" || fail "--device auto without a GPU failed"
echo "check_cuda_build: passed"
