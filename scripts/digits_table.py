#!/usr/bin/env python3
"""Runs `mnist_lora digits` for several seeds and prints the accuracies as a Markdown table: mean, and smallest to largest.

    scripts/digits_table.py [--program build/release/apps/mnist_lora] [--seeds 0,1,2,3,4] [--out out/seeds]
"""
import argparse
import json
import os
import statistics
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


def run(program, seed, folder):
    command = [program, "digits", "--seed", str(seed), "--out", folder, "--json", "--quiet"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} failed with status {done.returncode}")
    return json.loads(done.stdout)


def accuracy(run_, digits, enabled=True):
    return next(row["accuracy"] for row in run_["test"] if row["digits"] == digits and row["enabled"] == enabled)


def disabled_is_base(results):
    """Every row with the adapter off has the base's loss and errors."""
    base = {row["digits"]: row for row in results["runs"][0]["test"]}
    rows = [row for run_ in results["runs"][1:] for row in run_["test"] if not row["enabled"]]
    return all(row["loss"] == base[row["digits"]]["loss"] and row["errors_per_digit"] == base[row["digits"]]["errors_per_digit"] for row in rows)


def line(name, digits, values):
    spread = f"{min(values):.2f} - {max(values):.2f}"
    return f"| {name} | {digits} | {statistics.mean(values):.2f} | {spread} | {', '.join(f'{v:.2f}' for v in values)} |"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=os.path.join(ROOT, "build", "release", "apps", "mnist_lora"))
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--out", default=os.path.join(ROOT, "out", "seeds"))
    args = parser.parse_args()
    seeds = [int(text) for text in args.seeds.split(",")]
    results = [run(args.program, seed, os.path.join(args.out, str(seed))) for seed in seeds]

    print(f"| run | test digits | mean % | smallest - largest | seeds {args.seeds} |\n|---|---|---|---|---|")
    base = results[0]["runs"][0]["train_digits"]
    for i, first in enumerate(results[0]["runs"]):
        print(line(first["name"], first["train_digits"], [accuracy(r["runs"][i], first["train_digits"]) for r in results]))
        if i == 0:
            others = next(row["digits"] for row in first["test"] if row["digits"] not in (base, "0-9"))
            print(line("base", others, [accuracy(r["runs"][0], others) for r in results]))
    print(f"\nWith its adapter disabled every run equals its base: {'yes' if all(map(disabled_is_base, results)) else 'NO'}")


if __name__ == "__main__":
    main()
