#include "text/chat_template_source.hpp"

#include <algorithm>
#include <filesystem>

#include "core/json.hpp"
#include "core/shown.hpp"
#include "files/mapped_file.hpp"
#include "files/read_file.hpp"

namespace lorica {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t config_limit = std::size_t{16} << 20;
constexpr std::size_t most_templates = 32;
constexpr std::size_t longest_token = 1'000;  // bytes

void note(chat_template_source& out, std::string_view file, error why) {
  if (out.problem) return;
  out.problem = fail(errc::bad_model, std::string(file) + ": " + why.text);
}

void add(chat_template_source& out, std::string name, std::string text) {
  if (out.templates.size() < most_templates) out.templates.push_back({std::move(name), std::move(text)});
}

bool is_there(const fs::path& path) {
  std::error_code code;
  return fs::exists(path, code);
}

void read_template(const fs::path& path, std::string name, chat_template_source& out) {
  auto text = read_file(path, chat_template::source_limit);
  if (!text) return note(out, path.filename().string(), text.error());
  add(out, std::move(name), *std::move(text));
}

void read_template_files(const fs::path& directory, chat_template_source& out) {
  if (is_there(directory / "chat_template.jinja"))
    read_template(directory / "chat_template.jinja", "default", out);
  std::error_code code;
  std::vector<fs::path> more;
  for (fs::directory_iterator at(directory / "additional_chat_templates", code), end; !code && at != end;
       at.increment(code))
    if (at->path().extension() == ".jinja" && more.size() < most_templates) more.push_back(at->path());
  std::sort(more.begin(), more.end());
  for (auto& path : more)
    read_template(path, path.stem().string(), out);
}

// `chat_template`: a text, or a list of {name, template}.
void take_templates(const value& config, chat_template_source& out) {
  auto found = config.find("chat_template");
  if (!found) return;
  if (auto text = found->as_string()) return add(out, "default", *text);
  auto list = found->as_array();
  if (!list)
    return note(out, "tokenizer_config.json",
                fail(errc::bad_model, "chat_template must be a text or a list"));
  for (auto& entry : *list) {
    auto name = entry.find("name"), text = entry.find("template");
    if (name && text && name->as_string() && text->as_string())
      add(out, *name->as_string(), *text->as_string());
    else
      note(out, "tokenizer_config.json",
           fail(errc::bad_model, "chat_template: an entry lacks name or template"));
  }
}

// Members that end in `_token` and are texts, or objects with a `content`. Those found before stay.
void take_tokens(const value& config, chat_template_source& out) {
  auto members = config.as_object();
  if (!members) return;
  for (auto& [name, v] : *members) {
    auto text = v.as_object() ? v.find("content") : &v;
    if (!name.ends_with("_token") || !text || !text->as_string() || text->as_string()->size() > longest_token)
      continue;
    bool known = std::any_of(out.special_tokens.begin(), out.special_tokens.end(),
                             [&](auto& token) { return token.first == name; });
    if (!known) out.special_tokens.emplace_back(name, *text->as_string());
  }
}

std::optional<value> read_config(const fs::path& path, chat_template_source& out) {
  if (!is_there(path)) return std::nullopt;
  auto text = read_file(path, config_limit);
  auto tree = text ? parse_json(*text, {.max_bytes = config_limit}) : result<value>(text.error());
  if (tree) return *std::move(tree);
  note(out, path.filename().string(), tree.error());
  return std::nullopt;
}

chat_template_source read_directory(const fs::path& directory) {
  chat_template_source out;
  read_template_files(directory, out);
  auto config = read_config(directory / "tokenizer_config.json", out);
  if (config && out.templates.empty()) take_templates(*config, out);
  if (config) take_tokens(*config, out);
  if (auto map = read_config(directory / "special_tokens_map.json", out)) take_tokens(*map, out);
  return out;
}

}  // namespace

chat_template_source gguf_chat_templates(const gguf_header& header) {
  constexpr std::string_view key = "tokenizer.chat_template";
  chat_template_source out;
  for (auto& [name, v] : header.metadata) {
    auto text = std::get_if<std::string_view>(&v);
    if (!text || !name.starts_with(key)) continue;
    auto rest = name.substr(key.size());
    if (rest.empty()) add(out, "default", std::string(*text));
    if (rest.size() > 1 && rest[0] == '.') add(out, std::string(rest.substr(1)), std::string(*text));
  }
  auto tokens = header.find_array("tokenizer.ggml.tokens");
  auto words = tokens ? tokens->strings() : std::nullopt;
  if (!words) return out;
  constexpr std::pair<std::string_view, std::string_view> ids[] = {
      {"bos_token", "bos_token_id"},       {"eos_token", "eos_token_id"},
      {"unk_token", "unknown_token_id"},   {"pad_token", "padding_token_id"},
      {"sep_token", "seperator_token_id"}, {"cls_token", "cls_token_id"},
      {"mask_token", "mask_token_id"}};
  for (auto& [token, field] : ids) {
    auto id = header.find_unsigned("tokenizer.ggml." + std::string(field));
    if (id && *id < words->size()) out.special_tokens.emplace_back(token, std::string((*words)[*id]));
  }
  return out;
}

chat_template_source read_chat_templates(const std::string& model_path) {
  std::error_code code;
  if (fs::is_directory(model_path, code)) return read_directory(model_path);
  chat_template_source out;
  auto file = mapped_file::open(model_path);
  if (!file) {
    note(out, file_name(model_path), file.error());
    return out;
  }
  auto header = parse_gguf((*file)->bytes());
  if (header) return gguf_chat_templates(*header);
  note(out, file_name(model_path), header.error());
  return out;
}

}  // namespace lorica
