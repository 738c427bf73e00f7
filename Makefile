# gust: `make demo` shows it, `make test` checks it, `make build` leaves build/gust and build/libgust_cpu.so.
# Every target does its own set-up: npm packages, Debian packages (as root), the native library.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-builtin-rules -j$(shell nproc)

BUILD := build
PREFIX ?= /usr/local
BUN = $(firstword $(wildcard node_modules/@oven/bun-linux-x64/bin/bun node_modules/@oven/bun-linux-*/bin/bun))
DENO = $(firstword $(wildcard node_modules/@deno/*/deno))
# Nothing asks a server for newer versions of itself.
export DENO_NO_UPDATE_CHECK := 1

.PHONY: all build
all: build
build: $(BUILD)/gust $(BUILD)/libgust_cpu.so

# ---- set-up ------------------------------------------------------------------------------------------------------

# npm packages: the binaries of bun and deno ship inside them, no install script runs.
NPM := node_modules/.package-lock.json
$(NPM): package.json package-lock.json
	npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# Debian packages: header to look for, package that has it.
SYSTEM := $(BUILD)/.system
$(SYSTEM):
	@mkdir -p $(BUILD)
	@bash test/setup/system.sh
	@touch $@

# ---- native library ----------------------------------------------------------------------------------------------

CXX ?= g++
# Errors in memory end the process where they happen, and leave nobody a table of addresses to write to. Their cost is not
# seen in the kernels: those call nothing that is checked.
HARDENING := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fcf-protection
HARDENED_LINK := -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack -Wl,--no-undefined -Wl,-z,defs
CXXFLAGS ?= -O3 $(HARDENING)
EXPORTS := cu/exports.map
# No contraction and no fast-math: the same bytes tomorrow. -fno-gnu-unique: local symbols stay local.
CXXBASE := -std=c++20 -fPIC -fvisibility=hidden -fno-gnu-unique -ffp-contract=off -fno-math-errno -fno-trapping-math \
  -Wall -Wextra -Werror -MMD -MP -Icu/include -I$(BUILD)/generated
THREADS ?= -pthread
ISA_portable := -march=x86-64-v2
ISA_avx2 := -march=x86-64-v3 -ffp-contract=fast
ISA_avx512 := -march=x86-64-v4 -mprefer-vector-width=512 -ffp-contract=fast

# Another compiler or other flags compile everything anew.
CXX_ASKED := $(BUILD)/native/.asked
.PHONY: FORCE
$(CXX_ASKED): FORCE
	@mkdir -p $(@D)
	@echo '$(CXX) $(CXXBASE) $(CXXFLAGS) $(HARDENED_LINK)' | cmp -s - $@ || \
	  echo '$(CXX) $(CXXBASE) $(CXXFLAGS) $(HARDENED_LINK)' > $@

OPS := $(wildcard cu/host/ops/*.cpp)
HOST := $(wildcard cu/host/*.cpp)
HOST_OBJECTS := $(HOST:cu/host/%.cpp=$(BUILD)/native/host/%.o)
# Ops are compiled for these; where a set is left out, those of the first run in its place.
ISAS ?= portable avx2 avx512
ISA_OBJECTS := $(foreach isa,$(ISAS),$(BUILD)/native/$(isa).o)
ISA_LEFT_OUT := $(foreach isa,$(filter-out $(ISAS),portable avx2 avx512),\
  -Wl,--defsym=gust_op_table_$(isa)=gust_op_table_$(firstword $(ISAS)))

$(BUILD)/generated/ops.h: ffi/ops.ts ffi/op_row.ts ffi/generate.ts | $(NPM)
	@mkdir -p $(@D)
	$(BUN) ffi/generate.ts > $@.tmp
	@if cmp -s $@.tmp $@; then rm $@.tmp; else mv $@.tmp $@; fi  # what did not change compiles nothing anew

$(BUILD)/native/host/%.o: cu/host/%.cpp $(BUILD)/generated/ops.h $(CXX_ASKED) | $(SYSTEM)
	@mkdir -p $(@D)
	$(CXX) $(CXXBASE) $(CXXFLAGS) $(ISA_portable) $(THREADS) -c $< -o $@

# One relocatable object per instruction set with everything but its op table made local: otherwise the linker could
# keep an AVX-512 copy of some std:: template for everybody.
define isa_rules
$(BUILD)/native/$(1)/%.o: cu/host/ops/%.cpp $(BUILD)/generated/ops.h $(CXX_ASKED) | $(SYSTEM)
	@mkdir -p $$(@D)
	$(CXX) $(CXXBASE) $(CXXFLAGS) $(ISA_$(1)) -DGUST_ISA=$(1) $(THREADS) -c $$< -o $$@
$(BUILD)/native/$(1).o: $(OPS:cu/host/ops/%.cpp=$(BUILD)/native/$(1)/%.o)
	ld -r --force-group-allocation $$^ -o $$@.tmp.o
	objcopy --keep-global-symbol=gust_op_table_$(1) $$@.tmp.o $$@
	@rm -f $$@.tmp.o
endef
$(foreach isa,portable avx2 avx512,$(eval $(call isa_rules,$(isa))))

# nodelete: a runtime that ends may close the library while a worker of its pool still runs in it.
$(BUILD)/libgust_cpu.so: $(HOST_OBJECTS) $(ISA_OBJECTS) $(EXPORTS)
	$(CXX) $(CXXFLAGS) -shared -o $@.tmp $(filter %.o,$^) $(ISA_LEFT_OUT) $(THREADS) $(HARDENED_LINK) \
	  -Wl,--version-script=$(EXPORTS) -Wl,-z,nodelete -lxxhash -lzstd -lz -ldl && mv $@.tmp $@

-include $(wildcard $(BUILD)/native/*/*.d)

# ---- CUDA library ------------------------------------------------------------------------------------------------

# The compiler is nvcc of PATH, or NVIDIA's packages for Python, which need neither a GPU nor a driver.
CUDA_ARCHS ?= 80 90
ifneq ($(shell command -v nvcc),)
NVCC := nvcc
CUDA_HOME ?= $(patsubst %/bin/nvcc,%,$(realpath $(shell command -v nvcc)))
CUDA_READY :=
else
CUDA_HOME := $(BUILD)/cuda/toolkit/nvidia/cu13
NVCC := $(CUDA_HOME)/bin/nvcc
CUDA_READY := $(BUILD)/cuda/.toolkit
$(CUDA_READY): test/setup/cuda.txt
	@mkdir -p $(@D)
	$(PIP) --target $(BUILD)/cuda/toolkit -r $<
	@touch $@
endif
PIP := PIP_ROOT_USER_ACTION=ignore python3 -m pip install --quiet --disable-pip-version-check --no-deps --upgrade
CUDA_NEWEST = $(shell printf '%s\n' $(CUDA_ARCHS) | sort -n | tail -1)
# Another compiler or another list of GPUs compiles everything anew.
CUDA_ASKED := $(BUILD)/cuda/.asked
$(CUDA_ASKED): FORCE
	@mkdir -p $(@D)
	@echo "$(NVCC) $(CUDA_ARCHS)" | cmp -s - $@ || echo "$(NVCC) $(CUDA_ARCHS)" > $@
# Its host code is hardened as all the rest is.
NVCCFLAGS := -std=c++20 -O3 --expt-relaxed-constexpr -Xcompiler -fPIC,-fvisibility=hidden,-ffp-contract=off,-Wall \
  $(HARDENING:%=-Xcompiler %) \
  $(foreach arch,$(CUDA_ARCHS),-gencode arch=compute_$(arch),code=sm_$(arch)) \
  -gencode arch=compute_$(CUDA_NEWEST),code=compute_$(CUDA_NEWEST) -MMD -MP -Icu/include -I$(BUILD)/generated

DEVICE := $(wildcard cu/device/*.cu cu/device/ops/*.cu)
DEVICE_TABLE := $(BUILD)/native/device/table.o
# What the CUDA libraries share with that of the CPU: everything that cu/device has no file for.
SHARED_OBJECTS := $(filter-out $(patsubst cu/device/%.cu,$(BUILD)/native/host/%.o,$(DEVICE)),$(HOST_OBJECTS))

$(DEVICE_TABLE): cu/host/ops/table.cpp $(BUILD)/generated/ops.h $(CXX_ASKED) | $(SYSTEM)
	@mkdir -p $(@D)
	$(CXX) $(CXXBASE) $(CXXFLAGS) $(ISA_portable) -DGUST_ISA=cuda -c $< -o $@
$(BUILD)/native/cuda/%.o: cu/device/%.cu $(BUILD)/generated/ops.h $(CUDA_READY) $(CUDA_ASKED) | $(SYSTEM)
	@mkdir -p $(@D)
	$(NVCC) $(NVCCFLAGS) -DGUST_ISA=cuda -c $< -o $@
$(BUILD)/libgust_cuda.so: $(SHARED_OBJECTS) $(DEVICE_TABLE) $(DEVICE:cu/device/%.cu=$(BUILD)/native/cuda/%.o) $(EXPORTS)
	$(CXX) -shared -o $@.tmp $(filter %.o,$^) $(THREADS) -L$(CUDA_HOME)/lib -L$(CUDA_HOME)/lib64 -lcudart_static -lxxhash -lzstd -lz -ldl -lrt \
	  $(HARDENED_LINK) -Wl,--version-script=$(EXPORTS) -Wl,-z,nodelete && mv $@.tmp $@

.PHONY: cuda
cuda: $(BUILD)/libgust_cuda.so

# The same files on the CPU, for tests: test/cu/emulate stands for CUDA.
EMULATION := $(wildcard test/cu/emulate/*.cpp)
EMULATED := $(CXXBASE) -O1 -g $(ISA_portable) $(THREADS) -Wno-unknown-pragmas -Itest/cu/emulate
$(BUILD)/native/emulated/%.o: cu/device/%.cu $(BUILD)/generated/ops.h | $(SYSTEM)
	@mkdir -p $(@D)
	$(CXX) $(EMULATED) -DGUST_ISA=cuda -x c++ -c $< -o $@
$(BUILD)/native/emulation/%.o: test/cu/emulate/%.cpp | $(SYSTEM)
	@mkdir -p $(@D)
	$(CXX) $(EMULATED) -c $< -o $@
$(BUILD)/libgust_emulated.so: $(SHARED_OBJECTS) $(DEVICE_TABLE) $(DEVICE:cu/device/%.cu=$(BUILD)/native/emulated/%.o) \
  $(EMULATION:test/cu/emulate/%.cpp=$(BUILD)/native/emulation/%.o)
	$(CXX) -shared -o $@.tmp $^ $(THREADS) -lxxhash -lzstd -lz -ldl $(HARDENED_LINK) -Wl,-z,nodelete && mv $@.tmp $@

-include $(wildcard $(BUILD)/native/*/ops/*.d)

# ---- native tests and sanitizers ---------------------------------------------------------------------------------

NATIVE_TESTS := $(wildcard test/cu/native/*.cpp)
NATIVE_TEST_OBJECTS := $(NATIVE_TESTS:test/cu/native/%.cpp=$(BUILD)/native/test/%.o)

$(BUILD)/native/test/%.o: test/cu/native/%.cpp $(BUILD)/generated/ops.h $(CXX_ASKED) | $(SYSTEM)
	@mkdir -p $(@D)
	$(CXX) $(CXXBASE) $(CXXFLAGS) $(ISA_portable) $(THREADS) -c $< -o $@

$(BUILD)/native_tests: $(NATIVE_TEST_OBJECTS) $(HOST_OBJECTS) $(ISA_OBJECTS)
	$(CXX) $(CXXFLAGS) -o $@ $^ $(ISA_LEFT_OUT) $(THREADS) -lxxhash -lzstd -lz -ldl

# The same sources with another build folder and other flags; ops for one instruction set.
ADDRESS := BUILD=$(BUILD)/address ISAS=portable CXXFLAGS="-O1 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined \
  -fno-sanitize-recover=undefined"
.PHONY: test-native sanitize-thread sanitize-address sanitize-typescript
test-native: $(BUILD)/native_tests
	$<
# ThreadSanitizer knows the pool's atomics, so nothing is suppressed. It has fixed places in memory, which some kernels give
# away unless addresses are not random. Four minutes with the compilation, on two cores.
sanitize-thread:
	$(MAKE) BUILD=$(BUILD)/thread ISAS=portable CXXFLAGS="-O1 -g1 -fsanitize=thread" $(BUILD)/thread/native_tests
	TSAN_OPTIONS=halt_on_error=0:exitcode=66 $$(setarch -R true 2> /dev/null && echo setarch -R) $(BUILD)/thread/native_tests
sanitize-address:
	$(MAKE) $(ADDRESS) $(BUILD)/address/native_tests
	ASAN_OPTIONS=detect_leaks=1 $(BUILD)/address/native_tests

# Ops, samplers and wrappers as TypeScript calls them, with the library under AddressSanitizer: ten minutes.
sanitize-typescript:
	$(MAKE) $(ADDRESS) $(BUILD)/address/libgust_cpu.so
	$(CC) -shared -fPIC -o $(BUILD)/address/altstack.so test/setup/altstack.c
	GUST_LIBRARY=$(BUILD)/address/libgust_cpu.so ASAN_OPTIONS=detect_leaks=0 \
	  LD_PRELOAD="$$($(CXX) -print-file-name=libasan.so) $$($(CXX) -print-file-name=libstdc++.so.6) $(BUILD)/address/altstack.so" \
	  $(BUN) test --timeout 600000 test/ffi test/core/tensor test/core/sampling

# A small experiment from a file to predictions under valgrind's memcheck: two minutes.
.PHONY: valgrind
valgrind: build
	@bash test/setup/system.sh valgrind || true
	@$(BUN) test/setup/valgrind.ts

# Targets of test/cu/fuzz on arbitrary bytes, SECONDS in all (0: only the files that are kept), under sanitizers: by
# libFuzzer where there is a clang that has it, else by test/cu/fuzz/driver.cpp, which knows no coverage. Of the library
# only what they need is built. What breaks one is kept in build/fuzz/kept.
FUZZ := $(BUILD)/fuzz
FUZZ_TARGETS := $(filter-out no_ops driver,$(patsubst test/cu/fuzz/%.cpp,%,$(wildcard test/cu/fuzz/*.cpp)))
FUZZ_HOST := $(filter $(addprefix cu/host/,parse_%.cpp build_%.cpp names.cpp texts.cpp csr.cpp csr_text.cpp checks.cpp \
  files.cpp spool.cpp spill.cpp memory.cpp pool.cpp device.cpp context.cpp sample_rows.cpp),$(HOST))
FUZZ_FLAGS := $(filter-out -W% -fno-gnu-unique,$(CXXBASE)) -O1 -g1 -fno-omit-frame-pointer $(ISA_portable) $(THREADS) \
  -fno-sanitize-recover=undefined -DGUST_TEXT_CHUNK=64
FUZZ_DRIVER := $(if $(findstring clang,$(FUZZ_CXX)),,$(FUZZ)/driver.o)
COMMA := ,
FUZZ_CHECKS := address,undefined$(if $(FUZZ_DRIVER),,$(COMMA)fuzzer)
.PHONY: fuzz fuzz-build fuzz-targets
fuzz: fuzz-build
	@$(BUN) test/reliability/fuzz/run_native.ts --seconds $(SECONDS) $(if $(ONLY),--only $(ONLY))
fuzz-build: build
	@bash test/setup/system.sh fuzz || true
	@$(MAKE) --no-print-directory fuzz-targets FUZZ_CXX="$$(bash test/setup/fuzzer.sh)"
fuzz-targets: $(FUZZ_TARGETS:%=$(FUZZ)/%)
$(FUZZ)/host/%.o: cu/host/%.cpp $(BUILD)/generated/ops.h
	@mkdir -p $(@D)
	$(FUZZ_CXX) $(FUZZ_FLAGS) -fsanitize=$(FUZZ_CHECKS:fuzzer=fuzzer-no-link) -c $< -o $@
$(FUZZ)/%.o: test/cu/fuzz/%.cpp test/cu/fuzz/fuzz.h
	@mkdir -p $(@D)
	$(FUZZ_CXX) $(FUZZ_FLAGS) -fsanitize=$(FUZZ_CHECKS:fuzzer=fuzzer-no-link) -c $< -o $@
# library.o as it always is: it asks for features of the processor by names that not every clang knows.
$(FUZZ)/%: $(FUZZ)/%.o $(FUZZ)/no_ops.o $(FUZZ_HOST:cu/host/%.cpp=$(FUZZ)/host/%.o) $(FUZZ_DRIVER) $(BUILD)/native/host/library.o
	$(FUZZ_CXX) -fsanitize=$(FUZZ_CHECKS) -o $@ $^ $(THREADS) -lxxhash -lzstd -lz -ldl
.SECONDARY: $(FUZZ_TARGETS:%=$(FUZZ)/%.o) $(FUZZ_HOST:cu/host/%.cpp=$(FUZZ)/host/%.o) $(FUZZ)/no_ops.o
-include $(wildcard $(FUZZ)/host/*.d)

# Files, processes and native code under fire (test/reliability): `make reliability SECONDS=3600 ONLY=fuzz,kills`.
SECONDS ?= 300
.PHONY: reliability
reliability: build $(BUILD)/faults.so
	@GUST_PROGRAM=$(BUILD)/gust $(BUN) test/reliability/run.ts --seconds $(SECONDS) $(if $(ONLY),--only $(ONLY)) \
	  --out $(BUILD)/reliability.json

# What fails calls and allocations on purpose: preloaded by its trial and tests.
$(BUILD)/faults.so: test/reliability/faults.cpp | $(SYSTEM)
	@mkdir -p $(@D)
	$(CXX) -std=c++20 -O2 -fPIC -shared -Wall -Wextra -Werror -o $@ $< -ldl -pthread

# What ends a program that opens a network connection, for tests.
$(BUILD)/no_network: test/setup/no_network.c | $(SYSTEM)
	@mkdir -p $(@D)
	$(CC) -O2 -Wall -Wextra -Werror -o $@ $<

# ---- program -----------------------------------------------------------------------------------------------------

# A compiled executable with bytecode starts several times faster than a launcher: everything is parsed beforehand. It would
# read bunfig.toml (whose preload is run), .env, tsconfig.json and package.json of the current folder if it were not told.
SOURCES := $(shell find cmd core ffi -name '*.ts')
$(BUILD)/gust: $(SOURCES) $(NPM)
	@mkdir -p $(BUILD)
	$(BUN) build --compile --bytecode --format=esm --no-compile-autoload-bunfig --no-compile-autoload-dotenv \
	  --no-compile-autoload-tsconfig --no-compile-autoload-package-json --outfile $@ cmd/gust.ts > $(BUILD)/compile.log || { cat $(BUILD)/compile.log; exit 1; }

# Manual pages, made of the tables that parse the command line: gust(1) and one per subcommand.
MAN := $(BUILD)/man/man1
.PHONY: man
man: $(MAN)/gust.1
$(MAN)/gust.1: $(BUILD)/gust | $(BUILD)/libgust_cpu.so
	@mkdir -p $(@D)
	rm -f $(MAN)/*.1
	for name in $$($< help --names); do $< help "$$name" --man -o $(MAN)/gust-$$name.1; done
	$< help --man -o $@

.PHONY: install
install: build man
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/lib
	install -m 755 $(BUILD)/gust $(DESTDIR)$(PREFIX)/bin/gust
	install -m 755 $(BUILD)/libgust_cpu.so $(wildcard $(BUILD)/libgust_cuda.so) $(DESTDIR)$(PREFIX)/lib
	install -d $(DESTDIR)$(PREFIX)/share/bash-completion/completions $(DESTDIR)$(PREFIX)/share/zsh/site-functions \
	  $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	install -d $(DESTDIR)$(PREFIX)/share/man/man1
	install -m 644 $(MAN)/*.1 $(DESTDIR)$(PREFIX)/share/man/man1
	$(BUILD)/gust completion bash > $(DESTDIR)$(PREFIX)/share/bash-completion/completions/gust
	$(BUILD)/gust completion zsh > $(DESTDIR)$(PREFIX)/share/zsh/site-functions/_gust
	$(BUILD)/gust completion fish > $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/gust.fish

# ---- demo --------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: build
	@PATH="$(CURDIR)/$(BUILD):$$PATH" bash fixtures/demo.sh $(BUILD)/demo

# ---- checks ------------------------------------------------------------------------------------------------------

.PHONY: test test-quick fmt lint types
test: build cuda $(BUILD)/libgust_emulated.so $(BUILD)/faults.so $(BUILD)/no_network test-native-log
	@$(BUN) test/setup/run.ts all
test-quick: build $(BUILD)/faults.so test-native-log
	@$(BUN) test/setup/run.ts quick
.PHONY: test-native-log
test-native-log: $(BUILD)/native_tests
	$< > $(BUILD)/native_tests.log 2>&1 || { cat $(BUILD)/native_tests.log; true; }

fmt: $(NPM)
	$(DENO) fmt
lint: $(NPM)
	$(DENO) fmt --check
	$(DENO) lint
types: $(NPM)
	node_modules/.bin/tsc -p .

# What gust is made of: licences, a bill of materials (CycloneDX), and what the registry knows against the packages.
.PHONY: licenses sbom audit
licenses: $(NPM)
	@$(BUN) test/setup/supply.ts licenses
sbom: $(NPM)
	@mkdir -p $(BUILD)
	@$(BUN) test/setup/supply.ts sbom > $(BUILD)/sbom.json && echo $(BUILD)/sbom.json
audit: $(NPM)
	@$(BUN) test/setup/supply.ts audit

# ---- comparison ---------------------------------------------------------------------------------------------------

# gust beside PyTorch, DGL and PyG. `peers` makes their virtual environments, outside of the tree (GUST_PEERS).
.PHONY: peers bench-peers bench-partition bench-depth bench-orders bench-rsc bench-variance bench-samplers bench-contest \
  bench-reorder bench-outofcore bench-feature-cache
peers:
	bash test/peers/setup.sh
bench-peers: build
	@$(BUN) test/peers/bench_peers.ts cpu $(ONLY)

# Cuts and times of the partitioner beside gpmetis on real graphs: `make bench-partition ONLY="8,32 1 cora,citeseer"`.
bench-partition: build
	@command -v gpmetis > /dev/null || apt-get install -y -qq metis
	@$(BUN) test/peers/partition_quality.ts $(ONLY)
	@$(DENO) fmt -q test/peers/results

# Depth and the enhanced diagonal of Cluster-GCN on a generated graph of the size of PPI: half an hour on two threads.
bench-depth: build
	GUST_PROGRAM=$(BUILD)/gust $(BUN) fixtures/experiments/depth.ts $(ONLY) --out test/peers/results/depth.json
	@$(DENO) fmt -q test/peers/results

# Products before and after graphs are ordered by parts: `make bench-orders ONLY="5 r18,community /tmp/graphs"`.
bench-orders: build
	@$(BUN) test/peers/spmm_orders.ts $(ONLY)
	@$(DENO) fmt -q test/peers/results

# Sampled backward products beside exact ones: a quarter of an hour on two threads, or `make bench-rsc ONLY=sparse,dense`.
bench-rsc: build
	@$(BUN) test/peers/rsc.ts $(ONLY)
	@$(DENO) fmt -q test/peers/results

# Variance of sampled gradients on cora (1,208 training nodes) and a generated graph of 100,000 nodes: five minutes.
REAL_GRAPHS := $(or $(GUST_DATA),../shared/data)
VARIANCE := $(BUILD)/variance
bench-variance: build
	@mkdir -p $(VARIANCE)
	$(BUILD)/gust import $(REAL_GRAPHS)/cora/cora.npz -o $(VARIANCE)/all -q --force
	$(BUILD)/gust split $(VARIANCE)/all --method random --train 1208 --val 500 --test 1000 -o $(VARIANCE)/cora -q --force
	$(BUILD)/gust partition $(VARIANCE)/cora -k 21 -o $(VARIANCE)/cora.parts -q --force
	$(BUILD)/gust bench variance $(VARIANCE)/cora $(VARIANCE)/cora.parts --json=test/peers/results/variance.json
	$(BUILD)/gust generate sbm --nodes 100000 --degree 10 --classes 10 --features 32 --feature-noise 6 --homophily 0.6 \
	  --train-per-class 1000 --val-per-class 300 -o $(VARIANCE)/generated -q --force
	$(BUILD)/gust partition $(VARIANCE)/generated -k 780 -o $(VARIANCE)/generated.parts -q --force
	$(BUILD)/gust bench variance $(VARIANCE)/generated $(VARIANCE)/generated.parts --draws 50 \
	  --samplers uniform,mvs,neighbor,vrgcn,cluster \
	  --json=test/peers/results/variance_generated.json
	@$(DENO) fmt -q test/peers/results

# Minimal variance sampling beside even draws, in training: ten minutes on two threads.
bench-samplers: build
	GUST_PROGRAM=$(BUILD)/gust $(BUN) fixtures/experiments/samplers.ts $(REAL_GRAPHS)/cora/cora.npz $(ONLY) \
	  --out test/peers/results/samplers.json
	@$(DENO) fmt -q test/peers/results

# Cluster-GCN beside vrgcn on a generated graph of the size of Amazon2M: 12 GB of memory, minutes to half an hour.
bench-contest: build
	GUST_PROGRAM=$(BUILD)/gust $(BUN) fixtures/experiments/contest.ts $(ONLY) --out test/peers/results/contest.json
	@$(DENO) fmt -q test/peers/results

# Orders of layers' products, what --reorder auto takes, predicted against counted work; on one thread, whose shortest times
# other work disturbs least. `make bench-reorder WIDTHS=8,16,32,64,128,256,512,1024` takes minutes.
WIDTHS ?= 8,32,128,512
bench-reorder: build
	@$(BUILD)/gust bench reorder -@ 1 --nodes 1000 --nnz 10000 --width $(WIDTHS) --runs 21 -q \
	  --json=test/peers/results/reorder.json
	@$(DENO) fmt -q test/peers/results

# Epochs on features that do not fit memory, in a control group: `make bench-outofcore ONLY="--nodes 262144 --memory 340M"`.
bench-outofcore: build
	$(BUILD)/gust bench outofcore $(ONLY) --json=test/peers/results/outofcore.json
	@$(DENO) fmt -q test/peers/results

# Feature caches beside the best ones of their size: a minute, or `make bench-feature-cache ONLY=cora,rmat`.
bench-feature-cache: build
	@GUST_PROGRAM=$(BUILD)/gust $(BUN) test/peers/feature_cache.ts $(ONLY)
	@$(DENO) fmt -q test/peers/results

# ---- on a machine with a GPU --------------------------------------------------------------------------------------

# `make test-cuda bench-cuda`, with -k to measure even where a test failed: one after the other.
ifneq ($(filter bench-cuda,$(MAKECMDGOALS)),)
.NOTPARALLEL:
endif

# Nothing is built where there is no GPU.
.PHONY: gpu test-cuda bench-cuda
gpu:
	@compgen -G '/dev/nvidia[0-9]*' >/dev/null || [ -e /dev/dxg ] || \
	  { echo "make: there is no NVIDIA GPU on this machine (no /dev/nvidia0), expected one: nothing is done" >&2; exit 1; }
	@$(MAKE) build cuda
	@ldconfig -p | grep -q libcublasLt.so || [ -e $(CUBLAS) ] || $(PIP) --target $(BUILD)/cuda/toolkit -r test/setup/cublas.txt

# Dense products of a GPU: that of the machine, or NVIDIA's package. (An empty part of the path would be the current folder.)
CUBLAS := $(BUILD)/cuda/toolkit/nvidia/cu13/lib/libcublasLt.so.13
test-cuda bench-cuda: export LD_LIBRARY_PATH := $(if $(LD_LIBRARY_PATH),$(LD_LIBRARY_PATH):)$(CUDA_HOME)/lib64:$(CURDIR)/$(dir $(CUBLAS))

# The tests of deviceTests (test/_device.ts), then compute-sanitizer and training (test/setup/cuda.ts).
test-cuda: gpu
	@$(BUN) test/setup/run.ts device cuda
	@CUDA_HOME=$(CUDA_HOME) $(BUN) test/setup/cuda.ts

# gust beside PyTorch, Triton, PyG and DGL, as far as GUST_PEERS_PYTHON has them; empty: those of `make peers`.
GUST_PEERS_PYTHON ?= python3
bench-cuda: gpu
	@GUST_PEERS_PYTHON="$(GUST_PEERS_PYTHON)" $(BUN) test/peers/bench_peers.ts cuda $(ONLY)
	@$(DENO) fmt -q test/peers/results

.PHONY: clean
clean:
	rm -rf $(BUILD)
