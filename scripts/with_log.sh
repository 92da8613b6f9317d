#!/bin/sh
# Runs a compiler and keeps what it says beside its output: with_log.sh COMPILER .. -o FILE .. writes FILE.log and prints it on failure.
# scripts/kernel_resources.py reads these files.
previous=
output=
for argument; do
  [ "$previous" != -o ] || output=$argument
  previous=$argument
done
[ -n "$output" ] || exec "$@"
if "$@" >"$output.log" 2>&1; then
  grep -v '^ptxas info\|bytes stack frame' "$output.log" >&2
  exit 0
fi
cat "$output.log" >&2
exit 1
