#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <set>
#include <utility>

#include "engine/sequence_end.hpp"
#include "tests/engine/fake_device.hpp"

namespace lorica::testing {

/// Drives a planner with random calls and keeps its own, simpler account of what must be true. Throws at the
/// first broken promise.
class planner_world {
 public:
  planner_world(planner_options options, std::uint64_t seed)
      : options_(std::move(options)), random_(seed), planner_(options_), device_(options_) {}

  /// One random call, then every check.
  void act() {
    now_ += std::chrono::milliseconds(roll(20));
    planner_.advance_to(now_);
    if (roll(calm_ ? 150 : 300) == 0) calm_ = !calm_;  // the queue empties
    auto dice = roll(100);
    if (dice < 14)
      calm_ ? look_ahead() : submit();
    else if (dice < 17)
      cancel(some_id());
    else if (dice < 20)
      pause(some_id());
    else if (dice < 22)
      drain_some();
    else if (dice < 30)
      resume(some_id());
    else if (dice < 44)
      answer_lease();
    else if (dice < 62)
      plan();
    else if (dice < 76)
      look_ahead();
    else
      finish_step();
    check();
  }

  /// Lets everything end: all resumed, every lease granted.
  void drain() {
    while (!live_.empty() && turns_ < most_turns) {
      ++turns_;
      for (auto& [id, a] : live_)
        resume(id);
      plan();
      while (!asked_.empty())
        grant(*asked_.begin());
      if (turns_ % 2 == 0) look_ahead();
      if (planner_.step_in_flight()) complete(device_.execute(*work_));
      check();
    }
    require(live_.empty(), "everything accepted comes to an end");
    auto s = planner_.stats();
    require(s.running == 0 && s.waiting == 0 && s.blocks_used == 0, "nothing is left at rest");
    while (!asked_.empty())
      grant(*asked_.begin());
    require(planner_.stats().leases == 0 && leases_alive_ == 0, "every lease was handed back");
    require(accepted == ended, "every accepted sequence ended once");
  }

  /// The server drains: everything ends with an error.
  void end_all() {
    ending_ = true;
    absorb(planner_.end_all(fail(errc::unavailable, "draining")));
    while (planner_.step_in_flight())
      complete(device_.execute(*work_));
    ending_ = false;
    require(live_.empty(), "nothing survives the end");
  }

  planner_stats stats() const { return planner_.stats(); }

  std::uint64_t accepted = 0;
  std::uint64_t ended = 0;
  std::uint64_t finished = 0;  ///< ended by themselves
  std::uint64_t refused = 0;
  std::uint64_t waited = 0;      ///< steps with an adapter on its way
  std::uint64_t told = 0;        ///< prompt tokens
  std::uint64_t recomputed = 0;  ///< of them, those of sequences that were preempted before
  std::uint64_t called_off = 0;  ///< steps that were planned ahead and not begun

 private:
  /// The account of one accepted sequence.
  struct account {
    sequence facts;
    std::uint64_t state = 0;            ///< chain over prompt and generated tokens
    std::uint32_t tokens = 0;           ///< prompt and generated
    std::uint32_t blocks = 0;           ///< blocks it must hold
    token_id last = -1;                 ///< newest generated token
    std::vector<std::uint64_t> states;  ///< behind each prompt token
    std::uint32_t told = 1;             ///< prompt tokens told, the first one counted
    bool running = false;
    bool admitted_before = false;
    std::uint32_t admissions = 0;
    bool paused = false;
    bool was_cancelled = false;
  };

  static constexpr int most_turns = 100'000;

  std::uint64_t roll(std::uint64_t sides) { return random_() % sides; }

  /// An id that is alive, now and then one that ended or never was.
  sequence_id some_id() {
    if (roll(30) == 0 || live_.empty()) return roll(last_id_ + 5);
    return std::next(live_.begin(), static_cast<std::ptrdiff_t>(roll(live_.size())))->first;
  }

