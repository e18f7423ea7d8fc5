#include "net/completion_logprobs.hpp"

#include <algorithm>
#include <set>
#include <string_view>

#include "core/shortest.hpp"
#include "core/utf8.hpp"

namespace lorica {
namespace {

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) { return !utf8_is_tail(c); }));
}

/// The alternatives by text, the likeliest of those with one text, and the token itself.
void write_alternatives(json_writer& w, const generated_token& t) {
  std::set<std::string> told;
  auto write = [&](const std::string& text, float logprob) {
    if (told.insert(text).second) w.key(text).number(shortest(logprob));
  };
  w.begin_object();
  for (auto& other : t.top)
    write(other.text, other.logprob);
  write(token_text(t), t.logprob);
  w.end_object();
}

void write_prompt_alternative(json_writer& w, token_id id, float logprob, std::uint64_t rank,
                              std::string_view text) {
  w.key(std::to_string(id)).begin_object().key("logprob").number(shortest(logprob));
  w.key("rank").unsigned_integer(rank).key("decoded_token").string(text).end_object();
}

}  // namespace

std::string token_text(const generated_token& t) {
  return utf8_repaired(t.bytes.empty() ? std::string_view(t.text.empty() ? t.hidden_text : t.text)
                                       : std::string_view(t.bytes));
}

void completion_logprobs::write(json_writer& w, std::span<const generated_token> tokens, std::size_t prompt) {
  auto known = [&](const generated_token& t) {
    return t.rank != 0 || static_cast<std::size_t>(&t - tokens.data()) >= prompt;
  };
  w.begin_object().key("text_offset").begin_array();
  for (auto& t : tokens) {
    w.unsigned_integer(offset_);
    offset_ += code_points(t.text);
  }
  w.end_array().key("token_logprobs").begin_array();
  for (auto& t : tokens)
    known(t) ? w.number(shortest(t.logprob)) : w.null();
  w.end_array().key("tokens").begin_array();
  for (auto& t : tokens)
    w.string(token_text(t));
  w.end_array().key("top_logprobs").begin_array();
  for (auto& t : tokens)
    if (known(t))
      write_alternatives(w, t);
    else
      w.null();
  w.end_array().end_object();
}

void write_prompt_logprobs(json_writer& w, std::span<const generated_token> prompt) {
  w.begin_array();
  for (auto& t : prompt) {
    if (t.rank == 0) {
      w.null();
      continue;
    }
    w.begin_object();
    write_prompt_alternative(w, t.id, t.logprob, t.rank, token_text(t));
    for (std::size_t i = 0; i < t.top.size(); ++i)
      if (t.top[i].id != t.id)
        write_prompt_alternative(w, t.top[i].id, t.top[i].logprob, i + 1, t.top[i].text);
    w.end_object();
  }
  w.end_array();
}

}  // namespace lorica
