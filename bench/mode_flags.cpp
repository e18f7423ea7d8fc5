#include "bench/mode_flags.hpp"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <thread>

namespace lorica::bench {

cpu_mode mode_flags::mode() const {
  return {dtype == "float32" ? cpu_dtype::float32 : cpu_dtype::bfloat16, dtype == "int8",
          adapter_dtype == "int8", kv_cache_dtype == "int8"};
}

std::optional<isa> mode_flags::wanted() const {
  for (auto i : {isa::portable, isa::avx2, isa::avx_vnni, isa::avx512})
    if (to_string(i) == instructions) return i;
  return std::nullopt;
}

std::uint32_t mode_flags::members() const {
  return threads != 0 ? threads : std::max(1u, std::thread::hardware_concurrency());
}

void mode_flags::apply(cpu_options& o) const {
  o.mode = mode();
  o.threads = threads;
  o.instructions = wanted();
}

void add_dtype_flags(CLI::App& app, mode_flags& f) {
  app.add_option("--dtype", f.dtype)
      ->check(CLI::IsMember({"int8", "bfloat16", "float32"}))
      ->capture_default_str();
  app.add_option("--adapter-dtype", f.adapter_dtype, "int8 counts with --dtype int8 only")
      ->check(CLI::IsMember({"int8", "bfloat16"}))
      ->capture_default_str();
  app.add_option("--kv-cache-dtype", f.kv_cache_dtype, "int8: keys and values as codes, not with float32")
      ->check(CLI::IsMember({"auto", "int8"}))
      ->capture_default_str();
}

void add_machine_flags(CLI::App& app, mode_flags& f) {
  app.add_option("--isa", f.instructions)
      ->check(CLI::IsMember({"auto", "avx512", "avx_vnni", "avx2", "portable"}))
      ->capture_default_str();
  app.add_option("--threads", f.threads, "0: as many as the machine has")
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
}

}  // namespace lorica::bench
