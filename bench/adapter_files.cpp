#include "bench/adapter_files.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <span>
#include <stdexcept>

#include "adapters/tensor_names.hpp"
#include "bench/workload.hpp"
#include "core/json.hpp"

namespace lorica::bench {
namespace {

namespace fs = std::filesystem;

struct tensor {
  std::string name;
  std::uint64_t rows;
  std::span<const float> numbers;
};

/// What lies in memory of a file is as it was written, in small pieces. From now on it is on the disk only,
/// so that it will be read from there as a file is that somebody left there.
void leave_on_disk(const fs::path& path) {
  int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0 || ::fsync(file) != 0 || ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED) != 0)
    throw std::runtime_error(path.filename().string() + " cannot be brought to the disk");
  ::close(file);
}

void write_weights(const fs::path& path, const std::vector<tensor>& tensors) {
  json_writer header;
  header.begin_object();
  std::uint64_t at = 0;
  for (auto& t : tensors) {
    header.key(t.name).begin_object().key("dtype").string("F32").key("shape").begin_array();
    header.unsigned_integer(t.rows).unsigned_integer(t.numbers.size() / t.rows).end_array();
    header.key("data_offsets").begin_array().unsigned_integer(at);
    header.unsigned_integer(at += t.numbers.size_bytes()).end_array().end_object();
  }
  auto text = header.end_object().take();
  std::ofstream out(path, std::ios::binary);
  const std::uint64_t length = text.size();
  out.write(reinterpret_cast<const char*>(&length), sizeof length) << text;
  for (auto& t : tensors)
    out.write(reinterpret_cast<const char*>(t.numbers.data()),
              static_cast<std::streamsize>(t.numbers.size_bytes()));
  if (!out.flush()) throw std::runtime_error(path.filename().string() + " cannot be written");
  out.close();
  leave_on_disk(path);
}

void write_adapter(const fs::path& directory, const adapter_weights& weights, std::uint32_t rank) {
  fs::create_directories(directory);
  std::vector<tensor> tensors;
  for (auto& site : weights.sites) {
    auto path = "base_model.model." + module_path("model.", site.layer, site.where);
    tensors.push_back({path + ".lora_A.weight", site.rank, site.a});
    tensors.push_back({path + ".lora_B.weight", site.out, site.b});
  }
  write_weights(directory / "adapter_model.safetensors", tensors);
  std::ofstream(directory / "adapter_config.json")
      << R"({"peft_type":"LORA","task_type":"CAUSAL_LM","target_modules":"all-linear","r":)" << rank
      << R"(,"lora_alpha":)" << 2 * rank << "}";
}

}  // namespace

adapter_files::adapter_files(const model_config& m, std::uint32_t rank, std::uint32_t count)
    : root_((fs::temp_directory_path() / ("lorica-bench-" + std::to_string(::getpid()))).string()) {
  for (std::uint32_t i = 0; i < count; ++i)
    write_adapter(fs::path(root_) / std::to_string(i), random_adapter(m, rank, i), rank);
}

adapter_files::~adapter_files() {
  std::error_code ignored;
  fs::remove_all(root_, ignored);
}

}  // namespace lorica::bench
