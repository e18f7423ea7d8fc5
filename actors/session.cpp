#include "actors/session.hpp"

#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <utility>
#include <vector>

#include "actors/best_choices.hpp"
#include "actors/choice_output.hpp"
#include "actors/composition_limits.hpp"
#include "actors/harden.hpp"
#include "actors/payloads.hpp"
#include "actors/prompt_limits.hpp"
#include "actors/prompt_report.hpp"
#include "actors/take_reply.hpp"
#include "actors/token_alternatives.hpp"
#include "actors/unknown_adapter.hpp"

namespace lorica {
namespace {

constexpr auto resolve_slack = std::chrono::seconds(10);
constexpr auto encode_limit = std::chrono::seconds(60);

/// LoRAX's word for where an adapter's files come from.
std::string source_of(const version_reference& adapter) {
  return adapter.source.starts_with("hub:") ? "hub" : "local";
}

class session_state {
 public:
  static inline const char* name = "session";
  explicit session_state(session_actor::pointer self) : self_(self) {}
  ~session_state();
  session_actor::behavior_type start(std::shared_ptr<const session_world> world, session_task task);

 private:
  void resolve();
  void resolve(std::size_t number);
  void take(std::size_t number, const adapter_reference& found);
  void miss(const error& why);
  void encode();
  void submit(encoded_prompt prompt);
  rule_wishes take_rules();
  void take(const token_chunk_ptr& chunk);
  void show(const token_chunk& chunk);
  void announce(const token_chunk& chunk);
  void show(const token_event& event);
  void finish_choice(const token_event& event);
  void show_best();
  void finish();
  void end_with(error why);
  void fail_with(error why);
  void drop_sequences();
  void pause();
  void resume();
  void report(std::optional<errc> failure);
  generation_timings timings() const;

