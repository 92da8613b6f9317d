# Thin wrappers on the presets of CMakePresets.json. `make` builds; `make help` lists the rest.
SHELL := /bin/sh
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
PREFIX ?= /usr/local
OUT ?= out/demo
VERIFY := all_verify_interface_header_sets
# LORA_CUDA=EMULATED with debug, asan, clang or tsan builds the CUDA kernels into it, run by the emulator.
emulated = $(filter EMULATED,$(LORA_CUDA))
cuda_option = $(if $(LORA_CUDA),-DLORA_CUDA=$(LORA_CUDA))
with_emulator = $(if $(emulated),scripts/setup.sh packages-emulator.txt)
# Under the thread sanitizer only the tests that use threads run; the others would say nothing and take long.
TSAN_TAGS := [threads],[determinism],[trainer]
TSAN_CUDA_TAGS := [kernels]~[threads],[gemm],[ptx],[emulator]
TSAN_STRICT := halt_on_error=1:second_deadlock_stack=1

build: setup
	cmake --preset release
	cmake --build --preset release -j $(JOBS)

help:
	@echo 'make build             build the library, the programs and the tests (build/release)'
	@echo 'make test              build, compile every public header alone, run all tests'
	@echo 'make demo              build and run all experiments, sized for minutes; the report is in $$(OUT)'
	@echo 'make debug asan clang  build and test with assertions, with sanitizers, with clang++'
	@echo 'make tsan              build and run the tests with threads under the thread sanitizer'
	@echo 'make emulated          run the CUDA kernels on the CPU by the emulator, and test them; needs of CUDA its headers alone'
	@echo 'make cuda              build with nvcc for sm_80 and sm_90a, check registers and spills; needs the CUDA Toolkit 13'
	@echo 'make bench             build the benchmarks and run them (BENCH_ARGS="--benchmark_filter=matmul" chooses)'
	@echo 'make interop           exchange files with bitsandbytes and PEFT from PyPI, in a virtual environment in build/interop'
	@echo 'make lint format       check or repair the formatting; lint also runs clang-tidy (FILES="..." limits it)'
	@echo 'make install PREFIX=   install headers, library, CMake package and programs'
	@echo 'make setup             install what scripts/packages.txt names and the system lacks'
	@echo 'make clean             remove build/'

setup:
	@scripts/setup.sh

test: setup
	cmake --preset release
	cmake --build --preset release -j $(JOBS) --target all $(VERIFY)
	ctest --preset release -j $(JOBS)

demo: build
	build/release/apps/mnist_lora demo --out $(OUT)

debug asan clang: setup
	$(with_emulator)
	cmake --preset $@ $(cuda_option)
	cmake --build --preset $@ -j $(JOBS)
	ctest --preset $@ -j $(JOBS)

tsan: setup
	$(with_emulator)
	cmake --preset tsan $(cuda_option)
	cmake --build --preset tsan -j $(JOBS) --target lora_tests $(if $(emulated),emulator_bugs)
	TSAN_OPTIONS=$(TSAN_STRICT) build/tsan/tests/lora_tests --warn NoTests '$(TSAN_TAGS)'
	$(if $(emulated),TSAN_OPTIONS=atexit_sleep_ms=0 build/tsan/tests/emulator_bugs thread)
	$(if $(emulated),LORA_KERNEL_TABLE=cuda TSAN_OPTIONS=$(TSAN_STRICT) build/tsan/tests/lora_tests --warn NoTests '$(TSAN_CUDA_TAGS)')

emulated: setup
	scripts/setup.sh packages-emulator.txt
	cmake --preset emulated
	cmake --build --preset emulated -j $(JOBS)
	ctest --preset emulated -j $(JOBS) -L cuda

# Other orders of threads: two seeds of a schedule by random priorities, which bring out missing barriers.
emulated-orders: emulated
	LORA_SIMT_ORDER=2 build/emulated/tests/lora_tests '[kernels],[gemm],[emulator]'
	LORA_SIMT_ORDER=3 build/emulated/tests/lora_tests '[kernels],[gemm],[emulator]'

cuda: setup
	cmake --preset cuda
	cmake --build --preset cuda -j $(JOBS)
	scripts/kernel_resources.py build/cuda
	tests/check_cuda_build.sh build/cuda

interop: build
	python3 -m venv build/interop
	build/interop/bin/pip install --quiet --requirement tests/interop/requirements.txt
	build/interop/bin/python tests/interop/four_bit.py build/release/apps/mnist_lora
	build/interop/bin/python tests/interop/adapters.py build/release/tests/exchange_adapter build/release/apps/mnist_lora

bench: build
	scripts/setup.sh packages-bench.txt
	cmake --preset release -DLORA_BUILD_BENCH=ON
	cmake --build --preset release -j $(JOBS) --target bench_ops bench_step
	build/release/bench/bench_ops $(BENCH_ARGS)
	build/release/bench/bench_step $(BENCH_ARGS)

lint:
	scripts/lint.sh $(FILES)

format:
	clang-format -i $(or $(FILES),$$(find core kernels nn lora models datasets apps tests bench examples -name '*.[ch]pp' -o -name '*.cu' 2>/dev/null))

install: build
	cmake --install build/release --prefix "$(PREFIX)"

clean:
	rm -rf build

.PHONY: build help setup test demo emulated emulated-orders cuda interop bench debug asan tsan clang lint format install clean
