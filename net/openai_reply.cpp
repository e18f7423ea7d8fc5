#include "net/openai_reply.hpp"

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string_view>
#include <utility>
#include <variant>

#include "core/json.hpp"
#include "net/completion_logprobs.hpp"
#include "net/reply_fields.hpp"

namespace lorica {
namespace {

std::string_view finish_word(finish_reason r) noexcept {
  return r == finish_reason::length ? "length" : "stop";
}

void write_identity(json_writer& w, const completion_identity& identity) {
  w.key("id").string(identity.id).key("object").string("text_completion");
  w.key("created").integer(identity.created).key("model").string(identity.model);
  w.key("system_fingerprint").string(identity.fingerprint);
}

/// vLLM's `stop_reason`: what ended the choice, where it was no end token of the model.
void write_cause(json_writer& w, const stop_cause& cause) {
  w.key("stop_reason");
  if (auto id = std::get_if<token_id>(&cause))
    w.integer(*id);
  else if (auto text = std::get_if<std::string>(&cause))
    w.string(*text);
  else
    w.null();
}

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
  w.key("finish_reason");
  if (!c.end) {
    w.null();
    return;
  }
  w.string(finish_word(c.end->reason));
  write_cause(w, c.end->cause);
}

/// What stands before the generated text of every choice when the prompt is echoed.
std::string echoed(const generation_started& facts) {
  std::string out;
  for (auto& t : facts.prompt)
    out += t.text;
  return out;
}

void write_usage(json_writer& w, std::uint64_t prompt, std::uint64_t generated) {
  w.key("usage").begin_object().key("prompt_tokens").unsigned_integer(prompt);
  w.key("completion_tokens").unsigned_integer(generated);
  w.key("total_tokens").unsigned_integer(prompt + generated).end_object();
}

class completion_event_format final : public event_format {
 public:
  completion_event_format(completion_identity identity, completion_wishes wishes)
      : identity_(std::move(identity)), wishes_(wishes) {}

  std::vector<http_field> fields(const generation_started& facts) override {
    prompt_tokens_ = facts.prompt_tokens;
    if (wishes_.echo) prompt_ = facts.prompt;
    return started_fields(facts);
  }

  void name_at_end(const served_by& served) override { served_ = served; }

  events chunk(const generation_chunk& c) override {
    generated_ += c.tokens.size();
    auto out = begin(c.choice);
    std::string text;
    for (auto& t : c.tokens)
      text += t.text;
    if (!text.empty() || wishes_.logprobs) out.push_back(piece(c.choice, text, c.tokens));
    return out;
  }

  events finished(const generation_finish& end) override {
    auto out = begin(end.choice);
    out.push_back(piece(end.choice, "", {}, &end));
    return out;
  }

  events done() override {
    if (wishes_.usage == usage_chunks::none) return {"[DONE]"};
    json_writer w;
    w.begin_object();
    write_identity(w, identity_);
    w.key("choices").begin_array().end_array();
    write_usage(w, prompt_tokens_, generated_);
    return {w.end_object().take(), "[DONE]"};
  }

  events failed(const error& why) override { return {error_body(api_style::openai, why), "[DONE]"}; }
  http_reply refused(const error& why) override { return error_reply(api_style::openai, why); }

 private:
  /// The echo of the prompt, before anything else of a choice.
  events begin(std::uint32_t choice) {
    if (!wishes_.echo || !begun_.insert(choice).second) return {};
    std::string text;
    for (auto& t : prompt_)
      text += t.text;
    return {piece(choice, text, prompt_, nullptr, prompt_.size())};
  }

  std::string piece(std::uint32_t choice, std::string_view text, std::span<const generated_token> tokens,
                    const generation_finish* end = nullptr, std::size_t prompt = 0) {
    json_writer w;
    w.begin_object();
    write_identity(w, identity_);
    w.key("choices").begin_array().begin_object();
    write_choice(w, {choice, text, end, wishes_.logprobs ? &logprobs_[choice] : nullptr, tokens, prompt});
    w.end_object().end_array();
    if (end && served_) write_served(w, *served_);
    if (wishes_.usage == usage_chunks::every) write_usage(w, prompt_tokens_, generated_);
    return w.end_object().take();
  }

  completion_identity identity_;
  completion_wishes wishes_;
  std::uint64_t prompt_tokens_ = 0;
  std::uint64_t generated_ = 0;
  std::optional<served_by> served_;      // where the last chunk of a choice has to tell
  std::vector<generated_token> prompt_;  // where it is echoed
  std::set<std::uint32_t> begun_;        // choices that had their echo
  std::map<std::uint32_t, completion_logprobs> logprobs_;
};

}  // namespace

http_reply completion_reply(const completion_identity& identity, const completion_wishes& wishes,
                            const collected& all) {
  const auto before = wishes.echo ? echoed(all.facts) : std::string();
  std::uint64_t generated = 0;
  json_writer w;
  w.begin_object();
  write_identity(w, identity);
  w.key("choices").begin_array();
  for (auto& c : all.choices) {
    completion_logprobs logprobs;
    auto tokens = wishes.echo ? all.facts.prompt : std::vector<generated_token>();
    tokens.insert(tokens.end(), c.tokens.begin(), c.tokens.end());
    const auto text = before + c.end.text;
    w.begin_object();
    write_choice(w, {c.end.choice, text, &c.end, wishes.logprobs ? &logprobs : nullptr, tokens,
                     wishes.echo ? all.facts.prompt.size() : 0});
    if (wishes.prompt_logprobs) {
      w.key("prompt_logprobs");
      write_prompt_logprobs(w, all.facts.prompt);
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

std::unique_ptr<event_format> completion_events(completion_identity identity, completion_wishes wishes) {
  return std::make_unique<completion_event_format>(std::move(identity), wishes);
}

}  // namespace lorica
