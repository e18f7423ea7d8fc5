# Thin: the commands live in tools/. `make serve` and `make test` are the same as tools/serve and tools/test.
.PHONY: serve test gpu-test gpu-bundle gpu-bench check bench bench-suite format soak clean

serve:
	tools/serve

test:
	tools/test

gpu-test:
	tools/setup.sh --cuda
	tools/test --preset cuda gpu_device

gpu-bundle:
	tools/gpu_bundle

gpu-bench:
	tools/gpu_bench

check:
	tools/check.sh

bench:
	tools/bench

bench-suite:
	tools/bench_suite

format:
	git ls-files '*.cpp' '*.hpp' '*.cu' '*.cuh' | xargs clang-format-14 -i

soak:
	tools/soak

clean:
	rm -rf build
