#!/usr/bin/env python3
"""Times this project and its peer alternately, in one run on one machine, and prints the ratio for each case.

    python3 bench/compare_peers.py [--build build/release] [--python PYTHON] [--rounds 3] [--threads 2] [--case digits|steps] [--filter mlp/lora]

digits: the whole digit-split experiment. The program's own time is that of training and testing, as the peer counts it; the time of the
whole process, with plots and report, or imports, stands beside it.
steps: training steps and evaluation passes of single models, those of bench_step (`make bench` builds it), medians of a round each.

PYTHON is an interpreter with torch, peft and numpy (`python3 -m venv peer; peer/bin/pip install torch peft numpy`).
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


def output_of(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def timed(command):
    """The JSON object that the command prints, and the seconds of the whole process."""
    start = time.perf_counter()
    return json.loads(output_of(command)), time.perf_counter() - start


def digits(args):
    """The digit-split experiment: 10 epochs each of a base, seven ranks and all digits, batches of 64, same samples per epoch."""
    with tempfile.TemporaryDirectory() as out:
        ours = [os.path.join(args.build, "apps", "mnist_lora"), "digits", "--data", DATA, "--epochs", "10", "--patience", "0",
                "--threads", str(args.threads), "--out", out, "--json", "--quiet"]
        peer = [args.python, os.path.join(HERE, "peers", "torch_digits.py"), "--data", DATA, "--epochs", "10", "--threads", str(args.threads)]
        rows = []
        for _ in range(args.rounds):
            mine, mine_wall = timed(ours)
            theirs, theirs_wall = timed(peer)
            rows.append((mine["seconds"], theirs["total_seconds"], mine_wall, theirs_wall))
        return rows


def report_digits(args):
    rows = digits(args)
    print("digits: project s  peer s  ratio | whole process: project s  peer s  ratio")
    for mine, theirs, mine_wall, theirs_wall in rows:
        print(f"  {mine:9.2f} {theirs:8.2f} {mine / theirs:6.3f} | {mine_wall:24.2f} {theirs_wall:7.2f} {mine_wall / theirs_wall:6.3f}")
    inner = statistics.median(r[0] / r[1] for r in rows)
    outer = statistics.median(r[2] / r[3] for r in rows)
    print(f"  median ratio {inner:.3f}, whole process {outer:.3f}")


def our_steps(args):
    """Median ms by case, of 9 repetitions."""
    text = output_of([os.path.join(args.build, "bench", "bench_step"), "--threads", str(args.threads), f"--benchmark_filter={args.filter}",
                      "--benchmark_repetitions=9", "--benchmark_min_time=0.2", "--benchmark_report_aggregates_only", "--benchmark_format=json"])
    return {row["run_name"]: row["real_time"] for row in json.loads(text)["benchmarks"]
            if row["aggregate_name"] == "median"}


def peer_steps(args):
    text = output_of([args.python, os.path.join(HERE, "peers", "torch_step.py"), "--threads", str(args.threads), "--filter", args.filter])
    return {row["case"]: row["median_ms"] for row in map(json.loads, text.splitlines()) if "median_ms" in row}


def report_steps(args):
    rounds = [(our_steps(args), peer_steps(args)) for _ in range(args.rounds)]
    print(f"steps, medians of {args.rounds} rounds: project ms  peer ms  ratio (least to most)")
    for name in rounds[0][0]:
        pairs = [(mine[name], theirs[name]) for mine, theirs in rounds if name in theirs]
        if not pairs:
            print(f"  {name:24} {statistics.median(mine[name] for mine, _ in rounds):10.4f}  the peer has no such case")
            continue
        ratios = sorted(mine / theirs for mine, theirs in pairs)
        mine, theirs = (statistics.median(column) for column in zip(*pairs))
        print(f"  {name:24} {mine:10.4f} {theirs:8.4f} {statistics.median(ratios):6.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})")


CASES = {"digits": report_digits, "steps": report_steps}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.path.join(HERE, "..", "build", "release"))
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--case", choices=sorted(CASES), action="append")
    parser.add_argument("--filter", default="", help="part of the names of steps: vgg/lora")
    args = parser.parse_args()
    for name in args.case or sorted(CASES):
        CASES[name](args)


if __name__ == "__main__":
    main()
