#!/usr/bin/env python3
"""Runs `mnist_lora compare` for several seeds and prints a Markdown table: test accuracy of each method, its mean, smallest and largest.

    scripts/compare_table.py [--program build/release/apps/mnist_lora] [--seeds 0,1,2] [--limit 10000] [--out out/compare_seeds] [-- FLAG..]

What follows `--` goes to the program, such as `-- --adapters lora,qlora --lr 0.001`.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


def run(program, seed, folder, flags):
    command = [program, "compare", "--seed", str(seed), "--out", folder, "--json", "--quiet", *flags]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed with status {done.returncode}")
    return json.loads(done.stdout)["runs"]


def accuracy(run_):
    return next(row["accuracy"] for row in run_["test"] if row["digits"] == "0-9" and row["enabled"])


def validation(run_):
    return next((row["val_accuracy"] for row in run_["epochs"] if row["epoch"] == run_["best_epoch"]), float("nan"))


def line(runs, lora):
    """One method: a run for each seed."""
    values = [accuracy(run_) for run_ in runs]
    behind = "" if lora is None or runs[0]["adapter"] in ("none", "lora") else f"{statistics.mean(values) - lora:+.2f}".replace("-0.00", "+0.00")
    frozen = statistics.mean(run_["weight_bytes"] - 4 * run_["parameters"]["added"] for run_ in runs)
    return " | ".join(["| " + runs[0]["name"], f"{runs[0]['parameters']['trainable']:,}", f"{statistics.mean(map(validation, runs)):.2f}",
                       f"{statistics.mean(values):.2f}", behind, f"{min(values):.2f} - {max(values):.2f}",
                       ", ".join(f"{value:.2f}" for value in values), f"{frozen / 1024:,.0f}",
                       f"{statistics.mean(run_['peak_bytes'] for run_ in runs) / 2**20:.1f} |"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=os.path.join(ROOT, "build", "release", "apps", "mnist_lora"))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--limit", default="10000")
    parser.add_argument("--out", default=os.path.join(ROOT, "out", "compare_seeds"))
    parser.add_argument("flags", nargs="*")
    args = parser.parse_args()
    seeds = [int(text) for text in args.seeds.split(",")]
    results = [run(args.program, seed, os.path.join(args.out, str(seed)), ["--limit", args.limit, *args.flags]) for seed in seeds]

    methods = list(zip(*results))
    lora = next((statistics.mean(map(accuracy, runs)) for runs in methods if runs[0]["adapter"] == "lora"), None)
    print(f"| method | trained | validation | test | to lora | smallest - largest | seeds {args.seeds} | frozen KiB | peak MiB |")
    print("|---|---|---|---|---|---|---|---|---|")
    for runs in methods:
        print(line(runs, lora))


if __name__ == "__main__":
    main()
