// How fast the products of the CPU executor are, beside what the machine can do: bytes of weights per second
// and operations per second (a multiplication and an addition are two), for rows from 1 to 512. Weights go
// round a pool larger than the caches, so that each call finds them in memory, as a step does. A table goes
// to standard error, one line of JSON to standard output. Run: build/release/bin/lorica-bench-kernels

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/machine_load.hpp"
#include "bench/mode_flags.hpp"
#include "bench/must.hpp"
#include "bench/workload.hpp"
#include "core/json.hpp"
#include "cpu/kernels.hpp"
#include "cpu/mapped_memory.hpp"
#include "cpu/packed_weights.hpp"
#include "cpu/thread_team.hpp"

namespace {

using namespace lorica;
using clock_type = std::chrono::steady_clock;

struct settings {
  bench::mode_flags how;
  std::uint32_t depth = 576;
  std::uint32_t outputs = 3072;
  std::uint64_t pool = std::uint64_t{1} << 28;  ///< bytes of weights
  double seconds = 0.25;                        ///< of each measurement
  std::vector<std::uint32_t> rows = {1, 2, 4, 8, 12, 16, 32, 128, 512};
  std::vector<std::string> weights = {"float32", "bfloat16", "q8_0", "q4_0", "q4_1"};
};

void add_flags(CLI::App& app, settings& s) {
  bench::add_machine_flags(app, s.how);
  app.add_option("--depth", s.depth)->check(CLI::Range(1, 1 << 20))->capture_default_str();
  app.add_option("--outputs", s.outputs)->check(CLI::Range(1, 1 << 20))->capture_default_str();
  app.add_option("--pool", s.pool, "bytes of weights that are gone through")->capture_default_str();
  app.add_option("--seconds", s.seconds, "of each measurement")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--rows", s.rows, "of inputs, one measurement each")
      ->check(CLI::Range(1, 1 << 16))
      ->capture_default_str();
  app.add_option("--weights", s.weights, "formats")->check(CLI::IsMember(s.weights))->capture_default_str();
}

/// Matrices of one format with inputs, as many as fill the pool. Their numbers are zeros but for a pattern
/// that keeps sums finite: the time does not depend on them.
class matrices {
 public:
  matrices(const settings& s, weight_format f, std::uint32_t rows)
      : format_(f),
        rows_(rows),
        depth_(s.depth),
        blocks_(s.outputs / block_outputs),
        matrix_bytes_(std::uint64_t{blocks_} * (depth_ / depth_multiple) * group_bytes(f)),
        count_(std::max<std::uint64_t>(1, s.pool / matrix_bytes_)) {
    auto memory = mapped_memory::allocate(matrix_bytes_ * count_, "weights");
    if (!memory) throw std::runtime_error(memory.error().text);
    weights_ = *std::move(memory);
    std::memset(weights_.data(), 0x11, weights_.size());
    const auto element = f == weight_format::float32 ? sizeof(float) : sizeof(std::uint16_t);
    stride_ = is_quantised(f) ? depth_ / depth_multiple + 1 : depth_ + depth_multiple;
    inputs_.resize(std::size_t{rows} * stride_ * (is_quantised(f) ? sizeof(input_group) : element) + 64);
    outputs_.resize(std::size_t{rows} * (s.outputs + 16));
  }

  double bytes() const { return static_cast<double>(matrix_bytes_); }

  /// One product of matrix `number`, as the team does it.
  void multiply(const kernel_table& kernels, std::uint64_t number, thread_team& team) {
    const auto* weights = weights_.data() + number % count_ * matrix_bytes_;
    team.run([&](unsigned member) {
      const auto mine = share_of(blocks_, member, team.members());
      gemm_args a;
      a.x = inputs();
      a.x_stride = stride_;
      a.rows = rows_;
      a.weights = weights + mine.first * (matrix_bytes_ / blocks_);
      a.depth = depth_;
      a.blocks = mine.last - mine.first;
      a.y = outputs_.data() + std::size_t{mine.first} * block_outputs;
      a.y_stride = blocks_ * block_outputs + 16;
      kernels.gemm_for(format_)(a);
    });
  }

