#include "engine/planner.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "engine/linear_merge.hpp"
#include "engine/planner_record.hpp"
#include "engine/sequence_end.hpp"

namespace lorica {
namespace {

constexpr double most_billed = 4;  // times what a step should have taken

error too_long(std::uint64_t tokens, const std::string& limit) {
  return fail(errc::invalid,
              "prompt and max_new_tokens together are " + std::to_string(tokens) + " tokens; " + limit, {},
              "max_new_tokens");
}

bool in_company(const sequence& s, const adapter_share& share) {
  return s.composition.size() > 1 || share.weight != 1;
}

bool names(const sequence& s, const adapter_version& version) {
  return std::ranges::find(s.composition, version, &adapter_share::version) != s.composition.end();
}

error not_alone() {
  return fail(
      errc::invalid,
      "an adapter with DoRA (use_dora) or full copies of modules (modules_to_save) is combined with others "
      "or weighted; ask for it alone and without a weight",
      {}, "adapters");
}

error not_finite() {
  return fail(errc::generation_failed, "the model's output for this request is not finite");
}

error nothing_left() {
  return fail(
      errc::invalid,
      "`allowed_token_ids`, `bad_words` and `min_tokens` leave no token that may come next; allow more "
      "tokens");
}

}  // namespace

planner::planner(planner_options options)
    : options_(std::move(options)),
      blocks_(options_.blocks, options_.block_tokens),
      cache_(blocks_),
      cost_(options_.sizes),
      queue_(options_.policy) {
  if (options_.prefix_caching) blocks_.set_keeper(&cache_);
  // Each running sequence can then decode in every step, and a prefill is never left without a row.
  auto slots = std::min(options_.max_sequences, options_.max_rows);
  for (auto slot = slots; slot > 0; --slot)
    free_slots_.push_back(slot - 1);
}

planner::~planner() = default;

result<void> planner::check(const sequence& s) const {
  if (records_.contains(s.id))
    return fail(errc::internal, "sequence " + std::to_string(s.id) + " was submitted twice");
  if (s.prompt.empty())
    return fail(errc::invalid, "the prompt has no tokens; at least 1 is needed", {}, "prompt");
  if (std::ranges::any_of(s.prompt, [](token_id t) { return t < 0; }))
    return fail(errc::invalid, "the prompt holds a negative token id", {}, "prompt");
  if (s.max_new_tokens == 0)
    return fail(errc::invalid, "max_new_tokens is 0; at least 1 is needed", {}, "max_new_tokens");
  auto most = std::uint64_t{s.prompt.size()} + s.max_new_tokens;
  if (most > options_.max_positions)
    return too_long(most, "the model takes " + std::to_string(options_.max_positions));
  auto pool = std::uint64_t{options_.blocks} * options_.block_tokens;
  if (most > pool) return too_long(most, "the KV cache holds " + std::to_string(pool));
  if (options_.max_total_tokens != 0 && most > options_.max_total_tokens)
    return too_long(most, "a batch takes " + std::to_string(options_.max_total_tokens));
  for (auto& share : s.composition)
    if (!std::isfinite(share.weight))
      return fail(errc::invalid, "an adapter's weight is not a finite number", {}, "adapters");
  if (auto refused = composition_refusal(s)) return *std::move(refused);
  if (options_.max_adapters_per_step != 0 && s.composition.size() > options_.max_adapters_per_step)
    return fail(errc::invalid,
                std::to_string(s.composition.size()) + " adapters are combined; a step takes at most " +
                    std::to_string(options_.max_adapters_per_step),
                {}, "adapters");
  return {};
}

/// What the adapters that are held say against their combination.
std::optional<error> planner::composition_refusal(const sequence& s) const {
  std::vector<adapter_use> held;
  for (auto& share : s.composition) {
    auto known = leases_.find(share.version);
    if (!known || !known->held) continue;
    if (known->held->stands_alone() && in_company(s, share)) return not_alone();
    held.push_back({known->held.get(), share.weight});
  }
  if (s.combine != combination::linear || held.size() != s.composition.size()) return std::nullopt;
  return linear_merge_refusal(held);
}

result<void> planner::submit(sequence s) {
  if (auto good = check(s); !good) return good;
  if (waiting_.size() >= options_.max_waiting)
    return fail(errc::overloaded, "the queue is full (" + std::to_string(waiting_.size()) +
                                      " sequences wait); try again later");
  most_.prompt = std::max(most_.prompt, static_cast<std::uint32_t>(s.prompt.size()));
  most_.answer = std::max(most_.answer, s.max_new_tokens);
  auto id = s.id;
  auto made = std::make_unique<record>(std::move(s), next_ticket_++, blocks_);
  made->client = &queue_.enter(client_of(made->facts));
  enqueue(*made);
  // The first of its client asks in time for the next step, if the answer is quick.
  auto first = *made->client->waiting.begin() == place_of(*made);
  if (first && askers_ < free_slots_.size() + options_.leases_ahead) gather_leases(*made, asking::allowed);
  records_.emplace(id, std::move(made));
  return {};
}

plan_outcome planner::cancel(sequence_id id) {
  auto found = records_.find(id);
  if (found == records_.end()) return {};
  plan_outcome out;
  doom(*found->second, fail(errc::cancelled, "the request was cancelled"), out);
  return out;
}

void planner::pause(sequence_id id) {
  auto found = records_.find(id);
  if (found == records_.end() || found->second->paused) return;
  auto& r = *found->second;
  if (!r.running) queue_.remove(*r.client, place_of(r));
  r.paused = true;
}

void planner::resume(sequence_id id) {
  auto found = records_.find(id);
  if (found == records_.end() || !found->second->paused) return;
  auto& r = *found->second;
  r.paused = false;
  if (!r.running) queue_.add(*r.client, place_of(r));
}

plan_outcome planner::lease_granted(const adapter_version& version, lease_table::lease lease,
                                    std::chrono::nanoseconds arrives) {
  plan_outcome out;
  last_arrival_ = std::max(last_arrival_, arrives);
  if (auto spare = leases_.grant(version, std::move(lease), arrives)) out.leases.push_back(std::move(spare));
  std::vector<std::pair<record*, error>> hit;
  for (auto& [place, r] : waiting_)
    if (names(r->facts, version))
      if (auto refused = composition_refusal(r->facts)) hit.emplace_back(r, *std::move(refused));
  for (auto& [r, why] : hit)
    end(*r, why, out);
  return out;
}

plan_outcome planner::lease_refused(const adapter_version& version, const error& why) {
  plan_outcome out;
  if (!leases_.pending(version)) return out;
  std::vector<record*> hit;
  for (auto& [place, r] : waiting_)
    if (names(r->facts, version)) hit.push_back(r);
  for (auto r : hit)
    end(*r, why, out);
  leases_.forget(version);
  return out;
}

/// One token for each sequence that samples and one for each row that scores, in their order.
bool planner::keeps_contract(const step_output& output, const std::vector<record*>& work) {
  std::size_t tokens = 0;
  std::size_t scored = 0;
  for (std::uint32_t i = 0; i < work.size(); ++i) {
    auto& r = *work[i];
    for (std::uint32_t k = 0; k < r.scores().count; ++k) {
      if (scored == output.scored.size()) return false;
      auto& s = output.scored[scored++];
      if (s.sequence != i || s.token != r.tokens[r.next_scored + k]) return false;
    }
    if (!r.samples()) continue;
    if (tokens == output.tokens.size()) return false;
    auto& t = output.tokens[tokens++];
    if (t.sequence != i || (t.token < 0 && t.token != no_token)) return false;
  }
  return tokens == output.tokens.size() && scored == output.scored.size();
}

plan_outcome planner::complete(const step_output& output) {
  if (in_flight_.empty()) throw std::logic_error("a step was completed that was not planned");
  if (!keeps_contract(output, in_flight_))
    return step_failed(fail(errc::internal, "the executor returned tokens that do not match the step"));
  plan_outcome out;
  count_ahead();
  auto next_work = std::exchange(next_work_, nullptr);
  const auto next = next_work && all_go_on(*work_, output) ? ahead::yes : ahead::no;
  // A step that something foreign stretched is not wholly on its clients' bill.
  auto bill = cost_.predict(load_);
  if (output.seconds > 0) bill = std::min(output.seconds, most_billed * bill);
  if (waits_)
    note_arrivals();
  else
    cost_.learn(load_, output.seconds);
  auto billed = bill / cost_.predict(load_);
  auto sampled = output.tokens.data();
  std::span scored(output.scored);
  auto work = std::exchange(in_flight_, {});
  for (auto r : work) {
    auto samples = r->samples();
    auto scores = scored.first(r->scores().count);
    scored = scored.subspan(scores.size());
    charge(*r, billed);
    r->computed += std::exchange(r->planned, 0u);
    r->told = r->computed;
    note_blocks(*r);
    take_results(*r, next, samples ? sampled++ : nullptr, scores, out);
  }
  if (next == ahead::yes)
    begin_ahead(std::move(work), std::move(next_work));
  else
    give_way(out);
  return out;
}

/// What a step gave one of its sequences; `sampled` is null where it did not sample.
void planner::take_results(record& r, ahead next, const sampled_token* sampled,
                           std::span<const sampled_token> scored, plan_outcome& out) {
  // Nobody waits for the tokens of a sequence that was cancelled meanwhile.
  if (r.doomed && next == ahead::no) return end(r, *r.doomed, out);
  if (r.doomed) {  // its next row is in flight
    r.next_scored += static_cast<std::uint32_t>(scored.size());
    return r.tokens.push_back(sampled->token);
  }
  for (auto& s : scored) {
    if (!std::isfinite(s.logprob)) return end(r, not_finite(), out);
    out.scored.push_back({r.facts.id, r.tokens[r.next_scored++], s.logprob, s.rank, s.top});
  }
  if (sampled) take_token(r, *sampled, out);
}

void planner::take_token(record& r, const sampled_token& sampled, plan_outcome& out) {
  if (sampled.token == no_token) return end(r, nothing_left(), out);
  // An adapter with absurd weights spoils its own rows only, so only its sequence ends.
  if (!std::isfinite(sampled.logprob)) return end(r, not_finite(), out);
  r.tokens.push_back(sampled.token);
  out.tokens.push_back({r.facts.id, sampled.token, sampled.logprob, sampled.rank, sampled.top});
  ++counts_.tokens;
  if (auto how = end_with(sampled.token, r.facts.sampling, r.facts.ignore_eos, options_.eos))
    return end(r, *how, out);
  if (r.generated() == r.facts.max_new_tokens) end(r, finish_reason::length, out);
}

plan_outcome planner::step_failed(const error& why) {
  if (in_flight_.empty()) throw std::logic_error("a step failed that was not planned");
  plan_outcome out;
  count_ahead();
  next_work_ = nullptr;
  for (auto r : std::exchange(in_flight_, {}))
    end(*r, r->doomed.value_or(why), out);
  return out;
}

plan_outcome planner::end_all(const error& why) {
  std::vector<record*> all = running_;
  for (auto& [place, r] : waiting_)
    all.push_back(r);
  plan_outcome out;
  for (auto r : all)
    doom(*r, why, out);
  return out;
}

void planner::doom(record& r, const error& why, plan_outcome& out) {
  if (r.planned == 0) return end(r, why, out);
  if (!r.doomed) r.doomed = why;
}

void planner::end(record& r, result<finish_reason> how, plan_outcome& out) {
  settle(r);
  if (r.running) {
    std::erase(running_, &r);
    admitted_tokens_ -= r.most_tokens();
    free_slots_.push_back(r.slot);
    queue_.stopped(*r.client);
  } else {
    dequeue(r);
  }
  queue_.leave(*r.client);
  r.blocks.clear();
  scatter_leases(r, out);
  auto id = r.facts.id;
  out.ended.push_back({id, std::move(how)});
  records_.erase(id);
  // Whoever is remembered comes back with the gap that was.
  if (records_.empty() && queue_.remembered() == 0) most_ = {};
}

std::vector<std::uint32_t> planner::empty_blocks() const {
  std::vector<std::uint32_t> out(blocks_.empty().begin(), blocks_.empty().end());
  std::ranges::sort(out);
  return out;
}

planner_stats planner::stats() const {
  auto out = counts_;
  out.running = running_.size();
  out.waiting = waiting_.size();
  for (auto& [id, r] : records_)
    out.paused += r->paused ? 1 : 0;
  out.blocks_used = blocks_.used();
  out.blocks_total = blocks_.total();
  out.leases = leases_.size();
  out.clients = queue_.clients();
  out.gap = queue_.gap();
  out.gap_bound = gap_bound();
  out.price_error = cost_.error();
  return out;
}

}  // namespace lorica
