#pragma once

#include <iosfwd>
#include <span>
#include <string>

namespace lorica::bench {

/// How the program ends.
enum class gpu_bench_exit : int { done = 0, failed = 1, wrong_flag = 2, no_device = 3, out_of_time = 4 };

/// The program: `words` are its arguments without its name, `out` its standard output, `told` its standard
/// error.
gpu_bench_exit run_gpu_bench(std::span<const std::string> words, std::ostream& out, std::ostream& told);

}  // namespace lorica::bench
