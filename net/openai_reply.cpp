#include "net/openai_reply.hpp"

#include <optional>

#include "core/json.hpp"
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

void write_choice(json_writer& w, std::uint32_t index, std::string_view text,
                  std::optional<finish_reason> reason) {
  w.begin_object().key("index").unsigned_integer(index).key("text").string(text);
  w.key("logprobs").null().key("finish_reason");
  if (reason)
    w.string(finish_word(*reason));
  else
    w.null();
  w.end_object();
}

void write_usage(json_writer& w, std::uint64_t prompt, std::uint64_t generated) {
  w.key("usage").begin_object().key("prompt_tokens").unsigned_integer(prompt);
  w.key("completion_tokens").unsigned_integer(generated);
  w.key("total_tokens").unsigned_integer(prompt + generated).end_object();
}

class completion_event_format final : public event_format {
 public:
  completion_event_format(completion_identity identity, usage_chunks usage)
      : identity_(std::move(identity)), usage_(usage) {}

  std::vector<http_field> fields(const generation_started& facts) override {
    prompt_tokens_ = facts.prompt_tokens;
    return served_fields(facts.served);
  }

  events chunk(const generation_chunk& c) override {
    generated_ += c.tokens.size();
    std::string text;
    for (auto& t : c.tokens)
      text += t.text;
    if (text.empty()) return {};
    return {piece(c.choice, text, std::nullopt)};
  }

  events finished(const generation_finish& end) override { return {piece(end.choice, "", end.reason)}; }

  events done() override {
    if (usage_ == usage_chunks::none) return {"[DONE]"};
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
  std::string piece(std::uint32_t choice, std::string_view text, std::optional<finish_reason> reason) {
    json_writer w;
    w.begin_object();
    write_identity(w, identity_);
    w.key("choices").begin_array();
    write_choice(w, choice, text, reason);
    w.end_array();
    if (usage_ == usage_chunks::every) write_usage(w, prompt_tokens_, generated_);
    return w.end_object().take();
  }

  completion_identity identity_;
  usage_chunks usage_;
  std::uint64_t prompt_tokens_ = 0;
  std::uint64_t generated_ = 0;
};

}  // namespace

http_reply completion_reply(const completion_identity& identity, const collected& all) {
  std::uint64_t generated = 0;
  json_writer w;
  w.begin_object();
  write_identity(w, identity);
  w.key("choices").begin_array();
  for (auto& c : all.choices) {
    write_choice(w, c.end.choice, c.end.text, c.end.reason);
    generated += c.end.generated_tokens;
  }
  w.end_array();
  write_usage(w, all.facts.prompt_tokens, generated);
  auto out = json_reply(200, w.end_object().take());
  out.fields = served_fields(all.facts.served);
  return out;
}

std::unique_ptr<event_format> completion_events(completion_identity identity, usage_chunks usage) {
  return std::make_unique<completion_event_format>(std::move(identity), usage);
}

}  // namespace lorica
