#!/usr/bin/env python3
"""Fails if objects of two instruction sets define the same external symbol, or a symbol that does not name its set.

The linker keeps one of several equal weak symbols, wherever they come from: another set, the rest of the library, the program that
links it. Were that the one compiled for a wide instruction set, a machine without it would stop with an illegal instruction,
although it chose a narrow set. A symbol that names its set has no equal elsewhere.
"""
import argparse
import itertools
import subprocess
import sys

# A pointer to the personality routine, the same in every position-independent object with clean-up code: data, no instructions.
HARMLESS = {"DW.ref.__gxx_personality_v0"}


def external_symbols(nm, objects):
    """Defined symbols that the linker sees, with the type letter of nm: T, W, V, u, B, D, R, ..."""
    text = subprocess.run([nm, "--defined-only", "--extern-only", "-C", *objects], check=True, capture_output=True, text=True).stdout
    rows = (line.split(maxsplit=2) for line in text.splitlines())
    return {row[2]: row[1] for row in rows if len(row) == 3 and row[2] not in HARMLESS}


def main(arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("nm")
    parser.add_argument("--set", action="append", nargs="+", required=True, metavar=("NAME", "OBJECT"))
    options = parser.parse_args(arguments)
    symbols = {}
    for name, *objects in options.set:
        if not objects:
            sys.exit(f"no objects in the set {name}")
        symbols[name] = external_symbols(options.nm, objects)
        if not symbols[name]:
            sys.exit(f"no symbols in the objects of {name}; is {options.nm} the right nm?")
    wrong = [f"in {name}, without its name: {kind} {symbol}"
             for name, found in symbols.items() for symbol, kind in found.items() if name not in symbol]
    for a, b in itertools.combinations(symbols, 2):
        wrong += [f"in {a} and {b}: {symbols[a][symbol]} {symbol}" for symbol in sorted(symbols[a].keys() & symbols[b].keys())]
    print("\n".join(wrong) or ", ".join(f"{name}: {len(found)} symbols" for name, found in symbols.items()))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
