#!/usr/bin/env python3
"""Counts the code against its budget: lengths of files and functions, parameters, duplicated lines.

usage: budget.py [ROOT]       prints the table and what is over, exit 1 if anything is; needs universal-ctags
       budget.py --selftest   plants each kind of excess in a temporary folder; each must be reported

A function's length counts its first to its last line, lambdas inside included. A line is duplicated if it lies in a run of six lines that
stands somewhere else too, where blank lines, comments, includes and lines without a word (such as `}`) are left out.
"""
import collections
import json
import pathlib
import re
import subprocess
import sys
import tempfile

FOLDERS = ["core", "kernels", "nn", "lora", "models", "datasets", "apps"]
SUFFIXES = {".hpp", ".cpp", ".cuh", ".cu"}

# Half of all, nearly all (90 %), and every single one.
FILE_LINES = (120, 300, 500)
FUNCTION_LINES = (8, 30, 60)
KERNEL_LINES = 100  # of any one function in kernels/
PARAMETERS = 6
DUPLICATES = 5.0  # per cent of the lines that count
WINDOW = 6
NAMED = 3  # so many of the largest are named
# Functions that may have more parameters, and why. What is not needed any more is an error.
EXCEPTIONS = {
    "kernels/cpu/dot.hpp:multiply_by_dots": "sizes, and a pointer and a stride for each matrix, as in BLAS",
    "kernels/cpu/conv.cpp:conv2d": "a row of the kernel table: context, sizes and operands",
    "kernels/cuda/conv.cu:conv2d": "a row of the kernel table: context, sizes and operands",
    "kernels/emulator/cublas.cpp:cublasLtMatmul": "declared by cuBLAS",
    "kernels/emulator/cublas.cpp:cublasLtMatmulAlgoGetHeuristic": "declared by cuBLAS",
    "kernels/cpu/pool.cpp:max_of_window": "sizes, strides and a pointer for each array",
    "kernels/cpu/reduce_plan.hpp:put_columns": "sizes, strides and a pointer for each array",
}

Function = collections.namedtuple("Function", "name path line lines parameters")
Place = collections.namedtuple("Place", "path line")

STRING_OR_COMMENT = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])\'|//[^\n]*|/\*.*?\*/', re.DOTALL)
TRIVIAL = re.compile(r"\W*(?:#\s*(?:include|pragma|if|ifdef|ifndef|else|elif|endif|undef)\b.*|(?:inline )?namespace\b.*|using namespace\b.*"
                     r"|public:|protected:|private:|else|return;|break;|default:|try)?\W*")
FUNCTION_MACRO = re.compile(r"^\s*#\s*define\s+(\w+)\(", re.MULTILINE)


def source_files(root, folders):
    return sorted(path for folder in folders for path in (root / folder).rglob("*") if path.suffix in SUFFIXES)


def parameter_count(signature):
    """Of `(std::map<A, B> a={1, 2},int b) const`: 2."""
    depth, commas, inside = 0, 0, ""
    for before, char in zip(" " + signature, signature):
        depth += (char in "(<[{") - (char in ")]}" or (char == ">" and before != "-"))
        if depth == 0:
            break
        commas += char == "," and depth == 1
        inside += char
    return 0 if inside[1:].strip() in ("", "void") else commas + 1


def functions_of(root, files):
    """Every function that has a body. Lambdas are part of the function around them."""
    command = ["ctags", "--output-format=json", "--fields=NFneS", "--kinds-C++=f", "--langmap=C++:+.cu.cuh", "--languages=C++", "-L", "-",
               "-D", "TEST_CASE(name,tags)=void test_case()", "-D", "__global__=", "-D", "__device__=", "-D", "__launch_bounds__(n)=",
               "-D", "LORA_HOST_DEVICE=", "-o", "-"]
    try:
        done = subprocess.run(command, input="\n".join(map(str, files)), stdout=subprocess.PIPE, text=True, check=True)
    except FileNotFoundError:
        sys.exit("budget: ctags is not installed (Debian 12: apt-get install -y universal-ctags)")
    tags = [tag for tag in map(json.loads, done.stdout.splitlines()) if tag["_type"] == "tag" and not tag["name"].startswith("__anon")]
    return [Function(tag["name"], pathlib.Path(tag["path"]).relative_to(root).as_posix(), tag["line"], tag["end"] - tag["line"] + 1,
                     parameter_count(tag["signature"])) for tag in tags]


