#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/reader.hpp"

namespace lorica {

/// A tensor as the fixture writes it.
struct fixture_tensor {
  std::string name;
  std::string dtype;
  std::vector<std::uint64_t> shape;
  std::string bytes;
};

/// A float32 tensor with numbers that depend on `seed` only, in [-1, 1).
fixture_tensor random_tensor(std::string name, std::vector<std::uint64_t> shape, std::uint32_t seed);

/// A float32 tensor of one number.
fixture_tensor filled_tensor(std::string name, std::vector<std::uint64_t> shape, float number);

/// A file that holds the tensors in this order.
std::string safetensors_image(const std::vector<fixture_tensor>& tensors);

/// An adapter before it is written: fields of the config as JSON text, tensors.
struct fixture_adapter {
  std::map<std::string, std::string> config;
  std::vector<fixture_tensor> tensors;

  std::string config_text() const;
  fixture_tensor& tensor(std::string_view part);  ///< the first whose name holds `part`
};

/// Small enough to write in a microsecond: 2 layers, hidden 16, 4 heads and 2 kv heads of 4, ffn 24.
model_config fixture_base();

/// A good adapter for it: rank 4, alpha 8, q_proj and v_proj of both layers.
fixture_adapter good_adapter();

/// Both factors of a module with random numbers, named as PEFT does.
void add_module(fixture_adapter& adapter, const std::string& path, std::uint64_t rank, std::uint64_t in,
                std::uint64_t out, std::uint32_t seed);

/// `lora_bias` with a bias for every module that has none.
void add_biases(fixture_adapter& adapter);

/// `use_dora` with a magnitude for every module that has none.
void add_magnitudes(fixture_adapter& adapter);

/// LoRA of the embedding (rank 4) and the head (rank 3, by pattern).
void add_outer(fixture_adapter& adapter);

/// `modules_to_save` with full copies of both.
void add_copies(fixture_adapter& adapter);

/// A directory that is removed with everything in it.
class scratch_directory {
 public:
  scratch_directory();
  ~scratch_directory();
  scratch_directory(const scratch_directory&) = delete;
  scratch_directory& operator=(const scratch_directory&) = delete;

  const std::string& path() const noexcept { return path_; }
  void write(const std::string& name, std::string_view content) const;
  void write(const fixture_adapter& adapter) const;

 private:
  std::string path_;
};

/// Writes and reads with the fixture's base.
result<loaded_adapter> read_back(const fixture_adapter& adapter, const reader_limits& limits = {});

}  // namespace lorica