  sequence random_sequence() {
    constexpr std::array<std::uint64_t, 8> adapters{0, 0, 1, 1, 1, 1, 1, 2};
    sequence s;
    s.id = ++last_id_;
    s.prompt.resize(roll(12) == 0 ? 1 + roll(60) : 1 + roll(14));
    // Most begin as one of four documents and go on alone.
    auto document = roll(4);
    auto same = roll(4) == 0 ? 0 : roll(s.prompt.size() + 1);
    for (std::size_t i = 0; i < s.prompt.size(); ++i)
      s.prompt[i] = static_cast<token_id>(i < same ? document * 131 + i * 7 : roll(1000));
    if (roll(10) == 0) s.cache_salt = std::string("apart");
    s.max_new_tokens = roll(60) == 0 ? options_.max_positions : static_cast<std::uint32_t>(1 + roll(20));
    s.ignore_eos = roll(3) == 0;
    s.sampling.seed = s.id;  // names the sequence in the batch
    auto count = adapters[roll(adapters.size())];
    for (std::uint64_t i = 0; i < count; ++i)
      s.composition.push_back(
          {version_of(static_cast<std::uint8_t>(1 + roll(6))), roll(4) == 0 ? 0.5f : 1.0f});
    if (count > 0 && roll(3) == 0) s.combine = combination::linear;
    if (roll(4) == 0) s.prompt_logprobs = static_cast<std::uint32_t>(roll(3));
    return s;
  }

  void submit() {
    auto s = random_sequence();
    auto fits =
        s.prompt.size() + s.max_new_tokens <= longest() &&
        (options_.max_adapters_per_step == 0 || s.composition.size() <= options_.max_adapters_per_step);
    auto full = planner_.stats().waiting >= options_.max_waiting;
    auto taken = planner_.submit(s);
    require(taken.has_value() == (fits && !full), "exactly what fits is taken");
    if (!taken) {
      require(taken.error().code == (fits ? errc::overloaded : errc::invalid), "a refusal says why");
      ++refused;
      return;
    }
    ++accepted;
    account a;
    for (auto token : s.prompt) {
      a.state = chain(a.state, composition_key(s), token, a.tokens++);
      a.states.push_back(a.state);
    }
    a.facts = std::move(s);
    live_.emplace(a.facts.id, std::move(a));
  }

  std::uint64_t longest() const {
    auto most = std::min<std::uint64_t>(options_.max_positions, options_.blocks * options_.block_tokens);
    return options_.max_total_tokens == 0 ? most : std::min(most, options_.max_total_tokens);
  }

  std::uint32_t blocks_for(std::uint32_t tokens) const {
    return (tokens + options_.block_tokens - 1) / options_.block_tokens;
  }

  void cancel(sequence_id id) {
    if (auto known = live_.find(id); known != live_.end()) known->second.was_cancelled = true;
    absorb(planner_.cancel(id));
    auto in_step = std::ranges::find(step_ids_, id) != step_ids_.end();
    require(in_step || !live_.contains(id), "who is in no step ends at once");
    require(in_step == live_.contains(id), "who is in the step stays until it is over");
  }

  void pause(sequence_id id) {
    planner_.pause(id);
    if (auto known = live_.find(id); known != live_.end()) known->second.paused = true;
  }

  void resume(sequence_id id) {
    planner_.resume(id);
    if (auto known = live_.find(id); known != live_.end()) known->second.paused = false;
  }

  void drain_some() {
    std::vector<adapter_version> candidates;
    for (std::uint8_t number = 1; number <= 6; ++number)
      if (roll(2) == 0) candidates.push_back(version_of(number));
    if (roll(4) == 0) candidates.clear();
    absorb(planner_.drain(candidates, roll(3) == 0 ? drain_how::preempt : drain_how::finish));
  }

  void grant(adapter_version version) {
    asked_.erase(version);
    ++leases_alive_;
    auto free = [this](const packed_adapter* adapter) {
      destroyed_inside_ = destroyed_inside_ || !may_destroy_;
      --leases_alive_;
      arrivals_.erase(adapter);
      delete adapter;
    };
    auto fresh = new fake_adapter(version);
    auto arrives = roll(3) == 0 ? now_ + std::chrono::milliseconds(roll(200)) : std::chrono::nanoseconds(0);
    arrivals_[fresh] = arrives;
    absorb(planner_.lease_granted(version, lease_table::lease(fresh, free), arrives));
  }