def telling_lines(text):
    """(number, line) without comments, blanks doubled, and lines that say nothing."""
    def keep(match):
        found = match.group()
        return found if found[0] in "\"'" else "\n" * found.count("\n")

    lines = enumerate((" ".join(line.split()) for line in STRING_OR_COMMENT.sub(keep, text).split("\n")), 1)
    return [(number, line) for number, line in lines if not TRIVIAL.fullmatch(line)]


def duplicated(root, files):
    """The number of lines that count, those of them that are duplicated, and which files share runs."""
    windows, total = collections.defaultdict(list), 0
    for path in files:
        lines = telling_lines(path.read_text())
        total += len(lines)
        for i in range(len(lines) - WINDOW + 1):
            numbers, texts = zip(*lines[i:i + WINDOW])
            windows[texts].append([Place(path.relative_to(root).as_posix(), number) for number in numbers])
    twice = [runs for runs in windows.values() if len(runs) > 1]
    return total, {place for runs in twice for run in runs for place in run}, pairs_of(twice)


def pairs_of(twice):
    """For two files that share runs: where the first one begins in each, and the number of runs."""
    pairs = {}
    for first, second in ((runs[0][0], runs[1][0]) for runs in twice):
        key = (first.path, second.path)
        pairs[key] = (*pairs.get(key, (first, second))[:2], pairs.get(key, (0, 0, 0))[2] + 1)
    return {f"{a.path}:{a.line} = {b.path}:{b.line}": count for a, b, count in pairs.values()}


