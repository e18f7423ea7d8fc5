#include "text/tokenizer_parts.hpp"

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "core/utf8.hpp"
#include "text/bpe_tokenizer.hpp"
#include "text/byte_alphabet.hpp"
#include "text/score_merges.hpp"

namespace lorica {
namespace {

error refuse(std::string_view text) {
  return fail(errc::bad_model, std::string("tokenizer: ").append(text));
}

std::string shown(std::string_view token) {
  constexpr std::size_t longest = 40;
  auto head = token.substr(0, longest);
  std::string out(1, '\'');
  out += head.substr(0, utf8_valid_prefix(head));
  return out + (token.size() > longest ? "…'" : "'");
}

// Enters part after part; each step relies on those before it.
class builder {
 public:
  explicit builder(tokenizer_parts parts) : parts_(std::move(parts)) {}

  result<std::shared_ptr<const tokenizer>> build() {
    auto normal = normalizer::compile(parts_.normal);
    if (!normal) return std::move(normal).error();
    auto pre = pre_tokenizer::compile(parts_.pre);
    if (!pre) return std::move(pre).error();
    auto decoder = token_decoder::compile(parts_.decoder);
    if (!decoder) return std::move(decoder).error();
    if (auto ok = enter_model(*decoder); !ok) return std::move(ok).error();
    if (auto ok = enter_added(*decoder, *normal); !ok) return std::move(ok).error();
    if (auto ok = check_ids(); !ok) return std::move(ok).error();
    auto merges = merge_rules();
    if (!merges) return std::move(merges).error();
    return std::shared_ptr<const tokenizer>(std::make_shared<bpe_tokenizer>(bpe_tokenizer::parts{
        .words = std::move(words_),
        .raw = added_token_matcher(std::move(raw_)),
        .normalised = added_token_matcher(std::move(normalised_)),
        .normal = *std::move(normal),
        .pre = *std::move(pre),
        .merges = bpe(*std::move(merges)),
        .post = std::move(parts_.post),
        .eos = std::move(parts_.eos),
    }));
  }

 private:
  result<void> enter_model(const token_decoder& decoder) {
    ids_.reserve(parts_.tokens.size());
    for (auto& [text, id] : parts_.tokens) {
      if (!ids_.emplace(text, id).second)
        return refuse("token " + shown(text) + " stands in the vocabulary twice");
      if (auto ok = words_.add(id, text, decoder); !ok) return refuse(ok.error().text);
    }
    return {};
  }

  result<void> enter_added(const token_decoder& decoder, const normalizer& normal) {
    std::unordered_map<std::string, token_id> own;  // added tokens that the vocabulary lacks
    for (auto& token : parts_.added) {
      auto known = find(token.content);
      if (known && *known != token.id)
        return refuse("added token " + shown(token.content) + " has id " + std::to_string(token.id) +
                      ", the vocabulary says " + std::to_string(*known));
      bool fresh = !known && own.emplace(token.content, token.id).second;
      if (!known && own[token.content] != token.id)
        return refuse("added token " + shown(token.content) + " has two ids");
      // It matches and decodes to its normalised content.
      if (auto ok = token.normalized ? normalise(token, normal) : result<void>(); !ok) return ok;
      auto ok = fresh              ? words_.add(token.id, token.content, decoder)
                : token.normalized ? words_.replace(token.id, token.content, decoder)
                                   : result<void>();
      if (!ok) return refuse(ok.error().text);
      if (token.special) words_.mark_special(token.id);
      (token.normalized ? normalised_ : raw_).push_back(std::move(token));
    }
    return {};
  }

  static result<void> normalise(added_token& token, const normalizer& normal) {
    if (utf8_valid_prefix(token.content) != token.content.size())
      return refuse("token " + std::to_string(token.id) + " is not valid UTF-8");
    traced_text text(token.content, 0);
    if (auto ok = normal.apply(text); !ok) return refuse(ok.error().text);
    if (text.text().empty())
      return refuse("added token " + shown(token.content) + " is nothing after normalisation");
    token.content = text.text();
    return {};
  }

