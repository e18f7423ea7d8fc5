#include "tests/cpu/drive.hpp"

#include <algorithm>
#include <map>
#include <stdexcept>

#include "bench/must.hpp"

namespace lorica::testing {
namespace {

using bench::must;

planner_options plan_of(const executor_limits& l, const model_config& m, const drive& how) {
  planner_options o;
  o.block_tokens = l.block_tokens;
  o.blocks = l.blocks;
  o.max_sequences = l.max_sequences;
  o.max_rows = l.max_rows;
  o.max_positions = l.max_positions;
  o.max_prefill_tokens = how.chunk;
  o.eos = m.eos;
  o.prefix_caching = how.prefix_caching;
  o.policy = how.policy;
  return o;
}

/// Planner and executor of one drive, on the thread that calls.
class driven_run {
 public:
  driven_run(std::unique_ptr<executor> engine, const model_config& m, const adapter_source& adapters,
             const std::vector<golden_case>& cases, const drive& how)
      : engine_(std::move(engine)),
        adapters_(adapters),
        cases_(cases),
        how_(how),
        plan_(plan_of(engine_->limits(), m, how)) {
    out_.answers.resize(cases.size());
  }

  outcome to_the_end() {
    std::shared_ptr<const batch> work;
    while (ended_ < cases_.size()) {
      if (arrive() && work) work = withdraw(std::move(work));
      if (!work) work = next_step();
      if (work) work = compute(*work);
    }
    out_.preemptions = plan_.stats().preemptions;
    out_.prefix_hits = plan_.stats().prefix_hits;
    out_.steps = plan_.stats().steps;
    out_.ahead = plan_.stats().ahead;
    return std::move(out_);
  }

 private:
  /// Those whose time has come; whether somebody came.
  bool arrive() {
    const auto before = arrived_;
    while (arrived_ < cases_.size() && (plan_.idle() || arrived_ * how_.apart <= plan_.stats().steps))
      submit(arrived_++);
    return arrived_ != before;
  }

  void submit(std::size_t i) {
    auto& c = cases_[i];
    sequence s;
    for (auto& [name, weight] : shares_of(c))
      s.composition.push_back({version_of(name), weight});
    s.combine = c.combine;
    s.id = i;
    s.prompt = c.prompt;
    s.max_new_tokens = static_cast<std::uint32_t>(c.tokens.size());
    s.sampling = c.sampling;
    s.top_logprobs = c.top_logprobs;
    s.prompt_logprobs = c.prompt_logprobs;
    if (auto ok = plan_.submit(s); !ok) throw std::runtime_error(ok.error().text);
  }

  /// Attached when it is first asked for.
  adapter_version version_of(const std::string& name) {
    auto known = versions_.find(name);
    if (known != versions_.end()) return known->second;
    const auto loaded = adapters_(name);
    auto& adapter = packed_[loaded.version] = must(engine_->packer().pack(loaded, {}));
    if (auto ok = engine_->attach(adapter); !ok) throw std::runtime_error(ok.error().text);
    return versions_[name] = loaded.version;
  }

  /// The step, or nothing where it is not to be begun any more.
  std::shared_ptr<const batch> withdraw(std::shared_ptr<const batch> work) {
    if (met_++ % 2 != 0) return work;
    ++out_.withdrawn;
    take(plan_.not_begun());
    return nullptr;
  }

  std::shared_ptr<const batch> next_step() {
    auto step = plan_.next_step();
    auto wanted = plan_.lease_wanted();
    for (auto& version : wanted)
      take(plan_.lease_granted(version, packed_.at(version)));
    if (!step && wanted.empty()) throw std::runtime_error("the planner stands still");
    if (!step) return nullptr;
    for (auto id : step->preempted)
      if (!out_.answers[id].tokens.empty() || !out_.answers[id].prompt.empty()) out_.preempted.insert(id);
    return step->work;
  }

  /// The step behind it, where it was planned ahead and everybody goes on.
  std::shared_ptr<const batch> compute(const batch& work) {
    auto next = how_.plan_ahead ? plan_.plan_ahead() : nullptr;
    take(plan_.complete(must(engine_->execute(work))));
    if (!next || plan_.step_in_flight()) return next;
    ++out_.dropped;
    return nullptr;
  }

  void take(const plan_outcome& o) {
    for (auto& t : o.scored)
      out_.answers[t.id].prompt.push_back({t.token, t.logprob, t.rank, t.top});
    for (auto& t : o.tokens) {
      out_.answers[t.id].tokens.push_back(t.token);
      out_.answers[t.id].logprobs.push_back(t.logprob);
      out_.answers[t.id].told.push_back({t.token, t.logprob, t.rank, t.top});
    }
    for (auto& e : o.ended)
      if (!e.how) throw std::runtime_error(e.how.error().text);
    ended_ += o.ended.size();
  }

  std::unique_ptr<executor> engine_;
  const adapter_source& adapters_;
  const std::vector<golden_case>& cases_;
  const drive& how_;
  std::map<std::string, adapter_version> versions_;
  std::map<adapter_version, std::shared_ptr<const packed_adapter>> packed_;
  planner plan_;  // behind what its leases keep alive
  outcome out_;
  std::size_t arrived_ = 0, ended_ = 0, met_ = 0;
};

}  // namespace

std::vector<std::pair<std::string, float>> shares_of(const golden_case& c) {
  if (c.adapter.empty()) return c.composition;
  return {{c.adapter, 1.0f}};
}

cpu_options cpu_options_for(const model_config& m, const drive& how, std::uint32_t blocks) {
  cpu_options o;
  o.mode = how.mode;
  o.threads = how.threads;
  o.block_tokens = how.block_tokens;
  o.blocks = blocks;
  o.max_sequences = how.max_sequences;
  o.logits_bytes = how.logits_bytes;
  o.max_rows = how.max_sequences + how.chunk;
  o.max_positions = std::min<std::uint32_t>(m.max_positions, 512);
  o.token_ids = how.token_ids;
  o.instructions = how.instructions;
  return o;
}

std::unique_ptr<executor> make_cpu(const std::shared_ptr<const model_weights>& weights, const drive& how,
                                   std::uint32_t blocks) {
  return must(make_cpu_executor(weights, cpu_options_for(weights->config(), how, blocks)));
}

outcome run_all(const std::shared_ptr<const model_weights>& weights, const adapter_source& adapters,
                const std::vector<golden_case>& cases, const drive& how, const executor_maker& make) {
  std::uint32_t enough = 0;
  for (auto& c : cases)
    enough += static_cast<std::uint32_t>((c.prompt.size() + c.tokens.size()) / how.block_tokens + 1);
  driven_run run(make(weights, how, how.blocks ? how.blocks : enough), weights->config(), adapters, cases,
                 how);
  return run.to_the_end();
}

}  // namespace lorica::testing
