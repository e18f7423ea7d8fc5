#include <algorithm>
#include <array>
#include <string_view>

#include "core/utf8.hpp"
#include "text/gguf_vocabulary.hpp"

namespace lorica {
namespace {

constexpr std::string_view llama3_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view qwen2_pattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// Letters by case (o200k and tekken), contractions belonging to the word or not.
constexpr std::string_view gpt4o_pattern =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view tekken_pattern =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// What a name in `tokenizer.ggml.pre` stands for. Patterns act one after another, each on the pieces of the
// last.
struct pre_kind {
  std::string_view name;
  std::array<std::string_view, 5> patterns;
  bool ignore_merges = false;
  bool nfc = false;
  bool add_bos = false;  ///< when the file does not say
};

constexpr auto pre_kinds = std::to_array<pre_kind>({
    {.name = "smollm", .patterns = {R"(\p{N})", gpt2_pattern}},
    {.name = "starcoder", .patterns = {R"(\p{N})", gpt2_pattern}},
    {.name = "refact", .patterns = {R"(\p{N})", gpt2_pattern}},
    {.name = "llama-bpe", .patterns = {llama3_pattern}, .ignore_merges = true, .add_bos = true},
    {.name = "llama3", .patterns = {llama3_pattern}, .ignore_merges = true, .add_bos = true},
    {.name = "llama-v3", .patterns = {llama3_pattern}, .ignore_merges = true, .add_bos = true},
    {.name = "dbrx", .patterns = {llama3_pattern}},
    {.name = "gpt-4o", .patterns = {gpt4o_pattern}},
    {.name = "tekken", .patterns = {tekken_pattern}, .ignore_merges = true, .add_bos = true},
    // The converter drops the normalizer of this family; the model was trained with it.
    {.name = "qwen2", .patterns = {qwen2_pattern}, .nfc = true},
    {.name = "deepseek-coder",
     .patterns = {"[\\r\\n]", R"(\s?\p{L}+)", R"(\s?\p{P}+)", "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+",
                  R"(\p{N})"}},
    {.name = "gpt-2", .patterns = {gpt2_pattern}},
    {.name = "phi-2", .patterns = {gpt2_pattern}},
    {.name = "default",
     .patterns = {R"([\p{P}\$\+<=>\^~\|]+)", gpt2_pattern, R"(\p{N}+)", "[0-9][0-9][0-9]"}},
});

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

}  // namespace

result<void> add_byte_level(const gguf_vocabulary& file, tokenizer_parts& parts) {
  auto wanted = file.pre.empty() ? "default" : std::string_view(file.pre);
  auto kind = std::find_if(pre_kinds.begin(), pre_kinds.end(), [&](auto& k) { return k.name == wanted; });
  if (kind == pre_kinds.end())
    return fail(errc::bad_model, "tokenizer.ggml.pre '" + utf8_repaired(file.pre.substr(0, 40)) +
                                     "' is not supported; known are " + known_kinds());
  parts.byte_level = true;
  parts.decoder.notation = byte_notation::alphabet;
  parts.ignore_merges = kind->ignore_merges;
  if (kind->nfc) parts.normal.emplace_back(unicode_form::nfc);
  for (auto pattern : kind->patterns)
    if (!pattern.empty()) parts.pre.emplace_back(split_rule{{std::string(pattern)}});
  if (auto ok = add_merges(file.merges, parts); !ok) return ok;
  return add_surround(file, kind->add_bos, parts);
}

}  // namespace lorica