  result<void> check_ids() const {
    for (auto& step : parts_.post) {
      auto rule = std::get_if<surround>(&step);
      if (!rule) continue;
      for (auto* ids : {&rule->before, &rule->after})
        for (auto id : *ids)
          if (!words_.holds(id))
            return refuse("post_processor uses id " + std::to_string(id) + ", which is no token");
    }
    for (auto id : parts_.eos)
      if (!words_.holds(id)) return refuse("end-of-text id " + std::to_string(id) + " is no token");
    return {};
  }

  result<bpe::options> merge_rules() const {
    bpe::options out;
    if (auto ok = enter_symbols(out); !ok) return std::move(ok).error();
    if (auto ok = parts_.scores ? enter_scores(out) : enter_merges(out); !ok) return std::move(ok).error();
    if (parts_.unknown_token) {
      out.unknown = find(*parts_.unknown_token);
      if (!out.unknown)
        return refuse("unk_token " + shown(*parts_.unknown_token) + " is not in the vocabulary");
    }
    out.fuse_unknown = parts_.fuse_unknown;
    if (!parts_.ignore_merges) return out;
    for (auto& [text, id] : parts_.tokens)
      if (auto bytes = parts_.byte_level ? bytes_of_symbols(text) : text)
        out.whole_pieces.emplace(*std::move(bytes), id);
    return out;
  }

  result<void> enter_merges(bpe::options& out) const {
    out.merges.reserve(parts_.merges.size());
    for (auto& [left, right] : parts_.merges) {
      auto a = find(left);
      auto b = find(right);
      auto joined = find(left + right);
      if (!a || !b || !joined)
        return refuse("merge of " + shown(left) + " and " + shown(right) +
                      " uses a token outside the vocabulary");
      out.merges.push_back({*a, *b, *joined, static_cast<std::uint32_t>(out.merges.size())});
    }
    return {};
  }

  result<void> enter_scores(bpe::options& out) const {
    std::vector<scored_piece> pieces;
    pieces.reserve(parts_.scores->size());
    for (auto& s : *parts_.scores) {
      auto& [text, id] = parts_.tokens[s.token];
      pieces.push_back({.text = text, .id = id, .score = s.score});
      if (s.unused) out.passing.insert(id);
    }
    auto found = merges_by_score(pieces, static_cast<token_id>(words_.size()));
    if (!found) return refuse(found.error().text);
    out.merges = std::move(found->merges);
    out.characters = std::move(found->characters);
    out.made_up = found->made_up;
    return {};
  }

  // What pieces are made of before merges.
  result<void> enter_symbols(bpe::options& out) const {
    for (unsigned i = 0; i < 256; ++i) {
      auto byte = static_cast<unsigned char>(i);
      if (parts_.byte_level)
        out.byte_ids[i] = find(byte_symbol(byte)).value_or(-1);
      else if (parts_.byte_fallback)
        out.byte_ids[i] = find(byte_token(byte)).value_or(-1);
    }
    if (parts_.byte_level) {
      auto& ids = out.byte_ids;
      if (parts_.byte_fallback && std::find(ids.begin(), ids.end(), -1) != ids.end())
        return refuse(
            "byte_fallback needs a vocabulary of characters, this one is byte-level and lacks bytes");
      return {};
    }
    out.characters.emplace();
    for (auto& [text, id] : parts_.tokens)
      if (!text.empty() && utf8_length(text) == text.size()) out.characters->emplace(utf8_decode(text), id);
    return {};
  }

  std::optional<token_id> find(std::string_view text) const {
    auto it = ids_.find(text);
    if (it == ids_.end()) return std::nullopt;
    return it->second;
  }

  tokenizer_parts parts_;
  vocabulary words_;
  std::unordered_map<std::string_view, token_id> ids_;  // of the model; views into parts_.tokens
  std::vector<added_token> raw_;
  std::vector<added_token> normalised_;
};

}  // namespace

result<std::shared_ptr<const tokenizer>> build_tokenizer(tokenizer_parts parts) {
  return builder(std::move(parts)).build();
}

}  // namespace lorica
