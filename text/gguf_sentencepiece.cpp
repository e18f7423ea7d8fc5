#include <algorithm>
#include <cmath>

#include "text/gguf_vocabulary.hpp"
#include "text/score_merges.hpp"

namespace lorica {
namespace {

constexpr std::string_view space_symbol = "\u2581";

// Phi-3's markers swallow the white space behind them, those of the vocabulary it began with do not.
bool strips_right(const gguf_vocabulary& file, std::string_view content) {
  return file.architecture == "phi3" && content != "<unk>" && content != "<s>" && content != "<|endoftext|>";
}

result<std::vector<token_score>> scores_of(const gguf_vocabulary& file) {
  std::vector<token_score> out;
  out.reserve(file.tokens.size());
  for (std::size_t i = 0; i < file.tokens.size(); ++i) {
    auto type = file.token_types[i];
    if (std::isnan(file.scores[i]))
      return fail(errc::bad_model, "tokenizer.ggml.scores holds no number for token " + std::to_string(i));
    if (type != gguf_token::normal && type != gguf_token::user_defined && type != gguf_token::unused)
      continue;
    // A longer one is looked for as it is.
    if (type == gguf_token::user_defined && file.tokens[i].size() > scored_piece_limit) continue;
    out.push_back({.token = i, .score = file.scores[i], .unused = type == gguf_token::unused});
  }
  return out;
}

}  // namespace

result<void> add_sentencepiece(gguf_vocabulary& file, tokenizer_parts& parts) {
  auto count = file.tokens.size();
  if (file.token_types.size() != count)
    return fail(errc::bad_model, "tokenizer.ggml.token_type and tokenizer.ggml.tokens differ in length");
  if (file.scores.size() != count)
    return fail(errc::bad_model, "tokenizer.ggml.scores and tokenizer.ggml.tokens differ in length");
  auto scores = scores_of(file);
  if (!scores) return std::move(scores).error();
  parts.scores = *std::move(scores);
  // What a file does not say is as in Llama's.
  if (!file.bos && count > 1) file.bos = 1;
  if (!file.eos && count > 2) file.eos = 2;
  auto unknown = static_cast<std::size_t>(file.unknown.value_or(0));
  if (unknown >= count)
    return fail(errc::bad_model,
                "tokenizer.ggml.unknown_token_id " + std::to_string(unknown) + " is no token");
  parts.unknown_token = file.tokens[unknown];
  parts.fuse_unknown = true;
  parts.byte_fallback = true;
  for (auto& token : parts.added)
    token.rstrip = strips_right(file, token.content);
  const std::string symbol(space_symbol);
  bool prefix = file.add_space_prefix.value_or(true);
  if (prefix) parts.normal.emplace_back(prepend_step{symbol});
  replacement::source spaces;
  spaces.pattern.text = " ";
  spaces.pattern.literal = true;
  spaces.content = symbol;
  parts.normal.emplace_back(std::move(spaces));
  parts.decoder.steps.emplace_back(
      symbol_to_space{symbol, prefix ? lost_symbols::leading : lost_symbols::none});
  parts.decoder.notation = byte_notation::tokens;
  return add_surround(file, true, parts);
}

}  // namespace lorica
