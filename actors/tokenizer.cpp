#include "actors/tokenizer.hpp"

#include <atomic>
#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <utility>

#include "actors/attempt.hpp"
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
  tokenizer_actor::behavior_type start(std::shared_ptr<const tokenizer> vocabulary);

 private:
  result<encoded_prompt> encode(const encode_job& job) const;
  result<std::vector<token_id>> ids(const encode_job& job) const;
  std::vector<generated_token> texts(const std::vector<token_id>& ids) const;

  tokenizer_actor::pointer self_;
  std::shared_ptr<const tokenizer> vocabulary_;
};
static_assert(!std::is_aggregate_v<tokenizer_state>);

tokenizer_actor::behavior_type tokenizer_state::start(std::shared_ptr<const tokenizer> vocabulary) {
  harden(self_);
  vocabulary_ = std::move(vocabulary);
  return {
      [this](atom::encode, const encode_job_ptr& job) -> encode_reply {
        return std::make_shared<const result<encoded_prompt>>(attempt(name, [&] { return encode(*job); }));
      },
      [this](atom::spans, const span_job_ptr& job) {
        job->answer(
            attempt(name, [&] { return vocabulary_->encode_spans(job->text, job->add_special_tokens); }));
      }};
}

result<encoded_prompt> tokenizer_state::encode(const encode_job& job) const {
  auto all = ids(job);
  if (!all) return std::move(all).error();
  encoded_prompt out{std::move(*all), {}, {}};
  if (job.truncate && out.ids.size() > *job.truncate)
    out.ids.erase(out.ids.begin(), out.ids.end() - static_cast<std::ptrdiff_t>(*job.truncate));
  if (job.texts_wanted) out.texts = texts(out.ids);
  auto rules = make_token_rules(job.rules, *vocabulary_);
  if (!rules) return std::move(rules).error();
  out.rules = *std::move(rules);
  return out;
}

result<std::vector<token_id>> tokenizer_state::ids(const encode_job& job) const {
  if (auto text = std::get_if<std::string>(&job.prompt))
    return vocabulary_->encode(*text, job.add_special_tokens);
  auto& given = std::get<std::vector<token_id>>(job.prompt);
  for (auto id : given)
    if (id < 0 || static_cast<std::uint32_t>(id) >= vocabulary_->size())
      return fail(errc::invalid,
                  "Input validation error: token id " + std::to_string(id) + " is not in the vocabulary of " +
                      std::to_string(vocabulary_->size()) + " tokens",
                  {}, "prompt");
  return given;
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
                                                std::shared_ptr<const tokenizer> vocabulary) {
  return self->state.start(std::move(vocabulary));
}

}  // namespace

tokenizer_actor spawn_tokenizer(caf::actor_system& system, std::shared_ptr<const tokenizer> vocabulary,
                                placement where) {
  if (where == placement::shared_threads) return system.spawn(tokenizer_worker, std::move(vocabulary));
  return system.spawn<caf::detached>(tokenizer_worker, std::move(vocabulary));
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
