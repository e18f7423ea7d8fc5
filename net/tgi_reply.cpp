#include "net/tgi_reply.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/json.hpp"
#include "core/shortest.hpp"
#include "net/reply_fields.hpp"

namespace lorica {
namespace {

/// LoRAX's likeliest tokens at the place of one.
void write_alternatives(json_writer& w, const tgi_wishes& wishes, const generated_token& t) {
  if (wishes.alternatives == 0) return;
  w.key("alternative_tokens").begin_array();
  for (std::size_t i = 0; i < std::min<std::size_t>(t.top.size(), wishes.alternatives); ++i) {
    w.begin_object().key("id").integer(t.top[i].id).key("text").string(t.top[i].text);
    w.key("logprob").number(shortest(t.top[i].logprob)).end_object();
  }
  w.end_array();
}

// Clients leave out the texts of special tokens. An end token that brings text held back until then is
// therefore told with that text and not as special.
void write_token(json_writer& w, const tgi_wishes& wishes, const generated_token& t) {
  bool brings_text = !t.text.empty() && !t.hidden_text.empty();
  w.begin_object().key("id").integer(t.id).key("text").string(t.text.empty() ? t.hidden_text : t.text);
  w.key("logprob").number(shortest(t.logprob)).key("special").boolean(t.special && !brings_text);
  w.key("skipped").boolean(false);
  write_alternatives(w, wishes, t);
  w.end_object();
}

void write_seed(json_writer& w, const generation_finish& end) {
  w.key("seed");
  if (end.sampled)
    w.unsigned_integer(end.seed);
  else
    w.null();
}

/// The alternatives of one token, in TGI's form.
void write_top(json_writer& w, const tgi_wishes& wishes, const generated_token& t) {
  w.begin_array();
  for (std::size_t i = 0; i < std::min<std::size_t>(t.top.size(), wishes.top_tokens); ++i) {
    auto& other = t.top[i];
    w.begin_object().key("id").integer(other.id).key("text").string(other.text);
    w.key("logprob").number(shortest(other.logprob)).key("special").boolean(other.special);
    w.key("skipped").boolean(false).end_object();
  }
  w.end_array();
}

// Nothing comes before the first token that could make it likely: TGI has null there.
void write_prefill(json_writer& w, const std::vector<generated_token>& prompt) {
  w.key("prefill").begin_array();
  for (auto& t : prompt) {
    w.begin_object().key("id").integer(t.id).key("text").string(t.text + t.hidden_text);
    w.key("logprob");
    if (t.rank != 0)
      w.number(shortest(t.logprob));
    else
      w.null();
    w.end_object();
  }
  w.end_array();
}

void write_choice(json_writer& w, const tgi_wishes& wishes, const collected& all,
                  const collected::choice& c) {
  w.key("finish_reason").string(to_string(c.end.reason));
  w.key("generated_tokens").unsigned_integer(c.end.generated_tokens);
  write_seed(w, c.end);
  write_prefill(w, all.facts.prompts.empty() ? std::vector<generated_token>() : all.facts.prompts.front());
  w.key("tokens").begin_array();
  for (auto& t : c.tokens)
    write_token(w, wishes, t);
  w.end_array();
  if (wishes.top_tokens == 0) return;
  w.key("top_tokens").begin_array();
  for (auto& t : c.tokens)
    write_top(w, wishes, t);
  w.end_array();
}

/// The best choice comes first.
void write_details(json_writer& w, const tgi_wishes& wishes, const collected& all) {
  w.key("details").begin_object();
  write_choice(w, wishes, all, all.choices[0]);
  w.key("prompt_tokens").unsigned_integer(all.facts.prompt_tokens);
  w.key("skipped_tokens").unsigned_integer(0);
  if (all.choices.size() > 1) {
    w.key("best_of_sequences").begin_array();
    for (std::size_t i = 1; i < all.choices.size(); ++i) {
      w.begin_object().key("generated_text").string(wishes.full_text_prefix + all.choices[i].end.text);
      write_choice(w, wishes, all, all.choices[i]);
      w.end_object();
    }
    w.end_array();
  }
  w.end_object();
}

class tgi_event_format final : public event_format {
 public:
  explicit tgi_event_format(tgi_wishes wishes) : wishes_(std::move(wishes)) {}

  std::vector<http_field> fields(const generation_started& facts) override {
    prompt_tokens_ = facts.prompt_tokens;
    return started_fields(facts);
  }

  void name_at_end(const served_by& served) override { served_ = served; }

  // The last token waits for the end: its event carries the whole text.
  events chunk(const generation_chunk& c) override {
    events out;
    for (std::size_t i = 0; i < c.tokens.size(); ++i) {
      if (c.last && i + 1 == c.tokens.size())
        held_ = c.tokens[i];
      else
        out.push_back(event(c.tokens[i], nullptr));
    }
    return out;
  }

  events finished(const generation_finish& end) override { return {event(held_, &end)}; }
  events done() override { return {}; }
  events failed(const error& why) override { return {error_body(api_style::native, why)}; }
  http_reply refused(const error& why) override { return error_reply(api_style::native, why); }

 private:
  std::string event(const generated_token& token, const generation_finish* end) {
    json_writer w;
    w.begin_object().key("index").unsigned_integer(++index_).key("token");
    write_token(w, wishes_, token);
    if (wishes_.top_tokens != 0 && !token.top.empty()) {
      w.key("top_tokens");
      write_top(w, wishes_, token);
    }
    w.key("generated_text");
    if (end)
      w.string(wishes_.full_text_prefix + end->text);
    else
      w.null();
    w.key("details");
    if (end && wishes_.details)
      write_end(w, *end);
    else
      w.null();
    if (end && served_) write_served(w, *served_);
    return w.end_object().take();
  }

  void write_end(json_writer& w, const generation_finish& end) {
    w.begin_object().key("finish_reason").string(to_string(end.reason));
    w.key("generated_tokens").unsigned_integer(end.generated_tokens);
    write_seed(w, end);
    w.key("input_length").unsigned_integer(prompt_tokens_);
    w.key("prompt_tokens").unsigned_integer(prompt_tokens_).end_object();
  }

  tgi_wishes wishes_;
  std::uint32_t prompt_tokens_ = 0;
  std::uint64_t index_ = 0;
  generated_token held_;
  std::optional<served_by> served_;  // where the last event has to tell
};

}  // namespace

http_reply tgi_reply(const tgi_wishes& wishes, const collected& all) {
  json_writer w;
  if (wishes.list) w.begin_array();
  w.begin_object().key("generated_text").string(wishes.full_text_prefix + all.choices[0].end.text);
  if (wishes.details) write_details(w, wishes, all);
  w.end_object();
  if (wishes.list) w.end_array();
  auto out = json_reply(200, w.take());
  out.fields = served_fields(all.facts.served);
  return out;
}

std::unique_ptr<event_format> tgi_events(tgi_wishes wishes) {
  return std::make_unique<tgi_event_format>(std::move(wishes));
}

}  // namespace lorica
