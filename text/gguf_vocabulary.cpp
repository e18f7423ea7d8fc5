#include "text/gguf_vocabulary.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "core/checked.hpp"
#include "core/utf8.hpp"
#include "text/vocabulary.hpp"

namespace lorica {
namespace {

enum token_type : std::int32_t { control = 3, user_defined = 4 };

constexpr std::string_view llama3_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view qwen2_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// What a name in `tokenizer.ggml.pre` stands for. Patterns act one after another, each on the pieces of the
// last.
struct pre_kind {
  std::string_view name;
  std::array<std::string_view, 4> patterns;
  bool ignore_merges = false;
  bool nfc = false;
  bool add_bos = false;  ///< when the file does not say
};

constexpr std::array<pre_kind, 5> pre_kinds{{
    {.name = "smollm", .patterns = {R"(\p{N})", gpt2_pattern}},
    {.name = "llama-bpe", .patterns = {llama3_pattern}, .ignore_merges = true, .add_bos = true},
    // The converter drops the normalizer of this family; the model was trained with it.
    {.name = "qwen2", .patterns = {qwen2_pattern}, .nfc = true},
    {.name = "gpt-2", .patterns = {gpt2_pattern}},
    {.name = "default",
     .patterns = {R"([\p{P}\$\+<=>\^~\|]+)", gpt2_pattern, R"(\p{N}+)", "[0-9][0-9][0-9]"}},
}};

constexpr std::string_view supported_model = "gpt2";

// A name of the file, fit for an error text.
std::string shown(std::string_view name) {
  std::string out(1, '\'');
  return out.append(utf8_repaired(name.substr(0, 40))) += '\'';
}

std::string known_kinds() {
  std::string out;
  for (auto& kind : pre_kinds)
    out += (out.empty() ? "" : ", ") + std::string(kind.name);
  return out;
}

result<void> add_merges(const std::vector<std::string>& lines, tokenizer_parts& parts) {
  parts.merges.reserve(lines.size());
  for (auto& line : lines) {
    // A token of the byte alphabet may be any character but a space, so the first one behind a character
    // divides.
    auto space = line.find(' ', 1);
    if (space == std::string::npos)
      return fail(errc::bad_model, "tokenizer.ggml.merges holds an entry without a space, number " +
                                       std::to_string(parts.merges.size()));
    parts.merges.emplace_back(line.substr(0, space), line.substr(space + 1));
  }
  return {};
}

void add_tokens(gguf_vocabulary& file, tokenizer_parts& parts) {
  parts.tokens.reserve(file.tokens.size());
  for (std::size_t i = 0; i < file.tokens.size(); ++i) {
    auto id = static_cast<token_id>(i);
    auto type = file.token_types.empty() ? 0 : file.token_types[i];
    if (type == control || type == user_defined)
      parts.added.push_back({.id = id, .content = file.tokens[i], .special = type == control});
    parts.tokens.emplace_back(std::move(file.tokens[i]), id);
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

  const std::optional<error>& problem() const { return problem_; }

 private:
  static std::string name(std::string_view key) { return std::string("tokenizer.ggml.").append(key); }
  bool present(std::string_view key) const { return header_.find(name(key)) != nullptr; }

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
  out.tokens = keys.texts("tokens");
  out.token_types = keys.numbers("token_type");
  out.merges = keys.texts("merges");
  out.bos = keys.id("bos_token_id");
  out.eos = keys.id("eos_token_id");
  out.eot = keys.id("eot_token_id");
  out.eom = keys.id("eom_token_id");
  out.add_bos = keys.flag("add_bos_token");
  out.add_eos = keys.flag("add_eos_token");
  // Other models lack merges; their name says more than the missing key.
  if (keys.problem() && (out.model.empty() || out.model == supported_model)) return *keys.problem();
  return out;
}

result<tokenizer_parts> describe(gguf_vocabulary file) {
  if (file.model != supported_model)
    return fail(errc::bad_model, "tokenizer.ggml.model " + shown(file.model) + " is not supported; gpt2 is");
  auto wanted = file.pre.empty() ? "default" : std::string_view(file.pre);
  auto kind = std::find_if(pre_kinds.begin(), pre_kinds.end(), [&](auto& k) { return k.name == wanted; });
  if (kind == pre_kinds.end())
    return fail(errc::bad_model,
                "tokenizer.ggml.pre " + shown(file.pre) + " is not supported; known are " + known_kinds());
  if (file.tokens.empty() || file.tokens.size() > static_cast<std::size_t>(vocabulary::id_limit))
    return fail(errc::bad_model,
                "tokenizer.ggml.tokens holds " + std::to_string(file.tokens.size()) + " tokens");
  if (!file.token_types.empty() && file.token_types.size() != file.tokens.size())
    return fail(errc::bad_model, "tokenizer.ggml.token_type and tokenizer.ggml.tokens differ in length");

  tokenizer_parts parts;
  parts.ignore_merges = kind->ignore_merges;
  parts.byte_level = true;
  parts.decoder.notation = byte_notation::alphabet;
  if (kind->nfc) parts.normal.emplace_back(unicode_form::nfc);
  for (auto pattern : kind->patterns)
    if (!pattern.empty()) parts.pre.emplace_back(split_rule{{std::string(pattern)}});
  auto before = around(file.add_bos.value_or(kind->add_bos), file.bos, "bos_token_id");
  if (!before) return std::move(before).error();
  auto after = around(file.add_eos.value_or(false), file.eos, "eos_token_id");
  if (!after) return std::move(after).error();
  parts.post.emplace_back(trim_offsets{});
  parts.post.emplace_back(surround{*std::move(before), *std::move(after)});
  for (auto id : {file.eos, file.eot, file.eom})
    if (id && std::find(parts.eos.begin(), parts.eos.end(), *id) == parts.eos.end()) parts.eos.push_back(*id);
  if (auto ok = add_merges(file.merges, parts); !ok) return std::move(ok).error();
  add_tokens(file, parts);
  return parts;
}

}  // namespace lorica
