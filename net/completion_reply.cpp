#include "net/completion_reply.hpp"

#include <map>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "core/json.hpp"
#include "net/completion_logprobs.hpp"
#include "net/openai_events.hpp"
#include "net/reply_fields.hpp"

namespace lorica {
namespace {

constexpr std::string_view kind = "text_completion";

using token_list = std::vector<generated_token>;

/// One choice, or a piece of it. `tokens` are those whose `logprobs` are told, where they are wanted.
struct choice_piece {
  std::uint32_t index = 0;
  std::string_view text;
  const generation_finish* end = nullptr;  ///< null: it goes on
  completion_logprobs* logprobs = nullptr;
  std::span<const generated_token> tokens = {};
  std::size_t prompt = 0;  // so many of them are the prompt's
};

void write_choice(json_writer& w, const choice_piece& c) {
  w.key("index").unsigned_integer(c.index).key("text").string(c.text);
  w.key("logprobs");
  if (c.logprobs && !c.tokens.empty())
    c.logprobs->write(w, c.tokens, c.prompt);
  else
    w.null();
  write_end(w, c.end);
}

std::string text_of(std::span<const generated_token> tokens) {
  std::string out;
  for (auto& t : tokens)
    out += t.text;
  return out;
}

class completion_event_format final : public openai_events {
 public:
  completion_event_format(openai_identity identity, openai_wishes wishes, std::uint32_t choices)
      : openai_events(std::move(identity), std::move(wishes), kind), choices_(choices) {}

  std::vector<http_field> fields(const generation_started& facts) override {
    count_prompt(facts.prompt_tokens);
    prompts_ = facts.prompts;
    return started_fields(facts);
  }

  events chunk(const generation_chunk& c) override {
    count_generated(c.tokens.size());
    auto out = begin(c.choice);
    auto text = text_of(c.tokens);
    bool told = !text.empty() || wishes_.logprobs || wishes_.token_ids;
    if (told) out.push_back(piece({.index = c.choice, .text = text, .tokens = c.tokens}));
    return out;
  }

  events finished(const generation_finish& end) override {
    auto out = begin(end.choice);
    out.push_back(piece({.index = end.choice, .text = {}, .end = &end}));
    return out;
  }

 private:
  /// What comes before anything else of a choice: the echo of its prompt.
  events begin(std::uint32_t choice) {
    if (!begun_.insert(choice).second || !wishes_.echo) return {};
    auto& prompt = prompts_.at(choice / choices_);
    auto text = text_of(prompt);
    return {piece({.index = choice, .text = text, .tokens = prompt, .prompt = prompt.size()})};
  }

  std::string piece(choice_piece c) {
    if (wishes_.logprobs) c.logprobs = &logprobs_[c.index];
    auto w = begin_chunk();
    w.key("choices").begin_array().begin_object();
    write_choice(w, c);
    if (wishes_.token_ids) write_token_ids(w, c);
    w.end_object().end_array();
    return end_chunk(std::move(w), c.end != nullptr);
  }

  /// The prompt's ids once, in the first piece of a choice.
  void write_token_ids(json_writer& w, const choice_piece& c) {
    if (told_.insert(c.index).second) write_ids(w, "prompt_token_ids", prompts_.at(c.index / choices_));
    write_ids(w, "token_ids", c.tokens.subspan(c.prompt));
  }

  std::uint32_t choices_;
  std::vector<token_list> prompts_;  // where they are told
  std::set<std::uint32_t> begun_;    // choices that had their echo
  std::set<std::uint32_t> told_;     // choices that had their prompt's ids
  std::map<std::uint32_t, completion_logprobs> logprobs_;
};

}  // namespace

http_reply completion_reply(const openai_identity& identity, const openai_wishes& wishes,
                            std::uint32_t choices, const collected& all) {
  static const token_list none;
  std::uint64_t generated = 0;
  json_writer w;
  w.begin_object();
  write_identity(w, identity, kind);
  w.key("choices").begin_array();
  for (auto& c : all.choices) {
    auto& prompt = all.facts.prompts.empty() ? none : all.facts.prompts.at(c.end.choice / choices);
    completion_logprobs logprobs;
    auto tokens = wishes.echo ? prompt : none;
    const auto echoed = tokens.size();
    const auto text = text_of(tokens) + c.end.text;
    tokens.insert(tokens.end(), c.tokens.begin(), c.tokens.end());
    w.begin_object();
    write_choice(w, {c.end.choice, text, &c.end, wishes.logprobs ? &logprobs : nullptr, tokens, echoed});
    if (wishes.prompt_logprobs) {
      w.key("prompt_logprobs");
      write_prompt_logprobs(w, prompt);
    }
    if (wishes.token_ids) {
      write_ids(w, "prompt_token_ids", prompt);
      write_ids(w, "token_ids", c.tokens);
    }
    w.end_object();
    generated += c.end.generated_tokens;
  }
  w.end_array();
  write_usage(w, all.facts.prompt_tokens, generated);
  auto out = json_reply(200, w.end_object().take());
  out.fields = served_fields(all.facts.served);
  return out;
}

std::unique_ptr<event_format> completion_events(openai_identity identity, openai_wishes wishes,
                                                std::uint32_t choices) {
  return std::make_unique<completion_event_format>(std::move(identity), std::move(wishes), choices);
}

}  // namespace lorica
