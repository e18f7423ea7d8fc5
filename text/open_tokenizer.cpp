#include <filesystem>

#include "files/gguf.hpp"
#include "files/mapped_file.hpp"
#include "files/read_file.hpp"
#include "text/gguf_vocabulary.hpp"
#include "text/tokenizer.hpp"
#include "text/tokenizer_json.hpp"
#include "text/tokenizer_parts.hpp"

namespace lorica {
namespace {

// Whatever is wrong with a file of the base model, the model is refused; the text keeps what it was.
error named(error e, std::string_view what) {
  e.text = std::string(what).append(": ").append(e.text);
  e.code = errc::bad_model;
  e.reason.clear();
  return e;
}

result<std::shared_ptr<const tokenizer>> open_directory(const std::filesystem::path& directory) {
  auto text = read_file(directory / "tokenizer.json", tokenizer_json_limit);
  if (!text) return named(std::move(text).error(), "tokenizer");
  return parse_tokenizer_json(*text);
}

result<std::shared_ptr<const tokenizer>> open_gguf(const std::string& path) {
  auto file = mapped_file::open(path);
  if (!file) return named(std::move(file).error(), "tokenizer");
  auto header = parse_gguf((*file)->bytes());
  if (!header) return named(std::move(header).error(), file_name(path));
  auto words = read_vocabulary(*header);
  if (!words) return named(std::move(words).error(), file_name(path));
  auto parts = describe(*std::move(words));
  if (!parts) return named(std::move(parts).error(), file_name(path));
  return build_tokenizer(*std::move(parts));
}

}  // namespace

result<std::shared_ptr<const tokenizer>> open_tokenizer(const std::string& model_path) {
  std::error_code code;
  if (std::filesystem::is_directory(model_path, code)) return open_directory(model_path);
  return open_gguf(model_path);
}

}  // namespace lorica
