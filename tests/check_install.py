#!/usr/bin/env python3
"""Installs a build tree, moves it, and uses it as other projects do.

The examples are configured, built and run against the installed tree by CMake: all with the static library, one with the shared one, and
one by pkg-config in both ways. Each must print its output.txt. The rules by which find_package() chooses are tried one by one, and the
stripped sizes are held against their limits.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

MAX_STATIC = 3_000_000  # bytes of the stripped example xor with the static library
MAX_SHARED = 6_000_000  # of the stripped shared library

# What projects may write, and the type of lora_core::lora_core that it gives; None: it is not found.
RULES = [
    ("find_package(lora_core 0.1 REQUIRED)", "STATIC_LIBRARY"),
    ("find_package(lora_core REQUIRED COMPONENTS static)", "STATIC_LIBRARY"),
    ("find_package(lora_core REQUIRED COMPONENTS shared)", "SHARED_LIBRARY"),
    ("set(BUILD_SHARED_LIBS ON)\nfind_package(lora_core REQUIRED)", "SHARED_LIBRARY"),
    ("set(BUILD_SHARED_LIBS ON)\nfind_package(lora_core REQUIRED COMPONENTS static)", "STATIC_LIBRARY"),
    ("set(BUILD_SHARED_LIBS ON)\nset(lora_core_SHARED_LIBS OFF)\nfind_package(lora_core REQUIRED)", "STATIC_LIBRARY"),
    ("find_package(lora_core REQUIRED)\nfind_package(lora_core REQUIRED)", "STATIC_LIBRARY"),
    ("find_package(lora_core REQUIRED)\nfind_package(lora_core QUIET COMPONENTS shared)", None),
    ("find_package(lora_core QUIET COMPONENTS static shared)", None),
    ("find_package(lora_core QUIET COMPONENTS python)", None),
    ("find_package(lora_core 99 QUIET)", None),
    ("set(BUILD_SHARED_LIBS ON)\nadd_subdirectory({source} lora_core)", "SHARED_LIBRARY"),
]


def run(*command, **options):
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nended with status {done.returncode}:\n{done.stdout}")
    return done.stdout


def check(ok, text):
    if not ok:
        sys.exit(text)


class Consumer:
    """Projects that use the installed tree, in a folder of their own."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.prefix = folder / "moved"
        golden = options.source / "tests" / "golden" / "peft_mlp"
        self.arguments = {"load_pytorch": [golden / "model.safetensors", golden / "expected.safetensors"]}

    def install(self):
        run("cmake", "--install", self.options.build, "--prefix", self.folder / "first")
        (self.folder / "first").rename(self.prefix)
        for path in [*self.prefix.rglob("*.cmake"), *self.prefix.rglob("*.pc")]:
            for place in (self.folder / "first", self.options.source, self.options.build):
                check(str(place) not in path.read_text(), f"{path} names {place}: it cannot be moved")

    def configure(self, source, build, *more):
        return run("cmake", "-S", source, "-B", build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_CXX_COMPILER={self.options.cxx}",
                   f"-DCMAKE_PREFIX_PATH={self.prefix}", *more)

    def build_example(self, name, *more):
        build = self.folder / "_".join(["build", name, *more])
        self.configure(self.options.source / "examples" / name, build, *more)
        run("cmake", "--build", build)
        return build / name

    def check_output(self, name, program, **variables):
        printed = run(program, *self.arguments.get(name, []), cwd=self.folder, env={**os.environ, **variables})
        wanted = (self.options.source / "examples" / name / "output.txt").read_text()
        check(printed == wanted, f"{program} printed\n{printed}\nand should print\n{wanted}")

    def check_rules(self):
        project = self.folder / "rules"
        top = ["cmake_minimum_required(VERSION 3.25)", "project(rules LANGUAGES CXX)"]
        for i, (text, kind) in enumerate(RULES):
            (project / f"rule{i}").mkdir(parents=True)
            found = f"get_target_property(kind lora_core::lora_core TYPE)\nif(NOT kind STREQUAL {kind})"
            failed = found if kind else "if(lora_core_FOUND)"
            (project / f"rule{i}" / "CMakeLists.txt").write_text(
                f'{text.format(source=self.options.source)}\n{failed}\n  message(FATAL_ERROR "not {kind or "missing"} but ${{kind}}")\nendif()\n')
            top.append(f"add_subdirectory(rule{i})")
        (project / "CMakeLists.txt").write_text("\n".join(top) + "\n")
        self.configure(project, self.folder / "build_rules")

    def check_pkg_config(self, name):
        library = next(self.prefix.rglob("lora_core.pc")).parent
        source, made = self.options.source / "examples" / name / f"{name}.cpp", self.folder / name
        flags = lambda *words: run(self.options.pkg_config, *words, "lora_core", env={**os.environ, "PKG_CONFIG_PATH": str(library)}).split()
        run(self.options.cxx, "-c", source, "-o", f"{made}.o", *flags("--cflags"))
        run(self.options.cxx, f"{made}.o", "-o", made, *flags("--libs"))
        self.check_output(name, made, LD_LIBRARY_PATH=str(library.parent))
        run(self.options.cxx, "-static", f"{made}.o", "-o", f"{made}_static", *flags("--static", "--libs"))
        self.check_output(name, f"{made}_static")

    def check_size(self, what, path, limit):
        stripped = self.folder / "stripped"
        run(self.options.strip, "-o", stripped, path)
        size = stripped.stat().st_size
        print(f"{what}: {size} bytes stripped, at most {limit}")
        check(size <= limit, f"{what} has {size} bytes, at most {limit}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--source", "--build"):
        parser.add_argument(name, type=pathlib.Path, required=True)
    for name in ("--cxx", "--strip", "--pkg-config"):
        parser.add_argument(name, required=True)
    with tempfile.TemporaryDirectory() as folder:
        consumer = Consumer(parser.parse_args(), pathlib.Path(folder).resolve())
        consumer.install()
        consumer.check_rules()
        programs = {name: consumer.build_example(name) for name in ("xor", "adapt", "load_pytorch")}
        for name, program in programs.items():
            consumer.check_output(name, program)
        consumer.check_size("xor with the static library", programs["xor"], MAX_STATIC)

        shared = consumer.build_example("xor", "-DBUILD_SHARED_LIBS=ON")
        consumer.check_output("xor", shared)
        check(shared.stat().st_size < MAX_STATIC / 10, f"{shared} is too large to use the shared library")
        consumer.check_size("the shared library", next(consumer.prefix.rglob("liblora_core.so")), MAX_SHARED)
        consumer.check_pkg_config("adapt")


if __name__ == "__main__":
    main()
