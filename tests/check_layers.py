#!/usr/bin/env python3
"""Checks who includes whom: the layers of docs/architecture.md, and which third-party headers may be named where.

usage: check_layers.py [ROOT]        prints `file:line: what is wrong` for each violation, exit 1 if there is one
       check_layers.py --selftest    plants each kind of violation in a temporary folder; each must be reported
"""
import pathlib
import re
import sys
import tempfile

# A file belongs to the longest prefix of its path; its layer may include itself and what is named here.
LIBRARY = ["core/base", "kernels", "core", "nn", "lora", "models", "datasets"]
LAYERS = {
    "core/base": [],
    "kernels": ["core/base"],
    "kernels/cpu": ["core/base", "kernels"],
    "kernels/cuda": ["core/base", "kernels", "kernels/emulator"],
    "kernels/emulator": ["core/base"],
    "core": ["core/base", "kernels"],
    "nn": ["core/base", "core"],
    "lora": ["core/base", "core", "nn"],
    "models": ["core/base", "core", "nn"],
    "datasets": ["core/base", "core"],
    "apps": LIBRARY,
    "examples": LIBRARY,
    "bench": LIBRARY,
    "tests": [*LIBRARY, "kernels/cpu", "kernels/cuda", "kernels/emulator", "apps"],
}
OUTER = {"apps", "examples", "bench", "tests"}
BACKENDS = {"kernels/cpu", "kernels/cuda", "kernels/emulator"}  # their headers stay inside; sources of kernels choose among them

STANDARD = set("""algorithm any array atomic barrier bit bitset cassert cctype cerrno cfenv cfloat charconv chrono cinttypes climits clocale cmath
    compare complex concepts condition_variable coroutine csetjmp csignal cstdarg cstddef cstdint cstdio cstdlib cstring ctime cuchar
    cwchar cwctype deque
    exception execution filesystem forward_list fstream functional future initializer_list iomanip ios iosfwd iostream istream iterator
    latch limits list locale map memory memory_resource mutex new numbers numeric optional ostream queue random ranges ratio regex
    scoped_allocator semaphore set shared_mutex span sstream source_location stack stdexcept stop_token streambuf string string_view syncstream system_error
    thread tuple type_traits typeindex typeinfo unordered_map unordered_set utility valarray variant vector version""".split())
# What else may be named, by the beginning of the header's name.
FOREIGN = {
    "os": ("sys/", "linux/", "unistd.h", "fcntl.h", "sched.h", "pthread.h", "dlfcn.h", "signal.h", "termios.h", "spawn.h"),
    "intrinsics": ("immintrin.h", "cpuid.h", "x86intrin.h"),
    "eigen": ("Eigen/", "unsupported/Eigen/"),
    "sanitizer": ("sanitizer/",),
    "cuda": ("cuda", "cublas", "cudnn", "curand", "cooperative_groups", "mma.h", "nvtx3/", "cub/", "thrust/", "nv/"),
    "boost": ("boost/",),
    "json": ("nlohmann/",),
    "zlib": ("zlib.h",),
    "cli": ("CLI/",),
    "catch": ("catch2/",),
    "benchmark": ("benchmark/",),
}
# Kinds of foreign headers a layer may name: in sources and private headers, and in public headers, where no library is named.
IN_SOURCES = {
    "core/base": {"os", "json", "zlib"},
    "kernels": {"intrinsics"},
    "kernels/cpu": {"eigen", "intrinsics"},
    "kernels/cuda": {"cuda"},
    "kernels/emulator": {"boost", "cuda", "os", "sanitizer"},
    "nn": {"json"},
    "lora": {"json"},
    "datasets": {"json", "zlib"},
    "apps": {"os", "json", "zlib", "cli"},
    "examples": set(),
    "bench": {"os", "json", "benchmark"},
    "tests": {"os", "json", "zlib", "cli", "catch", "cuda"},
}
IN_PUBLIC = {layer: IN_SOURCES[layer] for layer in OUTER} | {"core/base": {"os"}}

HEADERS = {".hpp", ".cuh"}
SOURCES = {".cpp", ".cu"}
MISNAMED = {".h", ".hh", ".hxx", ".cc", ".cxx", ".c", ".inl", ".ipp"}
MAX_LINES = 500

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>|(.*))')


def layer_of(path):
    fits = [layer for layer in LAYERS if path.startswith(layer + "/")]
    return max(fits, key=len) if fits else None


def kind_of(header):
    """standard, a key of FOREIGN, or None."""
    if header in STANDARD:
        return "standard"
    return next((kind for kind, names in FOREIGN.items() if header.startswith(names)), None)


