// How fast the CUDA executor is, beside what the card can do: the cases G-1 to G-10 of docs/performance.md.
// Run: build/cuda/bin/gpu_bench --output gpu.json
#include <cstdio>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

#include "bench/gpu/gpu_bench.hpp"

int main(int argc, char** argv) {
  try {
    const std::vector<std::string> words(argv + 1, argv + argc);
    return static_cast<int>(lorica::bench::run_gpu_bench(words, std::cout, std::cerr));
  } catch (const std::exception& e) {
    std::fprintf(stderr, "gpu_bench: %s\n", e.what());
    return static_cast<int>(lorica::bench::gpu_bench_exit::failed);
  }
}
