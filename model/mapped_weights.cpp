#include "model/mapped_weights.hpp"

#include <filesystem>
#include <utility>

#include "files/read_file.hpp"

namespace lorica {

tensor_view rewritten_tensors::keep(std::vector<float> row) {
  rows_.push_back(std::move(row));
  // Moving a vector keeps its storage in place.
  auto& kept = rows_.back();
  return {tensor_type::f32, 1, kept.size(), std::as_bytes(std::span(kept)), 0};
}

mapped_weights::mapped_weights(model_config config, model_tensors tensors,
                               std::vector<std::shared_ptr<const mapped_file>> files,
                               rewritten_tensors rewritten)
    : files_(std::move(files)), rewritten_(std::move(rewritten)) {
  config_ = std::move(config);
  embedding_ = tensors.embedding;
  head_ = tensors.head;
  final_norm_ = tensors.final_norm;
  layers_ = std::move(tensors.layers);
}

void mapped_weights::release_pages() const noexcept {
  for (auto& file : files_)
    file->release_pages();
}

result<std::shared_ptr<const model_weights>> open_model(const std::string& path) {
  std::error_code problem;
  auto status = std::filesystem::status(path, problem);
  if (std::filesystem::is_directory(status)) return open_hf_model(path);
  if (std::filesystem::is_regular_file(status)) return open_gguf_model(path);
  return fail(errc::io, "the model '" + std::string(file_name(path)) +
                            "' is neither a directory nor a .gguf file, or may not be read");
}

}  // namespace lorica
