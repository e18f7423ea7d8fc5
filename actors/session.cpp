#include "actors/session.hpp"

#include <algorithm>
#include <caf/actor_system.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <utility>
#include <vector>

#include "actors/composition_limits.hpp"
#include "actors/harden.hpp"
#include "actors/payloads.hpp"
#include "actors/prompt_limits.hpp"
#include "actors/request_output.hpp"
#include "actors/take_reply.hpp"
#include "actors/unknown_adapter.hpp"

namespace lorica {
namespace {

constexpr auto resolve_slack = std::chrono::seconds(10);
constexpr auto encode_limit = std::chrono::seconds(60);

std::size_t prompt_bytes(const prompt_source& prompt) {
  auto chat = std::get_if<conversation_ptr>(&prompt);
  if (chat) return (*chat)->bytes;
  auto text = std::get_if<std::string>(&prompt);
  return text ? text->size() : std::get<std::vector<token_id>>(prompt).size();
}

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
  void encode(std::size_t number, prompt_source prompt, const rule_wishes& rules);
  void submit();
  generation_started facts_of() const;
  rule_wishes take_rules();
  void take(const token_chunk_ptr& chunk);
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
  time_point began_, submitted_at_;
  std::vector<std::optional<adapter_reference>> adapters_;  // in the order asked for
  std::size_t unresolved_ = 0;
  std::vector<encoded_prompt> prompts_;  // until they are submitted
  std::size_t unencoded_ = 0;
  std::string fallback_;  // the name that nobody has, where the base answers for it
  std::uint32_t prompt_tokens_ = 0;
  std::uint32_t max_new_tokens_ = 0;
  std::optional<request_output> output_;  // made when the prompt is submitted
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
  encode();
}

/// All prompts at once, each by the worker with the least to do.
void session_state::encode() {
  auto prompts = std::move(task_.request.prompts);
  auto rules = take_rules();
  prompts_.resize(prompts.size());
  unencoded_ = prompts.size();
  for (std::size_t number = 0; number < prompts.size(); ++number)
    encode(number, std::move(prompts[number]), rules);
}

void session_state::encode(std::size_t number, prompt_source prompt, const rule_wishes& rules) {
  encode_job job;
  auto size = prompt_bytes(prompt);
  for (auto& word : rules.bad_words)
    size += word.size();
  auto chosen = world_->tokenizers.pick(size);
  job.prompt = std::move(prompt);
  if (adapters_.size() == 1) job.defaults = adapters_[0]->defaults;
  job.ends_turn = !task_.request.ignore_eos;
  job.add_special_tokens = task_.request.add_special_tokens;
  job.truncate = task_.request.truncate;
  job.texts_wanted = task_.request.prompt_tokens_wanted || task_.request.prompt_logprobs;
  job.rules = rules;
  job.ticket = std::move(chosen.ticket);
  take_reply(
      self_->request(chosen.worker, encode_limit, atom::encode::value,
                     encode_job_ptr(std::make_shared<const encode_job>(std::move(job)))),
      [this, number](const encode_reply& reply) {
        if (!*reply) return fail_with(reply->error());
        prompts_[number] = **reply;
        if (--unencoded_ == 0) submit();
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
  out.mark = request.mark;
  out.eos = world_->eos;
  return out;
}

void session_state::submit() {
  auto& request = task_.request;
  submission all;
  all.session = self_;
  all.first = task_.first;
  all.choices = sequences_of(request);
  for (auto& prompt : prompts_) {
    auto count = allowed_new_tokens(prompt.ids.size(), request.max_new_tokens, world_->max_input_tokens,
                                    world_->max_total_tokens);
    if (!count) return fail_with(count.error());
    if (auto good = check_min_tokens(request.sampling.min_tokens, *count); !good)
      return fail_with(good.error());
    prompt_tokens_ += static_cast<std::uint32_t>(prompt.ids.size());
    max_new_tokens_ = std::max(max_new_tokens_, *count);
    all.prompts.push_back({prompt.ids, *count});
  }
  output_.emplace(request_output::parts{world_->vocabulary, task_.sink, world_->inter_token}, request,
                  facts_of(), prompts_, task_.first);
  all.combine = request.combine;
  for (std::size_t i = 0; i < adapters_.size(); ++i)
    all.adapters.push_back({*adapters_[i], request.adapters[i].weight});
  all.ignore_eos = request.ignore_eos;
  all.sampling = request.sampling;
  all.sampling.rules = prompts_.front().rules;
  all.top_logprobs = request.top_logprobs;
  all.prompt_logprobs = request.prompt_logprobs;
  all.cache_salt = request.cache_salt;
  submitted_at_ = world_->clock.now();
  prompts_.clear();
  self_->send(world_->scheduler, atom::submit::value,
              submission_ptr(std::make_shared<const submission>(std::move(all))));
}

/// What the client is told first.
generation_started session_state::facts_of() const {
  generation_started out;
  out.served.model_id = world_->model_id;
  out.served.fallback = !fallback_.empty();
  for (auto& found : adapters_)
    out.served.adapters.push_back(
        {found->name, found->meaning->version, found->tier, source_of(*found->meaning)});
  out.prompt_tokens = prompt_tokens_;
  return out;
}

void session_state::take(const token_chunk_ptr& chunk) {
  for (auto choice : output_->take(chunk))
    self_->send(world_->scheduler, atom::cancel::value, task_.first + choice);
  if (output_->complete()) return finish();
  if (!paused_ && task_.sink->saturated()) pause();
}

void session_state::finish() {
  over_ = true;
  output_->finish();
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
  if (!output_) return;
  for (auto choice : output_->running())
    caf::anon_send(world_->scheduler, atom::cancel::value, task_.first + choice);
}

void session_state::pause() {
  paused_ = true;
  for (auto choice : output_->running())
    self_->send(world_->scheduler, atom::pause::value, task_.first + choice);
}

void session_state::resume() {
  // A sink that is full again says so once more when it has drained.
  if (!paused_ || task_.sink->saturated()) return;
  paused_ = false;
  for (auto choice : output_->running())
    self_->send(world_->scheduler, atom::resume::value, task_.first + choice);
}

generation_timings session_state::timings() const {
  generation_timings out;
  auto now = world_->clock.now();
  out.validation = (output_ ? submitted_at_ : now) - began_;
  if (!output_) return out;
  auto& times = output_->times();
  out.queue = (times ? times->admitted : now) - submitted_at_;
  if (!times) return out;
  out.inference = times->last - times->admitted;
  out.first_token = times->first - began_;
  return out;
}

void session_state::report(std::optional<errc> failure) {
  request_facts facts;
  for (auto& found : adapters_)
    if (found) facts.adapters.push_back(found->name);
  if (!fallback_.empty()) facts.fallback = {fallback_, world_->clock.now()};
  facts.failure = failure;
  facts.prompt_tokens = prompt_tokens_;
  if (output_) facts.generated_tokens = output_->generated_tokens();
  facts.max_new_tokens = max_new_tokens_;
  facts.timings = timings();
  facts.total = world_->clock.now() - began_;
  if (output_ && output_->times()) facts.first_token = output_->times()->first - began_;
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
