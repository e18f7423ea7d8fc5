#include "net/chat_reply.hpp"

#include <span>
#include <string_view>
#include <utility>

#include "core/json.hpp"
#include "net/chat_logprobs.hpp"
#include "net/completion_logprobs.hpp"
#include "net/openai_events.hpp"
#include "net/reply_fields.hpp"

namespace lorica {
namespace {

constexpr std::string_view chunk_kind = "chat.completion.chunk";

/// A piece of one choice.
struct chat_delta {
  std::uint32_t index = 0;
  bool role = false;                       ///< tells who speaks
  const std::string* content = nullptr;    ///< null: no text
  const generation_finish* end = nullptr;  ///< null: it goes on
  std::span<const generated_token> tokens = {};
};

class chat_event_format final : public openai_events {
 public:
  chat_event_format(openai_identity identity, openai_wishes wishes, std::uint32_t choices)
      : openai_events(std::move(identity), std::move(wishes), chunk_kind), choices_(choices) {}

  std::vector<http_field> fields(const generation_started& facts) override {
    count_prompt(facts.prompt_tokens);
    if (wishes_.token_ids) prompt_ = facts.prompts.at(0);
    return started_fields(facts);
  }

  events chunk(const generation_chunk& c) override {
    count_generated(c.tokens.size());
    auto out = begin();
    std::string text;
    for (auto& t : c.tokens)
      text += t.text;
    bool told = !text.empty() || wishes_.logprobs || wishes_.token_ids;
    if (told) out.push_back(piece({.index = c.choice, .content = &text, .tokens = c.tokens}));
    return out;
  }

  events finished(const generation_finish& end) override {
    auto out = begin();
    out.push_back(piece({.index = end.choice, .end = &end}));
    return out;
  }

 private:
  /// Who speaks in each choice, in order, before anything else: clients build their choices of that.
  events begin() {
    events out;
    if (std::exchange(begun_, true)) return out;
    for (std::uint32_t i = 0; i < choices_; ++i)
      out.push_back(piece({.index = i, .role = true}));
    if (wishes_.echoed.empty()) return out;
    for (std::uint32_t i = 0; i < choices_; ++i)
      out.push_back(piece({.index = i, .content = &wishes_.echoed}));
    return out;
  }

  std::string piece(const chat_delta& d) {
    auto w = begin_chunk();
    if (d.role && wishes_.token_ids) write_ids(w, "prompt_token_ids", prompt_);
    w.key("choices").begin_array().begin_object().key("index").unsigned_integer(d.index);
    w.key("delta").begin_object();
    if (d.role) w.key("role").string("assistant");
    if (d.content) w.key("content").string(*d.content);
    w.end_object().key("logprobs");
    if (wishes_.logprobs && !d.tokens.empty())
      write_chat_logprobs(w, d.tokens);
    else
      w.null();
    write_end(w, d.end);
    if (wishes_.token_ids) write_ids(w, "token_ids", d.tokens);
    w.end_object().end_array();
    return end_chunk(std::move(w), d.end != nullptr);
  }

  std::uint32_t choices_;
  std::vector<generated_token> prompt_;  // where its ids are told
  bool begun_ = false;
};

void write_message(json_writer& w, const std::string& content) {
  w.key("message").begin_object().key("role").string("assistant");
  w.key("content").string(content).key("refusal").null().end_object();
}

}  // namespace

http_reply chat_reply(const openai_identity& identity, const openai_wishes& wishes, const collected& all) {
  std::uint64_t generated = 0;
  json_writer w;
  w.begin_object();
  write_identity(w, identity, "chat.completion");
  w.key("choices").begin_array();
  for (auto& c : all.choices) {
    w.begin_object().key("index").unsigned_integer(c.end.choice);
    write_message(w, wishes.echoed + c.end.text);
    w.key("logprobs");
    if (wishes.logprobs)
      write_chat_logprobs(w, c.tokens);
    else
      w.null();
    write_end(w, &c.end);
    if (wishes.token_ids) write_ids(w, "token_ids", c.tokens);
    w.end_object();
    generated += c.end.generated_tokens;
  }
  w.end_array();
  write_usage(w, all.facts.prompt_tokens, generated);
  if (wishes.prompt_logprobs) {
    w.key("prompt_logprobs");
    write_prompt_logprobs(w, all.facts.prompts.at(0));
  }
  if (wishes.token_ids) write_ids(w, "prompt_token_ids", all.facts.prompts.at(0));
  auto out = json_reply(200, w.end_object().take());
  out.fields = served_fields(all.facts.served);
  return out;
}

std::unique_ptr<event_format> chat_events(openai_identity identity, openai_wishes wishes,
                                          std::uint32_t choices) {
  return std::make_unique<chat_event_format>(std::move(identity), std::move(wishes), choices);
}

}  // namespace lorica
