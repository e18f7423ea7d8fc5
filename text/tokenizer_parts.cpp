#include "text/tokenizer_parts.hpp"

#include <string_view>
#include <unordered_map>

#include "core/utf8.hpp"
#include "text/byte_alphabet.hpp"
#include "text/byte_level_tokenizer.hpp"
#include "text/unicode.hpp"

namespace lorica {
namespace {

using id_map = std::unordered_map<std::string_view, token_id>;

error refuse(std::string text) {
  return fail(errc::bad_model, "tokenizer: " + std::move(text));
}

std::string shown(std::string_view token) {
  constexpr std::size_t longest = 40;
  auto head = token.substr(0, longest);
  std::string out(1, '\'');
  out += head.substr(0, utf8_valid_prefix(head));
  return out + (token.size() > longest ? "…'" : "'");
}

result<id_map> enter_model(const tokenizer_parts& parts, vocabulary& words) {
  id_map ids;
  ids.reserve(parts.tokens.size());
  for (auto& [text, id] : parts.tokens) {
    if (!ids.emplace(text, id).second)
      return refuse("token " + shown(text) + " stands in the vocabulary twice");
    auto ok = words.add(id, text);
    if (!ok) return refuse(ok.error().text);
  }
  return ids;
}

// An added token either has the id the vocabulary gives its text, or brings one of its own.
result<void> enter_added(const tokenizer_parts& parts, const id_map& ids, vocabulary& words) {
  std::unordered_map<std::string_view, token_id> own;
  for (auto& token : parts.added) {
    auto known = ids.find(token.content);
    auto earlier = own.find(token.content);
    if (known != ids.end() && known->second != token.id)
      return refuse("added token " + shown(token.content) + " has id " + std::to_string(token.id) +
                    ", the vocabulary says " + std::to_string(known->second));
    if (earlier != own.end() && earlier->second != token.id)
      return refuse("added token " + shown(token.content) + " has two ids");
    if (known == ids.end() && earlier == own.end()) {
      auto ok = words.add(token.id, token.content);
      if (!ok) return refuse(ok.error().text);
      own.emplace(token.content, token.id);
    }
    if (token.special) words.mark_special(token.id);
  }
  return {};
}

result<bpe::options> merges_of(const tokenizer_parts& parts, const id_map& ids) {
  bpe::options out;
  auto find = [&](std::string_view text) -> std::optional<token_id> {
    auto it = ids.find(text);
    if (it == ids.end()) return std::nullopt;
    return it->second;
  };
  for (unsigned byte = 0; byte < 256; ++byte)
    out.byte_ids[byte] = find(byte_symbol(static_cast<unsigned char>(byte))).value_or(-1);
  out.merges.reserve(parts.merges.size());
  for (auto& [left, right] : parts.merges) {
    auto a = find(left);
    auto b = find(right);
    auto joined = find(left + right);
    if (!a || !b || !joined)
      return refuse("merge of " + shown(left) + " and " + shown(right) +
                    " uses a token outside the vocabulary");
    out.merges.push_back({*a, *b, *joined});
  }
  if (parts.unknown_token) {
    out.unknown = find(*parts.unknown_token);
    if (!out.unknown) return refuse("unk_token " + shown(*parts.unknown_token) + " is not in the vocabulary");
  }
  out.fuse_unknown = parts.fuse_unknown;
  if (!parts.ignore_merges) return out;
  for (auto& [text, id] : parts.tokens)
    if (auto bytes = bytes_of_symbols(text)) out.whole_pieces.emplace(*std::move(bytes), id);
  return out;
}

struct matchers {
  std::vector<added_token> raw;
  std::vector<added_token> normalised;
};

result<matchers> sort_added(tokenizer_parts& parts) {
  matchers out;
  for (auto& token : parts.added) {
    if (!token.normalized) {
      out.raw.push_back(std::move(token));
      continue;
    }
    if (parts.nfc) {
      auto normal = normalise_nfc(token.content);
      if (!normal) return refuse(normal.error().text);
      token.content = std::move(normal->text);
    }
    out.normalised.push_back(std::move(token));
  }
  return out;
}

result<void> check_ids(const tokenizer_parts& parts, const vocabulary& words) {
  auto known = [&](token_id id) { return words.holds(id); };
  for (auto& step : parts.post) {
    auto rule = std::get_if<surround>(&step);
    if (!rule) continue;
    for (auto* ids : {&rule->before, &rule->after})
      for (auto id : *ids)
        if (!known(id)) return refuse("post_processor uses id " + std::to_string(id) + ", which is no token");
  }
  for (auto id : parts.eos)
    if (!known(id)) return refuse("end-of-text id " + std::to_string(id) + " is no token");
  return {};
}

}  // namespace

result<std::shared_ptr<const tokenizer>> build_tokenizer(tokenizer_parts parts) {
  vocabulary words;
  auto ids = enter_model(parts, words);
  if (!ids) return std::move(ids).error();
  if (auto ok = enter_added(parts, *ids, words); !ok) return std::move(ok).error();
  if (auto ok = check_ids(parts, words); !ok) return std::move(ok).error();
  auto merges = merges_of(parts, *ids);
  if (!merges) return std::move(merges).error();
  auto pre = pre_tokenizer::compile(parts.pre);
  if (!pre) return std::move(pre).error();
  auto added = sort_added(parts);
  if (!added) return std::move(added).error();
  return std::shared_ptr<const tokenizer>(std::make_shared<byte_level_tokenizer>(byte_level_tokenizer::parts{
      .words = std::move(words),
      .raw = added_token_matcher(std::move(added->raw)),
      .normalised = added_token_matcher(std::move(added->normalised)),
      .nfc = parts.nfc,
      .pre = *std::move(pre),
      .merges = bpe(*std::move(merges)),
      .post = std::move(parts.post),
      .eos = std::move(parts.eos),
  }));
}

}  // namespace lorica