  void collect_wanted() {
    for (auto& version : planner_.lease_wanted())
      require(asked_.insert(version).second, "a version is asked for once");
  }

  void answer_lease() {
    collect_wanted();
    if (roll(40) == 0) return grant(version_of(static_cast<std::uint8_t>(1 + roll(8))));
    if (asked_.empty()) return;
    auto version = *std::next(asked_.begin(), static_cast<std::ptrdiff_t>(roll(asked_.size())));
    if (roll(25) != 0) return grant(version);
    asked_.erase(version);
    refusing_ = version;
    absorb(planner_.lease_refused(version, fail(errc::bad_adapter, "refused")));
    refusing_.reset();
  }

  void plan() {
    auto busy = planner_.step_in_flight();
    auto step = planner_.next_step();
    collect_wanted();
    require(!busy || !step, "one step is in flight at most");
    if (!step) return;
    work_ = step->work;
    for (auto id : step->preempted)
      live_.at(id).running = false, live_.at(id).blocks = 0;
    for (auto id : step->admitted)
      live_.at(id).running = true, ++live_.at(id).admissions;
    for (auto id : step->admitted)
      check_order(live_.at(id));
    for (auto& [id, a] : live_)
      if (a.running && !a.paused) a.blocks = std::max(a.blocks, blocks_for(a.tokens));
    for (auto& rows : work_->sequences)
      check_rows(rows);
    check_arrivals();
    ++step_number_;
  }

  /// Nobody decodes beside an adapter that is on its way for longer than the target, or than the decode rows
  /// of all that run would take.
  void check_arrivals() {
    auto now = now_;
    std::chrono::nanoseconds latest{0};
    auto decodes = false;
    for (auto& rows : work_->sequences) {
      std::chrono::nanoseconds left{0};
      for (auto& s : work_->segments)
        if (rows.first_row >= s.first_row && rows.first_row < s.first_row + s.rows)
          for (auto u = s.first_use; u < s.first_use + s.uses; ++u)
            left = std::max(left, arrivals_.at(work_->uses[u].adapter) - now);
      decodes |= left.count() == 0 && rows.rows == 1 && rows.sample;
      latest = std::max(latest, left);
    }
    waited += latest.count() > 0 ? 1 : 0;
    if (!decodes || options_.inter_token_target <= 0) return;
    step_load all;
    for (auto& [id, a] : live_)
      if (a.running) all += step_load::of_rows(1, a.tokens, !a.facts.composition.empty(), 1);
    all.adapter_bytes = static_cast<double>(leases_alive_);
    auto limit = std::max(options_.inter_token_target, planner_.cost().predict(all));
    require(std::chrono::duration<double>(latest).count() <= limit, "nobody decodes beside a long wait");
  }

  /// No base sequence that could run is overtaken by a younger one; where clients take turns, by none of the
  /// base.
  void check_order(account& admitted) const {
    if (std::exchange(admitted.admitted_before, true)) return;
    if (options_.policy == schedule_policy::fair && !admitted.facts.composition.empty()) return;
    for (auto& [id, a] : live_) {
      if (id >= admitted.facts.id) return;
      require(a.running || a.paused || !a.facts.composition.empty(), "who is ready is not overtaken");
    }
  }

  void check_rows(const sequence_rows& rows) {
    auto found = live_.find(rows.sampling.seed);
    require(found != live_.end(), "a step holds live sequences only");
    auto& a = found->second;
    require(a.running && !a.paused && !a.was_cancelled, "no waiting, paused or cancelled row");
    require(rows.prompt_tokens == a.facts.prompt.size(), "the prompt keeps its length");
    require(rows.sample == (rows.context + rows.rows == a.tokens), "the last token samples, and only it");
    step_ids_.push_back(found->first);
  }

