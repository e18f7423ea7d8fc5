#include "text/gguf_vocabulary.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "core/checked.hpp"
#include "core/utf8.hpp"
#include "text/vocabulary.hpp"

namespace lorica {
namespace {

constexpr std::string_view byte_level_model = "gpt2";
constexpr std::string_view sentencepiece_model = "llama";

void add_tokens(gguf_vocabulary& file, tokenizer_parts& parts) {
  parts.tokens.reserve(file.tokens.size());
  for (std::size_t i = 0; i < file.tokens.size(); ++i) {
    auto id = static_cast<token_id>(i);
    auto type = file.token_types.empty() ? gguf_token::normal : file.token_types[i];
    bool special = type == gguf_token::control || type == gguf_token::unknown;
    if (special || type == gguf_token::user_defined)
      parts.added.push_back({.id = id, .content = file.tokens[i], .special = special});
    parts.tokens.emplace_back(file.tokens[i], id);
  }
}

// The one token around a text, by its field's name; nothing when the file does not want it.
result<std::vector<token_id>> around(bool wanted, std::optional<token_id> id, std::string_view key) {
  if (!wanted) return std::vector<token_id>{};
  if (!id) return fail(errc::bad_model, "tokenizer.ggml." + std::string(key) + " is missing but asked for");
  return std::vector<token_id>{*id};
}

// Reads keys by name and remembers the first that is of another kind.
class key_reader {
 public:
  explicit key_reader(const gguf_header& header) : header_(header) {}

  std::string text(std::string_view key) {
    auto s = header_.find_string(name(key));
    if (!s && present(key)) refuse(key, "must be a string");
    return s ? std::string(*s) : std::string();
  }

  std::optional<bool> flag(std::string_view key) {
    auto b = header_.find_bool(name(key));
    if (b) return *b;
    if (present(key)) refuse(key, "must be a boolean");
    return std::nullopt;
  }

  std::optional<token_id> id(std::string_view key) {
    if (!present(key)) return std::nullopt;
    auto number = header_.find_unsigned(name(key));
    auto id = number ? checked_cast<token_id>(*number) : std::nullopt;
    if (!id) refuse(key, "must be a token id");
    return id;
  }

  std::vector<std::string> texts(std::string_view key) {
    auto list = header_.find_array(name(key));
    auto views = list ? list->strings() : std::nullopt;
    if (views) return {views->begin(), views->end()};
    refuse(key, "must be an array of strings");
    return {};
  }

  std::vector<float> fractions(std::string_view key) {
    if (!present(key)) return {};
    auto list = header_.find_array(name(key));
    auto wide = list ? list->floats() : std::nullopt;
    if (!wide) refuse(key, "must be an array of numbers");
    std::vector<float> out;
    for (auto v : wide.value_or(std::vector<double>{}))
      out.push_back(static_cast<float>(v));
    return out;
  }

  std::vector<std::int32_t> numbers(std::string_view key) {
    if (!present(key)) return {};
    auto list = header_.find_array(name(key));
    auto wide = list ? list->integers() : std::nullopt;
    std::vector<std::int32_t> out;
    for (auto v : wide.value_or(std::vector<std::int64_t>{}))
      if (auto narrow = checked_cast<std::int32_t>(v)) out.push_back(*narrow);
    if (!wide || out.size() != wide->size()) refuse(key, "must be an array of small numbers");
    return out;
  }

  bool present(std::string_view key) const { return header_.find(name(key)) != nullptr; }

  const std::optional<error>& problem() const { return problem_; }

 private:
  static std::string name(std::string_view key) { return std::string("tokenizer.ggml.").append(key); }

  void refuse(std::string_view key, std::string_view what) {
    if (!problem_) problem_ = fail(errc::bad_model, name(key).append(" ").append(what));
  }

  const gguf_header& header_;
  std::optional<error> problem_;
};

}  // namespace

result<gguf_vocabulary> read_vocabulary(const gguf_header& header) {
  key_reader keys(header);
  gguf_vocabulary out;
  out.model = keys.text("model");
  out.pre = keys.text("pre");
  if (!out.model.empty() && out.model != byte_level_model && out.model != sentencepiece_model) return out;
  auto architecture = header.find_string("general.architecture");
  out.architecture = architecture ? *architecture : "";
  out.tokens = keys.texts("tokens");
  out.token_types = keys.numbers("token_type");
  if (out.model == sentencepiece_model)
    out.scores = keys.fractions("scores");
  else
    out.merges = keys.texts("merges");
  out.bos = keys.id("bos_token_id");
  out.eos = keys.id("eos_token_id");
  out.eot = keys.id("eot_token_id");
  out.eom = keys.id("eom_token_id");
  out.unknown = keys.id("unknown_token_id");
  out.add_bos = keys.flag("add_bos_token");
  out.add_eos = keys.flag("add_eos_token");
  out.add_space_prefix = keys.flag("add_space_prefix");
  out.has_charsmap = keys.present("precompiled_charsmap");
  if (keys.problem()) return *keys.problem();
  return out;
}

result<void> add_surround(const gguf_vocabulary& file, bool add_bos, tokenizer_parts& parts) {
  auto before = around(file.add_bos.value_or(add_bos), file.bos, "bos_token_id");
  if (!before) return std::move(before).error();
  auto after = around(file.add_eos.value_or(false), file.eos, "eos_token_id");
  if (!after) return std::move(after).error();
  if (parts.byte_level) parts.post.emplace_back(trim_offsets{});
  parts.post.emplace_back(surround{*std::move(before), *std::move(after)});
  for (auto id : {file.eos, file.eot, file.eom})
    if (id && std::find(parts.eos.begin(), parts.eos.end(), *id) == parts.eos.end()) parts.eos.push_back(*id);
  return {};
}

result<tokenizer_parts> describe(gguf_vocabulary file) {
  if (file.model != byte_level_model && file.model != sentencepiece_model)
    return fail(errc::bad_model, "tokenizer.ggml.model '" + utf8_repaired(file.model.substr(0, 40)) +
                                     "' is not supported; gpt2 and llama are");
  if (file.tokens.empty() || file.tokens.size() > static_cast<std::size_t>(vocabulary::id_limit))
    return fail(errc::bad_model,
                "tokenizer.ggml.tokens holds " + std::to_string(file.tokens.size()) + " tokens");
  if (!file.token_types.empty() && file.token_types.size() != file.tokens.size())
    return fail(errc::bad_model, "tokenizer.ggml.token_type and tokenizer.ggml.tokens differ in length");
  if (file.has_charsmap) return fail(errc::bad_model, "tokenizer.ggml.precompiled_charsmap is not supported");
  tokenizer_parts parts;
  add_tokens(file, parts);
  auto ok = file.model == byte_level_model ? add_byte_level(file, parts) : add_sentencepiece(file, parts);
  if (!ok) return std::move(ok).error();
  return parts;
}

}  // namespace lorica
