#include <filesystem>
#include <fstream>

#include "text/tokenizer.hpp"
#include "text/tokenizer_json.hpp"

namespace lorica {
namespace {

result<std::string> read_json_file(const std::filesystem::path& path) {
  std::error_code code;
  auto size = std::filesystem::file_size(path, code);
  if (code) return fail(errc::bad_model, "the model's directory holds no readable tokenizer.json");
  if (size > tokenizer_json_limit) return fail(errc::bad_model, "tokenizer.json is longer than 128 MiB");
  std::ifstream file(path, std::ios::binary);
  std::string text(static_cast<std::size_t>(size), '\0');
  if (!file.read(text.data(), static_cast<std::streamsize>(text.size())))
    return fail(errc::io, "tokenizer.json could not be read");
  return text;
}

}  // namespace

result<std::shared_ptr<const tokenizer>> open_tokenizer(const std::string& model_path) {
  std::error_code code;
  if (!std::filesystem::is_directory(model_path, code))
    return fail(errc::bad_model, "a tokenizer is read from a model's directory");
  auto text = read_json_file(std::filesystem::path(model_path) / "tokenizer.json");
  if (!text) return std::move(text).error();
  return parse_tokenizer_json(*text);
}

}  // namespace lorica