def listed_files(root, path):
    """Names in the CMakeLists.txt nearest to a file, each with whether it stands after PRIVATE_HEADERS; and the list's folder."""
    for folder in pathlib.PurePath(path).parents[:-1]:
        lists = root / folder / "CMakeLists.txt"
        if lists.is_file():
            names, private = {}, False
            for word in re.sub(r"#.*", "", lists.read_text()).replace("(", " ( ").replace(")", " ) ").split():
                private = word == "PRIVATE_HEADERS" if word in "()" or word.isupper() else private
                names[word] = private
            return names, folder
    return {}, pathlib.PurePath(".")


def is_listed(root, path):
    names, folder = listed_files(root, path)
    return str(pathlib.PurePath(path).relative_to(folder)) in names


def is_public(root, path):
    """Whether a file is a header that is installed (or a header outside of the library, where that makes no difference)."""
    if layer_of(path) in BACKENDS:
        return False
    names, folder = listed_files(root, path)
    return pathlib.Path(path).suffix in HEADERS and not names.get(str(pathlib.PurePath(path).relative_to(folder)), False)


def check_quoted(root, path, layer, target):
    if not (root / target).is_file():
        return f'"{target}" is not a file; includes are written from the root of the repository'
    to = layer_of(target)
    if to is None:
        return f'"{target}" belongs to no layer'
    chooses_backend = layer == "kernels" and to in BACKENDS and not is_public(root, path)
    if to != layer and to not in LAYERS[layer] and not chooses_backend:
        return f"{layer} must not include {to} ({target})"
    if target == "kernels/table.hpp" and layer == "core" and is_public(root, path):
        return "public headers of core must not include kernels/table.hpp"
    if layer not in OUTER and is_public(root, path) and target.endswith(tuple(HEADERS)) and not is_public(root, target):
        return f"a public header must not include a private one ({target})"
    return None


def check_angled(root, path, layer, header):
    kind = kind_of(header)
    if kind is None:
        return f"<{header}> is neither a standard nor a known header; the project's own are quoted"
    allowed = IN_PUBLIC if is_public(root, path) else IN_SOURCES
    if kind == "standard" or kind in allowed.get(layer, set()):
        return None
    return f"<{header}> ({kind}) must not be named in {'public headers' if allowed is IN_PUBLIC else 'sources'} of {layer}"


def check_includes(root, path, layer, lines):
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quoted, angled, other = match.groups()
        if quoted:
            wrong = check_quoted(root, path, layer, quoted)
        elif angled:
            wrong = check_angled(root, path, layer, angled)
        else:
            wrong = f"an include must name its file, not {other}"
        if wrong:
            yield f"{path}:{number}: {wrong}"


def check_file(root, path):
    layer, suffix = layer_of(path), pathlib.Path(path).suffix
    lines = (root / path).read_text().splitlines()
    if suffix in MISNAMED:
        yield f"{path}:1: headers end in .hpp or .cuh, sources in .cpp or .cu"
    if suffix in HEADERS and "#pragma once" not in lines:
        yield f"{path}:1: the header has no #pragma once"
    if len(lines) > MAX_LINES:
        yield f"{path}:{len(lines)}: {len(lines)} lines, at most {MAX_LINES}; split it by idea"
    if layer != "examples" and (suffix in SOURCES or (suffix in HEADERS and layer not in OUTER | BACKENDS)) and not is_listed(root, path):
        yield f"{path}:1: no CMakeLists.txt lists it, so it is not built"
    yield from check_includes(root, path, layer, lines)


def violations(root):
    tops = sorted({layer.split("/")[0] for layer in LAYERS})
    files = (file for top in tops for file in sorted((root / top).rglob("*")))
    for file in files:
        if file.suffix in HEADERS | SOURCES | MISNAMED | {".def"}:
            yield from check_file(root, file.relative_to(root).as_posix())


