#pragma once

#include <memory>
#include <string>
#include <vector>

#include "files/mapped_file.hpp"
#include "model/tensor_table.hpp"
#include "model/weights.hpp"

namespace lorica {

/// Vectors that a file stores in another way than they are used. Views of them outlive a move.
class rewritten_tensors {
 public:
  /// Takes a row and gives a view of it.
  tensor_view keep(std::vector<float> row);

 private:
  std::vector<std::vector<float>> rows_;
};

/// `model_weights` over mapped files, plus the few tensors that had to be rewritten. Keeps both alive.
class mapped_weights final : public model_weights {
 public:
  mapped_weights(model_config config, model_tensors tensors,
                 std::vector<std::shared_ptr<const mapped_file>> files, rewritten_tensors rewritten);

  void release_pages() const noexcept override;

 private:
  std::vector<std::shared_ptr<const mapped_file>> files_;
  rewritten_tensors rewritten_;
};

/// Opens a directory with `config.json` and `model.safetensors` or its shards.
result<std::shared_ptr<const model_weights>> open_hf_model(const std::string& directory);

/// Opens a `.gguf` file.
result<std::shared_ptr<const model_weights>> open_gguf_model(const std::string& path);

}  // namespace lorica