 private:
  const void* inputs() const noexcept {
    const auto at = reinterpret_cast<std::uintptr_t>(inputs_.data());
    return inputs_.data() + (64 - at % 64) % 64;
  }

  weight_format format_;
  std::uint32_t rows_, depth_, blocks_;
  std::uint64_t matrix_bytes_, count_;
  std::size_t stride_ = 0;
  mapped_memory weights_;
  std::vector<std::byte> inputs_;
  std::vector<float> outputs_;
};

struct measured {
  double seconds = 0;  ///< of one product, the least
  double foreign = 0;
};

measured measure(matrices& m, const kernel_table& kernels, thread_team& team, double seconds) {
  bench::machine_load load;
  measured out{1e9, 0};
  const auto start = clock_type::now();
  std::uint64_t number = 0;
  // Several products at a time, so that the clock and the start of the team cost nothing beside them.
  for (auto begin = start; begin < start + std::chrono::duration<double>(seconds);) {
    constexpr int at_once = 4;
    for (int i = 0; i < at_once; ++i)
      m.multiply(kernels, number++, team);
    const auto end = clock_type::now();
    out.seconds = std::min(out.seconds, std::chrono::duration<double>(end - begin).count() / at_once);
    begin = end;
  }
  out.foreign = load.foreign();
  return out;
}

void measure_all(const settings& s) {
  const auto chosen = bench::must(choose_isa(s.how.wanted()));
  const auto threads = s.how.members();
  thread_team team(threads);
  const double bandwidth = bench::memory_bandwidth(threads);
  std::fprintf(stderr, "%s, %u threads, depth %u, outputs %u, memory reads %.1f GB/s\n",
               std::string(to_string(chosen)).c_str(), threads, s.depth, s.outputs, bandwidth / 1e9);
  std::fprintf(stderr, "%-10s %6s %10s %9s %8s %10s %8s\n", "weights", "rows", "product", "GB/s", "of it",
               "GOP/s", "foreign");
  json_writer json;
  json.begin_object().key("instructions").string(std::string(to_string(chosen)));
  json.key("threads").unsigned_integer(threads).key("depth").unsigned_integer(s.depth);
  json.key("outputs").unsigned_integer(s.outputs).key("memory_bytes_per_second").number(bandwidth);
  json.key("results").begin_array();
  for (auto f : {weight_format::float32, weight_format::bfloat16, weight_format::q8_0, weight_format::q4_0,
                 weight_format::q4_1}) {
    if (std::ranges::find(s.weights, to_string(f)) == s.weights.end()) continue;
    for (auto rows : s.rows) {
      const auto dtype = f == weight_format::float32 ? cpu_dtype::float32 : cpu_dtype::bfloat16;
      matrices m(s, f, rows);
      const auto found = measure(m, kernels_for(chosen, dtype), team, s.seconds);
      const double bytes = m.bytes() / found.seconds;
      const double operations = 2.0 * s.depth * s.outputs * rows / found.seconds;
      std::fprintf(stderr, "%-10s %6u %7.3f ms %9.1f %6.0f %% %10.0f %6.1f %%\n",
                   std::string(to_string(f)).c_str(), rows, found.seconds * 1e3, bytes / 1e9,
                   100 * bytes / bandwidth, operations / 1e9, 100 * found.foreign);
      json.begin_object().key("weights").string(std::string(to_string(f)));
      json.key("rows").unsigned_integer(rows).key("seconds").number(found.seconds);
      json.key("bytes_per_second").number(bytes).key("operations_per_second").number(operations);
      json.key("foreign_load").number(found.foreign).end_object();
    }
  }
  json.end_array().end_object();
  std::printf("%s\n", json.take().c_str());
}

}  // namespace

int main(int argc, char** argv) {
  settings s;
  CLI::App app("How fast the products of the CPU executor are");
  add_flags(app, s);
  CLI11_PARSE(app, argc, argv);
  s.depth = padded_depth(s.depth);
  s.outputs = padded_depth(s.outputs);
  try {
    measure_all(s);
    return EXIT_SUCCESS;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "lorica-bench-kernels: %s\n", e.what());
    return EXIT_FAILURE;
  }
}
