#include "net/tgi_reply.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "core/json.hpp"
#include "core/shortest.hpp"
#include "net/reply_fields.hpp"

namespace lorica {
namespace {

// Clients leave out the texts of special tokens. An end token that brings text held back until then is
// therefore told with that text and not as special.
void write_token(json_writer& w, const generated_token& t) {
  bool brings_text = !t.text.empty() && !t.hidden_text.empty();
  w.begin_object().key("id").integer(t.id).key("text").string(t.text.empty() ? t.hidden_text : t.text);
  w.key("logprob").number(shortest(t.logprob)).key("special").boolean(t.special && !brings_text);
  w.key("skipped").boolean(false).end_object();
}

void write_seed(json_writer& w, const tgi_wishes& wishes, std::uint64_t seed) {
  w.key("seed");
  if (wishes.sampled)
    w.unsigned_integer(seed);
  else
    w.null();
}

/// The alternatives of one token, in TGI's form.
void write_top(json_writer& w, const generated_token& t) {
  w.begin_array();
  for (auto& other : t.top) {
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
  write_seed(w, wishes, c.end.seed);
  write_prefill(w, all.facts.prompts.empty() ? std::vector<generated_token>() : all.facts.prompts.front());
  w.key("tokens").begin_array();
  for (auto& t : c.tokens)
    write_token(w, t);
  w.end_array();
  if (wishes.top_tokens == 0) return;
  w.key("top_tokens").begin_array();
  for (auto& t : c.tokens)
    write_top(w, t);
  w.end_array();
}

double mean_logprob(const collected::choice& c) {
  double sum = 0;
  for (auto& t : c.tokens)
    sum += static_cast<double>(t.logprob);
  return sum / static_cast<double>(std::max<std::size_t>(c.tokens.size(), 1));
}

std::size_t best_choice(const std::vector<collected::choice>& choices) {
  auto at = std::max_element(choices.begin(), choices.end(),
                             [](auto& a, auto& b) { return mean_logprob(a) < mean_logprob(b); });
  return static_cast<std::size_t>(at - choices.begin());
}

void write_details(json_writer& w, const tgi_wishes& wishes, const collected& all, std::size_t best) {
  w.key("details").begin_object();
  write_choice(w, wishes, all, all.choices[best]);
  w.key("prompt_tokens").unsigned_integer(all.facts.prompt_tokens);
  w.key("skipped_tokens").unsigned_integer(0);
  if (all.choices.size() > 1) {
    w.key("best_of_sequences").begin_array();
    for (std::size_t i = 0; i < all.choices.size(); ++i) {
      if (i == best) continue;
      w.begin_object().key("generated_text").string(wishes.full_text_prefix + all.choices[i].end.text);
      write_choice(w, wishes, all, all.choices[i]);
      w.end_object();
    }
    w.end_array();
  }
  w.end_object();
}

using std::chrono::duration_cast;

std::string milliseconds(std::chrono::nanoseconds t) {
  return std::to_string(duration_cast<std::chrono::milliseconds>(t).count());
}

std::vector<http_field> timing_fields(const tgi_wishes& wishes, const collected& all,
                                      clock_source::time_point now) {
  std::uint64_t generated = 0;
  for (auto& c : all.choices)
    generated += c.end.generated_tokens;
  auto total = duration_cast<std::chrono::nanoseconds>(now - wishes.arrived);
  auto each = all.timings.inference / static_cast<std::int64_t>(std::max<std::uint64_t>(generated, 1));
  return {{"x-compute-type", wishes.device},
          {"x-compute-time", fmt::format("{:.6f}", std::chrono::duration<double>(total).count())},
          {"x-compute-characters", std::to_string(wishes.prompt_characters)},
          {"x-total-time", milliseconds(total)},
          {"x-validation-time", milliseconds(all.timings.validation)},
          {"x-queue-time", milliseconds(all.timings.queue)},
          {"x-inference-time", milliseconds(all.timings.inference)},
          {"x-time-per-token", milliseconds(each)},
          {"x-prompt-tokens", std::to_string(all.facts.prompt_tokens)},
          {"x-generated-tokens", std::to_string(generated)},
          {"x-total-tokens", std::to_string(all.facts.prompt_tokens + generated)}};
}

class tgi_event_format final : public event_format {
 public:
  explicit tgi_event_format(tgi_wishes wishes) : wishes_(std::move(wishes)) {}

  std::vector<http_field> fields(const generation_started& facts) override {
    prompt_tokens_ = facts.prompt_tokens;
    auto out = served_fields(facts.served);
    out.push_back({"x-compute-type", wishes_.device});
    out.push_back({"x-compute-characters", std::to_string(wishes_.prompt_characters)});
    out.push_back({"x-prompt-tokens", std::to_string(facts.prompt_tokens)});
    return out;
  }

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
    write_token(w, token);
    if (!token.top.empty()) {
      w.key("top_tokens");
      write_top(w, token);
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
    return w.end_object().take();
  }

  void write_end(json_writer& w, const generation_finish& end) {
    w.begin_object().key("finish_reason").string(to_string(end.reason));
    w.key("generated_tokens").unsigned_integer(end.generated_tokens);
    write_seed(w, wishes_, end.seed);
    w.key("input_length").unsigned_integer(prompt_tokens_);
    w.key("prompt_tokens").unsigned_integer(prompt_tokens_).end_object();
  }

  tgi_wishes wishes_;
  std::uint32_t prompt_tokens_ = 0;
  std::uint64_t index_ = 0;
  generated_token held_;
};

}  // namespace

http_reply tgi_reply(const tgi_wishes& wishes, const collected& all, clock_source::time_point now) {
  auto best = best_choice(all.choices);
  json_writer w;
  if (wishes.list) w.begin_array();
  w.begin_object().key("generated_text").string(wishes.full_text_prefix + all.choices[best].end.text);
  if (wishes.details) write_details(w, wishes, all, best);
  w.end_object();
  if (wishes.list) w.end_array();
  auto out = json_reply(200, w.take());
  out.fields = served_fields(all.facts.served);
  auto timings = timing_fields(wishes, all, now);
  out.fields.insert(out.fields.end(), timings.begin(), timings.end());
  return out;
}

std::unique_ptr<event_format> tgi_events(tgi_wishes wishes) {
  return std::make_unique<tgi_event_format>(std::move(wishes));
}

}  // namespace lorica
