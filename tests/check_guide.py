#!/usr/bin/env python3
"""Fails unless every C++ block of docs/guide.md stands, line by line, in tests/guide_test.cpp, where it is compiled and run.

    python3 tests/check_guide.py ROOT | --selftest
"""
import pathlib
import re
import sys


def lines_of(text):
    """Lines without indentation and empty ones, as code in a function is indented further."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def missing_blocks(guide, test):
    have = "\n" + "\n".join(lines_of(test)) + "\n"
    blocks = re.findall(r"```cpp\n(.*?)```", guide, re.DOTALL)
    return blocks, [block for block in blocks if "\n" + "\n".join(lines_of(block)) + "\n" not in have]


def selftest():
    guide = "```cpp\nint x = 1;\nf(x);\n```\n"
    assert missing_blocks(guide, "void g() {\n  int x = 1;\n\n  f(x);\n}\n")[1] == []
    assert missing_blocks(guide, "void g() {\n  int x = 1;\n  f(x + 1);\n}\n")[1] != []
    assert missing_blocks(guide, "int x = 1;\ng();\nf(x);\n")[1] != []


def main():
    if sys.argv[1:] == ["--selftest"]:
        return selftest()
    root = pathlib.Path(sys.argv[1])
    blocks, missing = missing_blocks((root / "docs/guide.md").read_text(), (root / "tests/guide_test.cpp").read_text())
    for block in missing:
        print(f"docs/guide.md has code that tests/guide_test.cpp has not:\n{block}")
    if not blocks:
        print("docs/guide.md has no code")
    sys.exit(1 if missing or not blocks else 0)


if __name__ == "__main__":
    main()