  /// A step for those in flight, each with the token that it will have sampled.
  void look_ahead() {
    auto work = planner_.plan_ahead();
    if (!work) return;
    require(!next_, "one step is planned ahead at most");
    require(work->sequences.size() == step_ids_.size(), "it has the sequences of the one in flight");
    for (std::size_t i = 0; i < step_ids_.size(); ++i) {
      auto& rows = work->sequences[i];
      auto& a = live_.at(step_ids_[i]);
      require(rows.sampling.seed == a.facts.sampling.seed, "in the same order");
      require(!a.paused && !a.was_cancelled, "nobody in it is paused or cancelled");
      require(rows.context == a.tokens && rows.rows == 1 && rows.sample, "each with its next row");
      a.blocks = std::max(a.blocks, blocks_for(a.tokens + 1));
    }
    for (auto& [id, a] : live_)
      require(a.running, "nobody waits");
    next_ = std::move(work);
  }

  /// The step in flight is over. The one planned ahead goes on by itself, or is called off.
  void complete(const step_output& out) {
    const auto next = std::exchange(next_, nullptr);
    const auto goes_on = next && all_go_on(*work_, out);
    step_number_ += std::exchange(ahead_, goes_on) ? 1 : 0;
    for (auto& use : work_->uses)
      arrivals_[use.adapter] = {};  // the step waited for it
    absorb(planner_.complete(out));
    require(planner_.step_in_flight() == goes_on, "it goes on when all in it do");
    if (!goes_on) return;
    work_ = next;
    if (roll(5) != 0) return;
    if (roll(2) == 0) look_ahead();
    next_ = nullptr;
    ahead_ = false;
    ++called_off;
    absorb(planner_.not_begun());
    require(!planner_.step_in_flight(), "what was not begun is not in flight");
  }

  void finish_step() {
    if (!planner_.step_in_flight()) return plan();
    auto dice = roll(300);
    failing_ = dice < 2;
    if (dice < 2) {
      next_ = nullptr;
      step_number_ += std::exchange(ahead_, false) ? 1 : 0;
    }
    if (dice == 0)
      absorb(planner_.step_failed(fail(errc::generation_failed, "device lost")));
    else if (dice == 1)
      absorb(planner_.complete(step_output{{{0, -3, 0.0f}}}));
    else
      complete(timed(device_.execute(*work_)));
    failing_ = false;
  }

  /// What the step took: mostly a time that has to do with its rows.
  step_output timed(step_output out) {
    constexpr std::array<double, 4> odd{0, 1e9, -1, 40};
    auto dice = roll(20);
    out.seconds = dice < odd.size() ? odd[dice] : 0.002 + 1e-4 * static_cast<double>(work_->tokens.size());
    return out;
  }

  void absorb(plan_outcome out) {
    std::vector<sequence_id> over;
    if (!planner_.step_in_flight()) over = std::exchange(step_ids_, {});
    for (auto& t : out.scored)
      take_told(t);
    for (auto& t : out.tokens)
      take(t);
    for (auto id : out.preempted) {
      auto& a = live_.at(id);
      require(std::exchange(a.running, false), "who gives way was running");
      require(!a.facts.composition.empty(), "the base never gives way to an adapter");
      a.blocks = 0;
    }
    for (auto& e : out.ended)
      take(e, std::ranges::find(over, e.id) != over.end());
    may_destroy_ = true;
    out.leases.clear();
    may_destroy_ = false;
    require(!destroyed_inside_, "no adapter is destroyed inside the planner");
  }

  void take_told(const sequence_token& t) {
    auto& a = live_.at(t.id);
    require(a.facts.prompt_logprobs && !a.was_cancelled, "who asks hears of the prompt");
    require(a.told < a.facts.prompt.size() && t.token == a.facts.prompt[a.told],
            "prompt tokens come in order");
    auto state = a.states[a.told++ - 1];
    require(t.logprob == told_logprob(state) && t.rank == state % 77, "told under what stands before it");
    require(t.top.size() == *a.facts.prompt_logprobs, "as many alternatives as asked for");
    for (std::uint32_t i = 0; i < t.top.size(); ++i)
      require(t.top[i] == told_alternative(state, i), "its own alternatives");
    ++told;
    recomputed += a.admissions > 1 ? 1 : 0;
  }