  session_actor::pointer self_;
  std::shared_ptr<const session_world> world_;
  session_task task_;
  time_point began_, submitted_at_, admitted_, last_;
  std::optional<time_point> first_token_;
  std::vector<std::optional<adapter_reference>> adapters_;  // in the order asked for
  std::size_t unresolved_ = 0;
  std::string fallback_;  // the name that nobody has, where the base answers for it
  generation_started facts_;
  prompt_report prompt_;
  std::vector<token_chunk_ptr> early_;  // tokens that came before the prompt's log-probabilities
  std::uint32_t prompt_tokens_ = 0;
  std::uint32_t max_new_tokens_ = 0;
  std::vector<choice_output> choices_;  // made when the prompt is submitted
  std::optional<best_choices> best_;    // where only the best are answered
  std::size_t ended_choices_ = 0;
  bool paused_ = false;
  bool over_ = true;  // the sink has had its last call; true until there is a sink
};
static_assert(!std::is_aggregate_v<session_state>);

session_state::~session_state() {
  // Killed, or forgotten by whoever should have answered: the client still gets its one outcome.
  if (!over_) end_with(fail(errc::incomplete, "Incomplete generation"));
}

session_actor::behavior_type session_state::start(std::shared_ptr<const session_world> world,
                                                  session_task task) {
  harden(self_);
  world_ = std::move(world);
  task_ = std::move(task);
  over_ = false;
  began_ = world_->clock.now();
  if (world_->max_duration.count() > 0) self_->delayed_send(self_, world_->max_duration, atom::expire::value);
  if (task_.request.adapters.empty()) {
    encode();
  } else {
    resolve();
  }
  return {[this](atom::tokens, const token_chunk_ptr& chunk) { take(chunk); },
          [this](atom::failed, const error_ptr& why) { fail_with(*why); },
          [this](atom::cancel) { fail_with(fail(errc::cancelled, "Cancelled by the client")); },
          [this](atom::resume) { resume(); },
          [this](atom::expire) {
            fail_with(fail(errc::timeout, "The request took longer than the server allows"));
          }};
}

/// All names at once: they wait together, and what was found is given back with the session.
void session_state::resolve() {
  unresolved_ = task_.request.adapters.size();
  adapters_.resize(unresolved_);
  for (std::size_t number = 0; number < adapters_.size(); ++number)
    resolve(number);
}

void session_state::resolve(std::size_t number) {
  take_reply(
      self_->request(world_->adapters, world_->adapter_wait + resolve_slack, atom::resolve::value,
                     task_.request.adapters[number].name),
      [this, number](const resolve_reply& reply) {
        if (!*reply) return miss(reply->error());
        take(number, **reply);
      },
      [this](const caf::error&) {
        fail_with(fail(errc::unavailable, "The adapters do not answer; try again"));
      });
}

void session_state::take(std::size_t number, const adapter_reference& found) {
  adapters_[number] = found;
  if (--unresolved_ != 0) return;
  if (auto refused = too_many_bytes(adapters_, world_->adapter_bytes)) return fail_with(*std::move(refused));
  // Of several adapters none can speak for the others.
  if (adapters_.size() == 1 && adapters_[0]->defaults) fill_in(*adapters_[0]->defaults, task_.request);
  if (task_.request.combine == combination::linear)
    if (auto refused = unequal_ranks(adapters_)) return fail_with(*std::move(refused));
  encode();
}

/// Without an adapter the request goes on only where the operator says so; its reply tells.
void session_state::miss(const error& why) {
  if (!world_->base_for_unknown || !nobody_has(why, adapters_.size())) return fail_with(why);
  fallback_ = std::exchange(task_.request.adapters, {}).front().name;
  adapters_.clear();
  facts_.served.fallback = true;
  encode();
}

void session_state::encode() {
  encode_job job;
  auto size = std::visit([](auto& prompt) { return prompt.size(); }, task_.request.prompt);
  for (auto& word : task_.request.bad_words)
    size += word.size();
  auto chosen = world_->tokenizers.pick(size);
  job.prompt = std::move(task_.request.prompt);
  job.add_special_tokens = task_.request.add_special_tokens;
  job.truncate = task_.request.truncate;
  job.texts_wanted = task_.request.prompt_tokens_wanted || task_.request.prompt_logprobs;
  job.rules = take_rules();
  job.ticket = std::move(chosen.ticket);
  take_reply(
      self_->request(chosen.worker, encode_limit, atom::encode::value,
                     encode_job_ptr(std::make_shared<const encode_job>(std::move(job)))),
      [this](const encode_reply& reply) {
        if (!*reply) return fail_with(reply->error());
        submit(**reply);
      },
      [this](const caf::error&) {
        fail_with(fail(errc::unavailable, "The tokenizers do not answer; try again"));
      });
}

/// What the request says of tokens, for the tokenizer to look up.
rule_wishes session_state::take_rules() {
  auto& request = task_.request;
  rule_wishes out;
  out.biases = std::move(request.logit_bias);
  out.allowed = std::move(request.allowed_token_ids);
  out.bad_words = std::move(request.bad_words);
  out.stops = std::move(request.stop_token_ids);
  out.min_tokens = request.sampling.min_tokens;
  if (out.min_tokens != 0) out.eos = world_->eos;
  return out;
}

void session_state::submit(encoded_prompt prompt) {
  auto& request = task_.request;
  auto count = allowed_new_tokens(prompt.ids.size(), request.max_new_tokens, world_->max_input_tokens,
                                  world_->max_total_tokens);
  if (!count) return fail_with(count.error());
  max_new_tokens_ = *count;
  if (auto good = check_min_tokens(request.sampling.min_tokens, *count); !good)
    return fail_with(good.error());
  facts_.served.model_id = world_->model_id;
  prompt_tokens_ = static_cast<std::uint32_t>(prompt.ids.size());
  facts_.prompt_tokens = prompt_tokens_;
  prompt_ = prompt_report(std::move(prompt.texts), world_->vocabulary);
  if (request.prompt_logprobs) prompt_.expect_scores();
  if (request.best_of) best_.emplace(*request.best_of, request.choices);
  for (std::uint32_t i = 0; i < sequences_of(request); ++i)
    choices_.emplace_back(world_->vocabulary, request, prompt.ids);
  submission all;
  all.session = self_;
  all.first = task_.first;
  all.choices = sequences_of(request);
  all.prompt = std::move(prompt.ids);
  all.combine = request.combine;
  for (std::size_t i = 0; i < adapters_.size(); ++i) {
    auto& found = *adapters_[i];
    facts_.served.adapters.push_back(
        {found.name, found.meaning->version, found.tier, source_of(*found.meaning)});
    all.adapters.push_back({found, request.adapters[i].weight});
  }
  all.max_new_tokens = max_new_tokens_;
  all.ignore_eos = request.ignore_eos;
  all.sampling = request.sampling;
  all.sampling.rules = std::move(prompt.rules);
  all.top_logprobs = request.top_logprobs;
  all.prompt_logprobs = request.prompt_logprobs;
  submitted_at_ = world_->clock.now();
  self_->send(world_->scheduler, atom::submit::value,
              submission_ptr(std::make_shared<const submission>(std::move(all))));
}

/// Tokens of other choices may come before the first one's sequence has told all of the prompt: they wait.
void session_state::take(const token_chunk_ptr& chunk) {
  prompt_.add(chunk->scored);
  if (!chunk->events.empty()) early_.push_back(chunk);
  if (!prompt_.complete()) return;
  for (auto& next : std::exchange(early_, {}))
    if (!over_) show(*next);
}

void session_state::show(const token_chunk& chunk) {
  if (!first_token_) {
    announce(chunk);
  } else {
    world_->inter_token.observe(std::chrono::duration<double>(chunk.at - last_).count());
  }
  last_ = chunk.at;
  for (auto& event : chunk.events)
    show(event);
  if (ended_choices_ == choices_.size()) return finish();
  if (!paused_ && task_.sink->saturated()) pause();
}

void session_state::announce(const token_chunk& chunk) {
  first_token_ = chunk.at;
  admitted_ = chunk.admitted;
  facts_.prompt = prompt_.take();
  task_.sink->started(std::move(facts_));
}

void session_state::show(const token_event& event) {
  auto& choice = choices_.at(event.choice);
  if (choice.ended()) return;  // computed before the scheduler heard of the stop string
  auto token = choice.push(event.id, event.logprob, event.end);
  token.rank = event.rank;
  token.top = token_alternatives(event.top, *world_->vocabulary);
  if (best_)
    best_->add(event.choice, std::move(token));
  else
    task_.sink->chunk({event.choice, {std::move(token)}, choice.ended().has_value()});
  if (choice.ended()) finish_choice(event);
}

void session_state::finish_choice(const token_event& event) {
  auto& choice = choices_[event.choice];
  ++ended_choices_;
  if (!event.end) self_->send(world_->scheduler, atom::cancel::value, task_.first + event.choice);
  generation_finish end{.choice = event.choice,
                        .reason = *choice.ended(),
                        .text = choice.text(),
                        .generated_tokens = choice.tokens(),
                        .seed = task_.request.sampling.seed + event.choice,
                        .cause = choice.cause(),
                        .sampled = task_.request.sampling.sample};
  if (best_)
    best_->finish(std::move(end));
  else
    task_.sink->finished(std::move(end));
}

void session_state::show_best() {
  for (auto& choice : best_->take()) {
    task_.sink->chunk({choice.end.choice, std::move(choice.tokens), true});
    task_.sink->finished(std::move(choice.end));
  }
}

void session_state::finish() {
  over_ = true;
  if (best_) show_best();
  task_.sink->done(timings());
  report(std::nullopt);
  self_->quit();
}

void session_state::end_with(error why) {
  over_ = true;
  drop_sequences();
  auto code = why.code;
  task_.sink->failed(std::move(why));
  report(code);
}

void session_state::fail_with(error why) {
  if (over_) return;
  end_with(std::move(why));
  self_->quit();
}

void session_state::drop_sequences() {
  for (std::uint32_t i = 0; i < choices_.size(); ++i)
    if (!choices_[i].ended()) caf::anon_send(world_->scheduler, atom::cancel::value, task_.first + i);
}

void session_state::pause() {
  paused_ = true;
  for (std::uint32_t i = 0; i < choices_.size(); ++i)
    if (!choices_[i].ended()) self_->send(world_->scheduler, atom::pause::value, task_.first + i);
}

void session_state::resume() {
  // A sink that is full again says so once more when it has drained.
  if (!paused_ || task_.sink->saturated()) return;
  paused_ = false;
  for (std::uint32_t i = 0; i < choices_.size(); ++i)
    if (!choices_[i].ended()) self_->send(world_->scheduler, atom::resume::value, task_.first + i);
}

generation_timings session_state::timings() const {
  generation_timings out;
  auto now = world_->clock.now();
  bool submitted = !choices_.empty();
  out.validation = (submitted ? submitted_at_ : now) - began_;
  if (submitted) out.queue = (first_token_ ? admitted_ : now) - submitted_at_;
  if (first_token_) out.inference = last_ - admitted_;
  if (first_token_) out.first_token = *first_token_ - began_;
  return out;
}

void session_state::report(std::optional<errc> failure) {
  request_facts facts;
  for (auto& found : adapters_)
    if (found) facts.adapters.push_back(found->name);
  if (!fallback_.empty()) facts.fallback = {fallback_, world_->clock.now()};
  facts.failure = failure;
  facts.prompt_tokens = prompt_tokens_;
  for (auto& choice : choices_)
    facts.generated_tokens += choice.tokens();
  facts.max_new_tokens = max_new_tokens_;
  facts.timings = timings();
  facts.total = world_->clock.now() - began_;
  if (first_token_) facts.first_token = *first_token_ - began_;
  caf::anon_send(world_->telemetry, atom::finish::value,
                 request_facts_ptr(std::make_shared<const request_facts>(std::move(facts))));
}

session_actor::behavior_type session(session_actor::stateful_pointer<session_state> self,
                                     std::shared_ptr<const session_world> world, session_task task) {
  return self->state.start(std::move(world), std::move(task));
}

}  // namespace

session_actor spawn_session(caf::actor_system& system, std::shared_ptr<const session_world> world,
                            session_task task) {
  return system.spawn(session, std::move(world), std::move(task));
}

}  // namespace lorica
