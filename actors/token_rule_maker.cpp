#include "actors/token_rule_maker.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace lorica {
namespace {

constexpr float largest_bias = 100;

error refused(const char* field, const std::string& text) {
  return fail(errc::invalid, "Input validation error: " + text, {}, field);
}

result<void> check_id(const char* field, token_id id, const tokenizer& vocabulary) {
  if (id >= 0 && static_cast<std::uint32_t>(id) < vocabulary.size()) return {};
  return refused(field, fmt::format("`{}` names token id {}, which is not in the vocabulary of {} tokens",
                                    field, id, vocabulary.size()));
}

result<void> check_count(const char* field, std::size_t count, std::size_t most) {
  if (count <= most) return {};
  return refused(field, fmt::format("`{}` takes at most {} entries. Given: {}", field, most, count));
}

/// Ascending, each once.
void make_set(std::vector<token_id>& ids) {
  std::ranges::sort(ids);
  auto rest = std::ranges::unique(ids);
  ids.erase(rest.begin(), rest.end());
}

bool contains(const std::vector<token_id>& set, token_id id) {
  return std::ranges::binary_search(set, id);
}

/// Wishes on their way to rules.
class rule_maker {
 public:
  rule_maker(const rule_wishes& wishes, const tokenizer& vocabulary)
      : wishes_(wishes), vocabulary_(vocabulary) {}

  result<shared_rules> make();

 private:
  result<void> take_biases();
  result<void> take_allowed();
  result<void> take_bad_words();
  result<void> take_bad_word(std::string_view word);
  result<void> take_stops();
  result<void> check_ids(const char* field, const std::vector<token_id>& ids) const;
  result<void> check_first_token() const;

  const rule_wishes& wishes_;
  const tokenizer& vocabulary_;
  token_rules rules_;
};

result<shared_rules> rule_maker::make() {
  if (auto ok = take_biases(); !ok) return ok.error();
  if (auto ok = take_allowed(); !ok) return ok.error();
  if (auto ok = take_bad_words(); !ok) return ok.error();
  if (auto ok = take_stops(); !ok) return ok.error();
  if (auto ok = check_first_token(); !ok) return ok.error();
  rules_.mark = wishes_.mark;
  return rules_ == token_rules{} ? shared_rules() : shared_rules(std::move(rules_));
}

result<void> rule_maker::take_biases() {
  if (auto ok = check_count("logit_bias", wishes_.biases.size(), most_logit_biases); !ok) return ok;
  for (auto& b : wishes_.biases) {
    if (auto ok = check_id("logit_bias", b.token, vocabulary_); !ok) return ok;
    if (!(b.bias >= -largest_bias && b.bias <= largest_bias))
      return refused(
          "logit_bias",
          fmt::format("`logit_bias` of token id {} must be in [-100, 100]. Given: {}", b.token, b.bias));
  }
  rules_.biases = wishes_.biases;
  std::ranges::sort(rules_.biases, {}, &token_bias::token);
  auto twice = std::ranges::adjacent_find(rules_.biases, {}, &token_bias::token);
  if (twice == rules_.biases.end()) return {};
  return refused("logit_bias", fmt::format("`logit_bias` names token id {} twice", twice->token));
}

result<void> rule_maker::take_allowed() {
  if (!wishes_.allowed) return {};
  if (wishes_.allowed->empty())
    return refused("allowed_token_ids", "`allowed_token_ids` is empty; name at least one token id");
  if (auto ok = check_ids("allowed_token_ids", *wishes_.allowed); !ok) return ok;
  rules_.allowed = wishes_.allowed;
  make_set(*rules_.allowed);
  return {};
}

result<void> rule_maker::take_bad_words() {
  if (auto ok = check_count("bad_words", wishes_.bad_words.size(), most_bad_words); !ok) return ok;
  std::size_t bytes = 0;
  for (auto& word : wishes_.bad_words)
    bytes += word.size();
  if (bytes > most_bad_word_bytes)
    return refused("bad_words", fmt::format("`bad_words` takes at most {} bytes together. Given: {}",
                                            most_bad_word_bytes, bytes));
  for (auto& word : wishes_.bad_words)
    if (auto ok = take_bad_word(word); !ok) return ok;
  return {};
}

/// Both encodings of a word, where the second is another way to write it.
result<void> rule_maker::take_bad_word(std::string_view word) {
  auto begin = word.find_first_not_of(" \t\n\r\f\v");
  if (begin == std::string_view::npos)
    return refused("bad_words", "`bad_words` holds a word without any characters; leave it out");
  word.remove_prefix(begin);
  auto plain = vocabulary_.encode(word, false);
  if (!plain) return std::move(plain).error();
  auto spaced = vocabulary_.encode(fmt::format(" {}", word), false);
  if (!spaced) return std::move(spaced).error();
  if (plain->empty())
    return refused("bad_words", "`bad_words` holds a word that the vocabulary has no tokens for");
  bool other = !spaced->empty() && spaced->front() != plain->front() && spaced->size() == plain->size();
  rules_.bad_words.push_back(*std::move(plain));
  if (other) rules_.bad_words.push_back(*std::move(spaced));
  return {};
}

result<void> rule_maker::take_stops() {
  if (auto ok = check_count("stop_token_ids", wishes_.stops.size(), most_stop_tokens); !ok) return ok;
  if (auto ok = check_ids("stop_token_ids", wishes_.stops); !ok) return ok;
  rules_.stops = wishes_.stops;
  if (wishes_.end_of_turn) rules_.stops.push_back(*wishes_.end_of_turn);
  make_set(rules_.stops);
  if (wishes_.min_tokens == 0) return {};
  rules_.late = rules_.stops;
  rules_.late.insert(rules_.late.end(), wishes_.eos.begin(), wishes_.eos.end());
  make_set(rules_.late);
  return {};
}

result<void> rule_maker::check_ids(const char* field, const std::vector<token_id>& ids) const {
  for (auto id : ids)
    if (auto ok = check_id(field, id, vocabulary_); !ok) return ok;
  return {};
}

/// Allowed tokens that are all masked from the start are a mistake of the request.
result<void> rule_maker::check_first_token() const {
  if (!rules_.allowed) return {};
  std::vector<token_id> masked = rules_.late;
  for (auto& word : rules_.bad_words)
    if (word.size() == 1) masked.push_back(word[0]);
  make_set(masked);
  if (!std::ranges::all_of(*rules_.allowed, [&](token_id id) { return contains(masked, id); })) return {};
  return refused(
      "allowed_token_ids",
      "`allowed_token_ids` names only tokens that `bad_words` or `min_tokens` forbid; allow others too");
}

}  // namespace

result<shared_rules> make_token_rules(const rule_wishes& wishes, const tokenizer& vocabulary) {
  return rule_maker(wishes, vocabulary).make();
}

}  // namespace lorica