  void take(const sequence_token& t) {
    auto& a = live_.at(t.id);
    require(!a.facts.prompt_logprobs || a.told == a.facts.prompt.size(), "the prompt is told before a token");
    require(!a.was_cancelled, "no token after a cancel");
    require(a.last != 0 || a.facts.ignore_eos, "no token after the end token");
    require(t.token == next_token(a.state, a.facts.sampling.seed),
            "a token is what the sequence gives alone");
    a.state = chain(a.state, composition_key(a.facts), t.token, a.tokens++);
    a.last = t.token;
    require(a.tokens <= a.facts.prompt.size() + a.facts.max_new_tokens, "no token too many");
  }

  void take(const sequence_end& e, bool step_over) {
    auto found = live_.find(e.id);
    require(found != live_.end(), "a sequence ends once");
    require(std::ranges::find(step_ids_, e.id) == step_ids_.end(),
            "nothing in the step ends before it is over");
    auto& a = found->second;
    if (e.how)
      check_finish(a, *e.how);
    else
      check_error(a, e.how.error().code, step_over);
    ++ended;
    finished += e.how ? 1 : 0;
    live_.erase(found);
  }

  void check_finish(const account& a, finish_reason how) const {
    auto by_eos = a.last == 0 && !a.facts.ignore_eos;
    require(how == (by_eos ? finish_reason::eos_token : finish_reason::length), "the reason is true");
    require(by_eos || a.tokens == a.facts.prompt.size() + a.facts.max_new_tokens,
            "length is the full length");
  }

  void check_error(const account& a, errc code, bool step_over) const {
    auto names = [&a](const adapter_version& v) {
      return std::ranges::any_of(a.facts.composition, [&v](auto& share) { return share.version == v; });
    };
    if (a.was_cancelled)
      require(code == errc::cancelled, "a cancelled sequence says so");
    else if (code == errc::unavailable)
      require(ending_, "unavailable at the end only");
    else if (code == errc::bad_adapter)
      require(refusing_ && names(*refusing_) && !a.running, "its own adapter");
    else
      require(failing_ && step_over, "a failed step ends its own sequences only");
  }

  void check() const {
    std::uint64_t running = 0;
    std::uint64_t paused = 0;
    std::uint64_t blocks = 0;
    for (auto& [id, a] : live_) {
      running += a.running ? 1 : 0;
      paused += a.paused ? 1 : 0;
      blocks += a.blocks;
    }
    auto s = planner_.stats();
    require(s.running == running && s.waiting == live_.size() - running, "the counts of sequences are right");
    require(s.paused == paused, "the count of paused sequences is right");
    auto used = options_.prefix_caching ? s.blocks_used <= blocks : s.blocks_used == blocks;
    require(used && s.blocks_used <= options_.blocks, "blocks used are those of the tables");
    require(accepted == ended + live_.size(), "no sequence is lost");
    require(s.steps == step_number_, "steps are counted");
    require(running <= std::min(options_.max_sequences, options_.max_rows),
            "no more run than there are slots");
    require(options_.max_total_tokens == 0 || admitted_tokens() <= options_.max_total_tokens,
            "the bound of tokens holds");
  }

  std::uint64_t admitted_tokens() const {
    std::uint64_t sum = 0;
    for (auto& [id, a] : live_)
      sum += a.running ? a.facts.prompt.size() + a.facts.max_new_tokens : 0;
    return sum;
  }

  planner_options options_;
  std::mt19937_64 random_;
  std::chrono::nanoseconds now_{0};
  // Before the planner: what it still holds at its end is returned through these.
  std::uint64_t leases_alive_ = 0;
  std::map<const packed_adapter*, std::chrono::nanoseconds> arrivals_;
  bool may_destroy_ = false;
  bool destroyed_inside_ = false;
  planner planner_;
  fake_device device_;
  std::map<sequence_id, account> live_;
  std::set<adapter_version> asked_;
  std::optional<adapter_version> refusing_;
  bool calm_ = false;
  bool failing_ = false;
  bool ending_ = false;
  std::shared_ptr<const batch> work_;
  std::shared_ptr<const batch> next_;  // planned ahead
  bool ahead_ = false;                 // the step in flight was
  std::vector<sequence_id> step_ids_;
  sequence_id last_id_ = 0;
  std::uint64_t step_number_ = 0;
  int turns_ = 0;
};

}  // namespace lorica::testing