# For --selftest: a tree without violations, and files that each break one rule with what must be said about it.
CLEAN = {
    "core/base/error.hpp": "#pragma once\n#include <string>\n",
    "core/base/file.cpp": "#include <fcntl.h>\n#include <nlohmann/json.hpp>\n#include <zlib.h>\n",
    "core/tensor.hpp": '#pragma once\n#include "core/base/error.hpp"\n',
    "core/tensor.cpp": '#include "core/tensor.hpp"\n#include "kernels/table.hpp"\n',
    "core/ops/softmax.cpp": '#include "kernels/table.hpp"\n',
    "core/ops/private.hpp": '#pragma once\n#include "kernels/table.hpp"\n',
    "kernels/table.hpp": '#pragma once\n#include "kernels/kernels.def"\n',
    "kernels/kernels.def": "KERNEL(f)\n",
    "kernels/table.cpp": '#include "kernels/cpu/unlisted.hpp"\n',
    "kernels/cpu/unlisted.hpp": "#pragma once\n#include <Eigen/Core>\n",
    "kernels/cpu/gemm.cpp": '#include <Eigen/Core>\n#include "kernels/table.hpp"\n',
    "nn/module.hpp": '#pragma once\n#include "core/tensor.hpp"\n',
    "lora/adapter.hpp": '#pragma once\n#include "nn/module.hpp"\n',
    "apps/cli.hpp": "#pragma once\n#include <CLI/CLI.hpp>\n",
    "tests/op_test.cpp": '#include <catch2/catch.hpp>\n#include "apps/cli.hpp"\n#include "lora/adapter.hpp"\n',
}
PLANTED = [
    ("core/base/bad.cpp", '#include "core/tensor.hpp"\n', "core/base must not include core"),
    ("core/base/bad.cpp", "#include <Eigen/Core>\n", "<Eigen/Core> (eigen) must not be named in sources of core/base"),
    ("core/base/bad.hpp", "#pragma once\n#include <zlib.h>\n", "<zlib.h> (zlib) must not be named in public headers of core/base"),
    ("core/bad.cpp", '#include "nn/module.hpp"\n', "core must not include nn"),
    ("core/bad.cpp", "#include <unistd.h>\n", "<unistd.h> (os) must not be named in sources of core"),
    ("core/bad.hpp", '#pragma once\n#include "kernels/table.hpp"\n', "public headers of core must not include kernels/table.hpp"),
    ("core/bad.hpp", "#pragma once\n#include <nlohmann/json.hpp>\n", "(json) must not be named in public headers of core"),
    ("core/bad.hpp", '#pragma once\n#include "core/ops/private.hpp"\n', "a public header must not include a private one"),
    ("kernels/bad.hpp", '#pragma once\n#include "core/tensor.hpp"\n', "kernels must not include core"),
    ("kernels/bad.hpp", '#pragma once\n#include "kernels/cpu/unlisted.hpp"\n', "kernels must not include kernels/cpu"),
    ("kernels/bad.cpp", "#include <Eigen/Core>\n", "(eigen) must not be named in sources of kernels"),
    ("kernels/cpu/bad.cpp", "#include <cuda_runtime.h>\n", "(cuda) must not be named in sources of kernels/cpu"),
    ("nn/bad.cpp", '#include "kernels/table.hpp"\n', "nn must not include kernels"),
    ("nn/bad.cpp", '#include "lora/adapter.hpp"\n', "nn must not include lora"),
    ("models/bad.hpp", '#pragma once\n#include "lora/adapter.hpp"\n', "models must not include lora"),
    ("datasets/bad.cpp", '#include "nn/module.hpp"\n', "datasets must not include nn"),
    ("lora/bad.cpp", '#include "apps/cli.hpp"\n', "lora must not include apps"),
    ("apps/bad.cpp", '#include "tests/helper.hpp"\n', "apps must not include tests"),
    ("bench/bad.cpp", '#include "tests/helper.hpp"\n', "bench must not include tests"),
    ("lora/bad.cpp", '#include "adapter.hpp"\n', "is not a file; includes are written from the root"),
    ("lora/bad.cpp", "#include <lora/adapter.hpp>\n", "neither a standard nor a known header"),
    ("lora/bad.cpp", "#include LORA_HEADER\n", "an include must name its file"),
    ("nn/bad.hpp", "#include <string>\n", "no #pragma once"),
    ("nn/bad.h", "#pragma once\n", "headers end in .hpp"),
    ("nn/bad.cpp", "\n" * 501, "501 lines, at most 500"),
    ("tests/unlisted_test.cpp", "\n", "no CMakeLists.txt lists it"),
]


def reports(planted):
    """Violations of the clean tree with some files added; all are listed but those called unlisted."""
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        listed = {}
        for path, text in {**CLEAN, "tests/helper.hpp": "#pragma once\n", **planted}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
            top, rest = path.split("/", 1)
            listed.setdefault(top, [])
            if "unlisted" not in rest:
                listed[top].append(f"PRIVATE_HEADERS {rest} HEADERS" if "private" in rest else rest)
        for top, names in listed.items():
            (root / top / "CMakeLists.txt").write_text(f"lora_layer({top} HEADERS {' '.join(names)})\n")
        return list(violations(root))


def selftest():
    failures = [f"reported in a clean tree: {text}" for text in reports({})]
    for path, text, expected in PLANTED:
        found = reports({path: text})
        if len(found) != 1 or expected not in found[0] or not found[0].startswith(path + ":"):
            failures.append(f"planted in {path}: {text!r}\n  expected one report: {expected}\n  got: {found}")
    print("\n".join(failures) or f"{len(PLANTED)} planted violations reported, none in the clean tree")
    return 1 if failures else 0


def main(arguments):
    if arguments == ["--selftest"]:
        return selftest()
    found = list(violations(pathlib.Path(arguments[0] if arguments else ".").resolve()))
    print("\n".join(found) or "the layers hold")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
