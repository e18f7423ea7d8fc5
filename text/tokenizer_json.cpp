#include "text/tokenizer_json.hpp"

#include <utility>

#include "core/checked.hpp"
#include "core/json.hpp"

namespace lorica {
namespace {

constexpr json_limits limits{.max_bytes = tokenizer_json_limit, .max_depth = 16, .max_values = 8'000'000};

using text_pair = std::pair<std::string, std::string>;

// "a b": the texts of a byte alphabet hold no spaces.
std::optional<text_pair> split_merge(std::string_view line) {
  auto space = line.find(' ');
  if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos)
    return std::nullopt;
  return text_pair{line.substr(0, space), line.substr(space + 1)};
}

std::optional<text_pair> merge_of(const value& v) {
  if (auto line = v.as_string()) return split_merge(*line);
  auto pair = v.as_array();
  if (!pair || pair->size() != 2 || !(*pair)[0].as_string() || !(*pair)[1].as_string()) return std::nullopt;
  return text_pair{*(*pair)[0].as_string(), *(*pair)[1].as_string()};
}

void read_merges(const json_part& model, tokenizer_parts& parts) {
  auto& list = model.list("merges");
  parts.merges.reserve(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) {
    auto merge = merge_of(list[i]);
    if (!merge) return model.refuse("merges[" + std::to_string(i) + "] is not \"a b\" or [\"a\", \"b\"]");
    parts.merges.push_back(*std::move(merge));
  }
}

void read_vocabulary(const json_part& model, tokenizer_parts& parts) {
  auto vocab = model.find("vocab");
  if (!vocab || !vocab->as_object()) return model.refuse("vocab must be an object");
  parts.tokens.reserve(vocab->as_object()->size());
  for (auto& [text, v] : *vocab->as_object()) {
    auto number = v.as_int();
    auto id = number ? checked_cast<token_id>(*number) : std::nullopt;
    if (!id)
      return model.refuse("vocab holds a token without an id, entry " + std::to_string(parts.tokens.size()));
    parts.tokens.emplace_back(text, *id);
  }
}

// Files older than the library's 0.5 have no type; the field "merges" tells BPE then.
void read_model(json_part model, tokenizer_parts& parts) {
  auto type = model.optional_text("type").value_or(model.find("merges") ? "BPE" : "(none)");
  if (type != "BPE") return model.refuse("of type '" + type + "' is not supported; BPE is");
  model.allow({"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk",
               "byte_fallback", "ignore_merges", "vocab", "merges"});
  if (auto dropout = model.find("dropout"); dropout && (!dropout->is_number() || dropout->number() != 0))
    model.refuse("dropout is not supported; null or 0 is");
  for (auto field : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (!model.optional_text(field).value_or("").empty())
      model.refuse(std::string(field) + " is not supported; null or \"\" is");
  parts.byte_fallback = model.flag("byte_fallback", false);
  parts.fuse_unknown = model.flag("fuse_unk", false);
  parts.ignore_merges = model.flag("ignore_merges", false);
  parts.unknown_token = model.optional_text("unk_token");
  read_vocabulary(model, parts);
  read_merges(model, parts);
}

void read_added_tokens(const json_part& root, tokenizer_parts& parts) {
  if (!root.find("added_tokens")) return;
  auto& list = root.list("added_tokens");
  for (std::size_t i = 0; i < list.size(); ++i) {
    auto token = root.item("added_tokens", i, list[i]);
    token.allow({"id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"});
    auto content = token.text("content");
    if (content.empty()) token.refuse("content must not be empty");
    auto special = token.flag("special", false);
    parts.added.push_back({.id = token.id("id"),
                           .content = std::move(content),
                           .single_word = token.flag("single_word", false),
                           .lstrip = token.flag("lstrip", false),
                           .rstrip = token.flag("rstrip", false),
                           .normalized = token.flag("normalized", !special),
                           .special = special});
  }
}

}  // namespace

result<std::shared_ptr<const tokenizer>> parse_tokenizer_json(std::string_view text) {
  auto document = parse_json(text, limits);
  if (!document) return fail(errc::bad_model, "tokenizer.json: " + document.error().text);
  first_problem problem;
  json_part root(&*document, "tokenizer.json", problem);
  root.allow({"version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
              "post_processor", "decoder", "model"});
  tokenizer_parts parts;
  read_normalizer(root.child("normalizer"), parts);
  read_pre_tokenizer(root.child("pre_tokenizer"), parts);
  read_post_processor(root.child("post_processor"), parts);
  read_decoder(root.child("decoder"), parts);
  read_added_tokens(root, parts);
  read_model(root.child("model"), parts);
  if (problem.get()) return *problem.get();
  return build_tokenizer(std::move(parts));
}

}  // namespace lorica
