#!/usr/bin/env python3
"""Registers, spills and shared memory of every CUDA kernel, as ptxas reports them, against a budget file.

usage: kernel_resources.py BUILD [BUDGET]   reads BUILD/**/*.cu.o.log, written by scripts/with_log.sh; exit 1 if a kernel is over
       kernel_resources.py --selftest       a log with each kind of excess must be reported

A line of the budget file is `kernel registers shared-bytes stack-bytes  # why`; `*` is every kernel without a line of its own. A kernel is
named as in the source, without template arguments. Spills are never allowed. A line for a kernel that is not there is an error.
"""
import collections
import pathlib
import re
import subprocess
import sys

Kernel = collections.namedtuple("Kernel", "name arch registers shared stack spills")

ENTRY = re.compile(r"Compiling entry function '(\S+)' for '(\S+)'")
FRAME = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
USED = re.compile(r"Used (\d+) registers(?:.*?(\d+) bytes smem)?")


def demangled(names):
    done = subprocess.run(["c++filt"], input="\n".join(names), stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.splitlines()


def short_name(text):
    """`void lora::(anonymous namespace)::sum_kernel<float>(int)`: sum_kernel."""
    text = text.replace("(anonymous namespace)::", "")
    head = re.split(r"[<(]", text, maxsplit=1)[0]
    return head.split()[-1].split("::")[-1]


def kernels_of(log):
    found, mangled, arch, stack, spills = [], None, None, 0, 0
    for line in log.splitlines():
        if match := ENTRY.search(line):
            mangled, arch = match.groups()
        elif match := FRAME.search(line):
            stack, spills = int(match[1]), int(match[2]) + int(match[3])
        elif mangled and (match := USED.search(line)):
            found.append(Kernel(mangled, arch, int(match[1]), int(match[2] or 0), stack, spills))
            mangled = None
    names = demangled([k.name for k in found]) if found else []
    return [k._replace(name=short_name(n)) for k, n in zip(found, names)]


def read_budget(text):
    budget = {}
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if words:
            budget[words[0]] = tuple(map(int, words[1:]))
    return budget


def problems(kernels, budget):
    found = []
    for k in kernels:
        registers, shared, stack = budget.get(k.name, budget["*"])
        for what, has, may in (("registers", k.registers, registers), ("bytes of shared memory", k.shared, shared),
                               ("bytes of stack", k.stack, stack), ("bytes of spills", k.spills, 0)):
            if not has <= may:
                found.append(f"{k.name} ({k.arch}): {has} {what}, the budget is {may}")
    names = {k.name for k in kernels}
    found += [f"the budget has a line for {name}, which is no kernel" for name in budget if name != "*" and name not in names]
    return found


def table(kernels):
    largest = {}
    for k in kernels:
        old = largest.get(k.name, k)
        largest[k.name] = k._replace(registers=max(k.registers, old.registers), shared=max(k.shared, old.shared), stack=max(k.stack, old.stack))
    print(f"{'kernel':<40} {'registers':>9} {'shared':>7} {'stack':>6}")
    for name in sorted(largest):
        k = largest[name]
        print(f"{name:<40} {k.registers:>9} {k.shared:>7} {k.stack:>6}")


def selftest():
    def log(registers, smem, stack, spill):
        return (f"ptxas info    : Compiling entry function '_Z1fv' for 'sm_80'\n    {stack} bytes stack frame, {spill} bytes spill stores, 0 bytes "
                f"spill loads\nptxas info    : Used {registers} registers, used 1 barriers, {smem} bytes smem, 360 bytes cmem[0]\n")

    budget = read_budget("* 64 1024 0\n")
    cases = {"registers": log(65, 0, 0, 0), "shared": log(10, 1025, 0, 0), "stack": log(10, 0, 8, 0), "spills": log(10, 0, 0, 4)}
    for word, text in cases.items():
        if not any(word in problem for problem in problems(kernels_of(text), budget)):
            sys.exit(f"kernel_resources: selftest: {word} over the budget were not reported")
    if problems(kernels_of(log(64, 1024, 0, 0)), budget):
        sys.exit("kernel_resources: selftest: a kernel within the budget was reported")
    if not problems(kernels_of(log(64, 0, 0, 0)), read_budget("* 64 0 0\ng 1 0 0\n")):
        sys.exit("kernel_resources: selftest: a line for no kernel was not reported")
    print("kernel_resources: selftest passed")


def main():
    if sys.argv[1:] == ["--selftest"]:
        return selftest()
    if not 2 <= len(sys.argv) <= 3:
        sys.exit(__doc__)
    root = pathlib.Path(__file__).resolve().parent.parent
    logs = sorted(pathlib.Path(sys.argv[1]).rglob("*.cu.o.log"))
    kernels = [k for path in logs for k in kernels_of(path.read_text())]
    if not kernels:
        sys.exit(f"kernel_resources: no logs of ptxas below {sys.argv[1]}; build with `make cuda` first")
    budget = read_budget(pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else root / "kernels/cuda/resources.txt").read_text())
    table(kernels)
    found = problems(kernels, budget)
    print("\n".join(found) if found else f"{len(kernels)} kernels of {len(logs)} files are within the budget")
    sys.exit(1 if found else 0)


main()
