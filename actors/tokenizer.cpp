#include "actors/tokenizer.hpp"

#include <algorithm>
#include <atomic>
#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <ctime>
#include <optional>
#include <utility>

#include "actors/attempt.hpp"
#include "actors/chat_encoder.hpp"
#include "actors/harden.hpp"
#include "actors/payloads.hpp"
#include "actors/token_rule_maker.hpp"
#include "text/incremental_decoder.hpp"

namespace lorica {
namespace {

constexpr std::size_t small_job = 8192;  // bytes; a few milliseconds

class tokenizer_state {
 public:
  static inline const char* name = "tokenizer";
  explicit tokenizer_state(tokenizer_actor::pointer self) : self_(self) {}
  tokenizer_actor::behavior_type start(std::shared_ptr<const tokenizer> vocabulary,
                                       std::shared_ptr<const chat_format> chat);

 private:
  result<encoded_prompt> encode(const encode_job& job);
  result<encoded_prompt> ids_of(const encode_job& job) const;
  result<encoded_prompt> ids_of(const conversation& what, const encode_job& job);
  result<tokenized_chat> spans(const conversation& what);
  std::vector<generated_token> texts(const std::vector<token_id>& ids) const;

  tokenizer_actor::pointer self_;
  std::shared_ptr<const tokenizer> vocabulary_;
  std::optional<chat_encoder> chats_;
};
static_assert(!std::is_aggregate_v<tokenizer_state>);

std::tm local_time() {
  auto now = std::time(nullptr);
  std::tm out{};
  ::localtime_r(&now, &out);
  return out;
}

tokenizer_actor::behavior_type tokenizer_state::start(std::shared_ptr<const tokenizer> vocabulary,
                                                      std::shared_ptr<const chat_format> chat) {
  harden(self_);
  vocabulary_ = std::move(vocabulary);
  chats_.emplace(std::move(chat), vocabulary_);
  return {
      [this](atom::encode, const encode_job_ptr& job) -> encode_reply {
        return std::make_shared<const result<encoded_prompt>>(attempt(name, [&] { return encode(*job); }));
      },
      [this](atom::spans, const span_job_ptr& job) {
        job->answer(attempt(
            name, [&] { return vocabulary_->encode_spans(job->input.text, job->input.add_special_tokens); }));
      },
      [this](atom::spans, const chat_span_job_ptr& job) {
        job->answer(attempt(name, [&] { return spans(*job->input); }));
      }};
}

result<encoded_prompt> tokenizer_state::encode(const encode_job& job) {
  auto chat = std::get_if<conversation_ptr>(&job.prompt);
  auto all = chat ? ids_of(**chat, job) : ids_of(job);
  if (!all) return std::move(all).error();
  auto out = *std::move(all);
  if (job.truncate && out.ids.size() > *job.truncate)
    out.ids.erase(out.ids.begin(), out.ids.end() - static_cast<std::ptrdiff_t>(*job.truncate));
  if (job.texts_wanted) out.texts = texts(out.ids);
  auto wishes = job.rules;
  wishes.end_of_turn = out.end_of_turn;
  auto rules = make_token_rules(wishes, *vocabulary_);
  if (!rules) return std::move(rules).error();
  out.rules = *std::move(rules);
  return out;
}

result<encoded_prompt> tokenizer_state::ids_of(const encode_job& job) const {
  encoded_prompt out;
  if (auto text = std::get_if<std::string>(&job.prompt)) {
    auto ids = vocabulary_->encode(*text, job.add_special_tokens);
    if (!ids) return std::move(ids).error();
    out.ids = *std::move(ids);
    return out;
  }
  out.ids = std::get<std::vector<token_id>>(job.prompt);
  for (auto id : out.ids)
    if (id < 0 || static_cast<std::uint32_t>(id) >= vocabulary_->size())
      return fail(errc::invalid,
                  "Input validation error: token id " + std::to_string(id) + " is not in the vocabulary of " +
                      std::to_string(vocabulary_->size()) + " tokens",
                  {}, "prompt");
  return out;
}

/// The end of a turn is a stop of the generation, unless it is one already.
result<encoded_prompt> tokenizer_state::ids_of(const conversation& what, const encode_job& job) {
  auto prompt = chats_->render(what, job.defaults.get(), local_time());
  if (!prompt) return std::move(prompt).error();
  auto ids = vocabulary_->encode_rendered(prompt->text);
  if (!ids) return std::move(ids).error();
  encoded_prompt out;
  out.ids = *std::move(ids);
  auto known = [&](const std::vector<token_id>& list) {
    return prompt->end_of_turn && std::ranges::find(list, *prompt->end_of_turn) != list.end();
  };
  if (job.ends_turn && !known(job.rules.stops) && !known(job.rules.eos))
    out.end_of_turn = prompt->end_of_turn;
  return out;
}

result<tokenized_chat> tokenizer_state::spans(const conversation& what) {
  auto prompt = chats_->render(what, nullptr, local_time());
  if (!prompt) return std::move(prompt).error();
  auto tokens = vocabulary_->rendered_spans(prompt->text);
  if (!tokens) return std::move(tokens).error();
  return tokenized_chat{std::move(prompt->text.text), *std::move(tokens)};
}

std::vector<generated_token> tokenizer_state::texts(const std::vector<token_id>& ids) const {
  std::vector<generated_token> out(ids.size());
  incremental_decoder decoder(vocabulary_, /*skip_special_tokens=*/false);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    out[i].id = ids[i];
    out[i].special = vocabulary_->is_special(ids[i]);
    out[i].text = decoder.push(ids[i]);
    out[i].bytes = vocabulary_->bytes(ids[i]);
  }
  if (!out.empty()) out.back().text += decoder.flush();
  return out;
}

tokenizer_actor::behavior_type tokenizer_worker(tokenizer_actor::stateful_pointer<tokenizer_state> self,
                                                std::shared_ptr<const tokenizer> vocabulary,
                                                std::shared_ptr<const chat_format> chat) {
  return self->state.start(std::move(vocabulary), std::move(chat));
}

}  // namespace

tokenizer_actor spawn_tokenizer(caf::actor_system& system, std::shared_ptr<const tokenizer> vocabulary,
                                std::shared_ptr<const chat_format> chat, placement where) {
  if (where == placement::shared_threads)
    return system.spawn(tokenizer_worker, std::move(vocabulary), std::move(chat));
  return system.spawn<caf::detached>(tokenizer_worker, std::move(vocabulary), std::move(chat));
}

struct tokenizer_pool::counts {
  explicit counts(std::size_t n) : pending(n) {}
  std::vector<std::atomic<std::size_t>> pending;
};

tokenizer_pool::tokenizer_pool(std::vector<tokenizer_actor> workers)
    : workers_(std::move(workers)), counts_(std::make_shared<counts>(workers_.size())) {}

tokenizer_pool::choice tokenizer_pool::pick(std::size_t bytes) const {
  std::size_t first = workers_.size() > 1 && bytes > small_job ? 1 : 0;
  std::size_t best = first;
  for (auto i = first; i < workers_.size(); ++i)
    if (counts_->pending[i] < counts_->pending[best]) best = i;
  auto cost = bytes + 64;  // an empty job costs something too
  counts_->pending[best] += cost;
  auto undo = [all = counts_, best, cost](const void*) { all->pending[best] -= cost; };
  return {workers_[best], std::shared_ptr<const void>(counts_.get(), std::move(undo))};
}

}  // namespace lorica
