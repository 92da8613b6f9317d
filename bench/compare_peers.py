#!/usr/bin/env python3
"""Times this project and its peer alternately, in one run on one machine, and prints the ratio for each case.

    python3 bench/compare_peers.py [--program build/release/apps/mnist_lora] [--python PYTHON] [--rounds 3] [--threads 2] [--case digits]

PYTHON is an interpreter with torch, peft and numpy (`python3 -m venv peer; peer/bin/pip install torch peft numpy`). The program's own time
is that of training and testing, as the peer counts it; the time of the whole process, with plots and report, or imports, stands beside it.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "datasets", "data", "mnist")


def timed(command):
    """The JSON object that the command prints, and the seconds of the whole process."""
    start = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout), time.perf_counter() - start


def digits(args):
    """The digit-split experiment: 10 epochs each of a base, seven ranks and all digits, batches of 64, same samples per epoch."""
    with tempfile.TemporaryDirectory() as out:
        ours = [args.program, "digits", "--data", DATA, "--epochs", "10", "--patience", "0", "--threads", str(args.threads),
                "--out", out, "--json", "--quiet"]
        peer = [args.python, os.path.join(HERE, "peers", "torch_digits.py"), "--data", DATA, "--epochs", "10", "--threads", str(args.threads)]
        rows = []
        for _ in range(args.rounds):
            mine, mine_wall = timed(ours)
            theirs, theirs_wall = timed(peer)
            rows.append((mine["seconds"], theirs["total_seconds"], mine_wall, theirs_wall))
        return rows


CASES = {"digits": digits}


def report(name, rows):
    print(f"{name}: project s  peer s  ratio | whole process: project s  peer s  ratio")
    for mine, theirs, mine_wall, theirs_wall in rows:
        print(f"  {mine:9.2f} {theirs:8.2f} {mine / theirs:6.3f} | {mine_wall:24.2f} {theirs_wall:7.2f} {mine_wall / theirs_wall:6.3f}")
    inner = statistics.median(r[0] / r[1] for r in rows)
    outer = statistics.median(r[2] / r[3] for r in rows)
    print(f"  median ratio {inner:.3f}, whole process {outer:.3f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=os.path.join(HERE, "..", "build", "release", "apps", "mnist_lora"))
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--case", choices=sorted(CASES), action="append")
    args = parser.parse_args()
    for name in args.case or sorted(CASES):
        report(name, CASES[name](args))


if __name__ == "__main__":
    main()