def share(values, fraction):
    """The smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values) or [0]
    return ordered[max(0, -int(-fraction * len(ordered) // 1) - 1)]


class Part:
    """The numbers of some folders."""

    def __init__(self, root, folders):
        self.files = source_files(root, folders)
        self.lengths = {path.relative_to(root).as_posix(): len(path.read_text().splitlines()) for path in self.files}
        self.functions = functions_of(root, self.files)
        self.telling, self.twice, self.pairs = duplicated(root, self.files)
        self.macros = [(name, path.relative_to(root).as_posix()) for path in self.files for name in FUNCTION_MACRO.findall(path.read_text())]

    def row(self, name):
        lines, functions = list(self.lengths.values()), [function.lines for function in self.functions]
        most = max((function.parameters for function in self.functions), default=0)
        return (f"{name:10}{len(lines):6}{sum(lines):8}  {spread(lines):15}{len(functions):9}  {spread(functions):15}{most:10}"
                f"{self.duplicates():9.1f} %")

    def duplicates(self):
        return 100.0 * len(self.twice) / max(1, self.telling)


def spread(values):
    return f"{share(values, 0.5)} / {share(values, 0.9)} / {max(values, default=0)}"


def cap(function):
    return KERNEL_LINES if function.path.startswith("kernels/") else FUNCTION_LINES[2]


def key(function):
    return f"{function.path}:{function.name}"


def idle_exceptions(part):
    needed = {key(function) for function in part.functions if function.parameters > PARAMETERS}
    return [f"the exception for {name} is not needed any more" for name in EXCEPTIONS if name not in needed]


def excesses(part):
    """What is over the budget, a line each."""
    functions = part.functions
    for what, values, budget in [("files", part.lengths.values(), FILE_LINES), ("functions", [f.lines for f in functions], FUNCTION_LINES)]:
        for fraction, limit in zip((0.5, 0.9), budget):
            if share(values, fraction) > limit:
                yield f"{100 * fraction:.0f} % of the {what} should have at most {limit} lines, they have up to {share(values, fraction)}"
    for path, lines in part.lengths.items():
        if lines > FILE_LINES[2]:
            yield f"{path}: {lines} lines, at most {FILE_LINES[2]}"
    for function in functions:
        where = f"{function.path}:{function.line}: {function.name}"
        if function.lines > cap(function):
            yield f"{where} has {function.lines} lines, at most {cap(function)}"
        if function.parameters > PARAMETERS and key(function) not in EXCEPTIONS:
            yield f"{where} has {function.parameters} parameters, at most {PARAMETERS}"
    if part.duplicates() > DUPLICATES:
        yield f"{part.duplicates():.1f} % of the lines are duplicated, at most {DUPLICATES} %"


def largest(names, values):
    return ", ".join(f"{name} {value}" for value, name in sorted(zip(values, names), key=lambda pair: (-pair[0], pair[1]))[:NAMED])


def report(root, whole):
    print(f"{'':10}{'files':>6}{'lines':>8}  {'50/90/100 %':15}{'functions':>9}  {'50/90/100 %':15}{'parameters':>10}{'twice':>9}")
    for name in [*FOLDERS, "tests"]:
        if (root / name).is_dir():
            print(Part(root, [name]).row(name))
    print(whole.row("code"))
    budget = [" / ".join(map(str, limits)) for limits in (FILE_LINES, FUNCTION_LINES)]
    print(f"{'budget':10}{'':14}  {budget[0]:15}{'':9}  {budget[1]:15}{PARAMETERS:10}{DUPLICATES:9.1f} %   (code is all without tests)\n")
    functions = list(map(key, whole.functions))
    print("longest files:      ", largest(whole.lengths.keys(), whole.lengths.values()))
    print("longest functions:  ", largest(functions, [f.lines for f in whole.functions]))
    print("most parameters:    ", largest(functions, [f.parameters for f in whole.functions]))
    print("runs of equal lines:", largest(whole.pairs.keys(), whole.pairs.values()) or "none")
    print("function-like macros:", ", ".join(f"{path}:{name}" for name, path in whole.macros) or "none")


def check(root):
    whole = Part(root, FOLDERS)
    report(root, whole)
    wrong = [*excesses(whole), *idle_exceptions(whole)]
    print("\n".join(["", *wrong]) if wrong else "within the budget")
    return 1 if wrong else 0


# For --selftest: files that each break one rule with what must be said about it.
SHORT = "".join(f"int f{i}(int a, Map<A, B> b = {{1, 2}}) {{\n  return a + {i};\n}}\n" for i in range(9))
BODY = "".join(f"  x += {i};\n" for i in range(70))
PLANTED = [
    ("core/long.cpp", "int x;\n" * 501, "core/long.cpp: 501 lines, at most 500"),
    ("core/a.cpp", f"namespace a {{\nvoid g(int x) {{\n{BODY}}}\n}}\n", "core/a.cpp:2: g has 72 lines, at most 60"),
    ("nn/a.cpp", f"A::A(int x)\n    : x_(x) {{\n{BODY}}}\n", "nn/a.cpp:1: A has 73 lines, at most 60"),
    ("kernels/a.cu", f"template <class T>\n__global__ void k(T x) {{\n{BODY}{BODY.replace('+', '-')}}}\n", "kernels/a.cu:2: k has 142 lines, at most 100"),
    ("lora/a.cpp", f"int g() {{\n  return map([](int x) {{\n{BODY}  }});\n}}\n", "lora/a.cpp:1: g has 74 lines, at most 60"),
    ("apps/a.hpp", "struct S {\n  int operator()(A<B, C> a, int b, int c, int d, int e, int (*f)(int, int), int g) const { return a; }\n};\n",
     "apps/a.hpp:2: operator () has 7 parameters, at most 6"),
    ("models/a.cpp", SHORT.replace("(int a", "(int  a") + "  // a comment\n}\n", "of the lines are duplicated"),
    ("core/a.cpp", "".join(f"int h{i}() {{\n" + "".join(f"  y{i} += {j};\n" for j in range(15)) + "}\n" for i in range(12)),
     "50 % of the functions should have at most 8 lines"),
    ("core/a.cpp", "".join(f"int h{i}() {{\n" + "".join(f"  y{i} += {j};\n" for j in range(40)) + "}\n" for i in range(3)),
     "90 % of the functions should have at most 30 lines"),
]


def found_with(planted):
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for path, text in {"core/short.cpp": SHORT, "tests/long_test.cpp": "int x;\n" * 900, **planted}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        return list(excesses(Part(root, FOLDERS)))


def selftest():
    failures = [f"reported in a clean tree: {text}" for text in found_with({})]
    for path, text, expected in PLANTED:
        found = found_with({path: text})
        if not any(expected in line for line in found):
            failures.append(f"planted in {path}: expected {expected!r}, got {found}")
    print("\n".join(failures) or f"{len(PLANTED)} planted excesses reported, none in the clean tree")
    return 1 if failures else 0


def main(arguments):
    if arguments == ["--selftest"]:
        return selftest()
    return check(pathlib.Path(arguments[0] if arguments else pathlib.Path(__file__).parent / "..").resolve())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
