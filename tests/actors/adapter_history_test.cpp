#include <cstdlib>
#include <map>
#include <random>

#include "core/log.hpp"
#include "tests/actors/adapter_house.hpp"
#include "tests/catch.hpp"

using namespace lorica;
using namespace lorica::test;

namespace {

// Sanitizers take about ten times as long.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint32_t histories = 1'000;
#else
constexpr std::uint32_t histories = 20'000;
#endif

constexpr std::uint64_t budget = 350;                               // three of the fake adapters
const std::vector<std::string> names{"a", "b", "c", "d", "found"};  // the last one lies below a root

/// What an operator asked of a name, in order, and how it ended.
struct wish {
  bool load = false;
  int answers = 0;
  std::optional<result<adapter_job>> end;
};

/// A request on its way: what it asked for, what it holds.
struct guest {
  std::string asked;
  std::shared_ptr<visitor> visit;
  std::shared_ptr<std::optional<result<packed_ptr>>> lease;
};

/// One random life of a server, and what must hold in it whatever happens.
class history {
 public:
  explicit history(std::uint32_t seed) : random_(seed) { move_in(); }

  /// What does not hold; empty when all does.
  std::string run() {
    for (auto steps = 10 + pick(40); steps > 0 && wrong_.empty(); --steps) {
      act();
      house_->world.run_some(static_cast<int>(pick(12)));
      look();
    }
    rest();
    // The next life has the same names, meaning the same.
    house_.reset();
    move_in();
    for (auto& name : names)
      check_answer(name);
    return wrong_;
  }

 private:
  void move_in() {
    house_.emplace(books_, budget);
    house_->below_roots = {"found"};
    house_->moved = {{"found", "found0"}};
  }

  std::uint32_t pick(std::uint32_t below) { return static_cast<std::uint32_t>(random_() % below); }
  const std::string& any_name() { return names[pick(5)]; }
  void demand(bool holds, const std::string& what) {
    if (!holds && wrong_.empty()) wrong_ = what;
  }

  /// Every name has three contents of its own; `shared` belongs to all, `bad` is refused.
  std::string any_source(const std::string& name) {
    auto n = pick(10);
    if (n == 0) return "bad";
    if (n == 1) return "shared";
    return name + std::to_string(n % 3);
  }

  void act() {
    auto name = any_name();
    auto kind = pick(14);
    switch (kind) {
      case 0:
      case 1:
      case 2: return load(name);
      case 3: return unload(name);
      case 4:
      case 5:
      case 6: return ask(name);
      case 7:
      case 8: return take_lease();
      case 9:
      case 10: return let_go();
      case 11: return change(name);
      case 12: return cancel();
      default: house_->world.pass(std::chrono::milliseconds(pick(3000)));
    }
  }

  void load(const std::string& name) {
    adapter_load what;
    what.name = name;
    what.source = any_source(name);
    if (pick(6) == 0) what.pin = pick(2) == 0;
    auto w = wishes_[name].emplace_back(std::make_shared<wish>());
    w->load = true;
    house_->gate->load(what, answer_when::ended, [w](auto end) { note(*w, std::move(end)); });
  }

  void unload(const std::string& name) {
    auto w = wishes_[name].emplace_back(std::make_shared<wish>());
    auto mode = static_cast<unload_mode>(pick(3));
    house_->gate->unload({name, mode, 1 + pick(3)}, answer_when::ended,
                         [w](auto end) { note(*w, std::move(end)); });
  }

  static void note(wish& w, result<adapter_job> end) {
    ++w.answers;
    w.end = std::move(end);
  }

  void ask(const std::string& name) { guests_.push_back({name, house_->visit(name), nullptr}); }

  void take_lease() {
    if (guests_.empty()) return;
    auto& g = guests_[pick(static_cast<std::uint32_t>(guests_.size()))];
    if (g.lease || !g.visit->heard || !*g.visit->heard) return;
    g.lease = std::make_shared<std::optional<result<packed_ptr>>>();
    house_->world.system().spawn(
        [](caf::event_based_actor* self, adapters_actor to, version_reference_ptr wanted,
           std::shared_ptr<std::optional<result<packed_ptr>>> lease) {
          self->set_default_handler(caf::drop);  // it asks like a scheduler, and is none
          self->request(to, caf::infinite, atom::acquire::value, wanted)
              .then([lease](const lease_reply& reply) { *lease = *reply; });
        },
        house_->adapters, (**g.visit->heard).meaning, g.lease);
  }

  void let_go() {
    if (guests_.empty()) return;
    auto at = guests_.begin() + pick(static_cast<std::uint32_t>(guests_.size()));
    release(*at);
    guests_.erase(at);
  }

  void release(guest& g) {
    g.lease.reset();
    g.visit->gone = true;
    g.visit->heard.reset();
    std::erase(house_->visitors, g.visit);
  }

  void change(const std::string& name) {
    auto what = static_cast<adapter_action>(pick(6));
    house_->gate->act(name, what, [](const auto&) {});
  }

  void cancel() {
    house_->gate->list_jobs([this](const result<std::vector<adapter_job>>& jobs) {
      for (auto& job : *jobs)
        if (job.state == job_state::running) house_->gate->cancel_job(job.id, [](const auto&) {});
    });
  }

  bool belongs(const adapter_version& version, const std::string& name) const {
    for (auto* n : {"0", "1", "2"})
      if (version == version_of(name + n)) return true;
    return version == version_of("shared");
  }

  /// At any moment.
  void look() {
    for (auto& g : guests_) {
      auto& heard = g.visit->heard;
      if (!heard || !*heard) continue;
      demand(belongs((**heard).meaning->version, g.asked), g.asked + " answers with another name's content");
      if (g.lease && *g.lease && **g.lease)
        demand((***g.lease)->version() == (**heard).meaning->version, "a lease is on another version");
    }
    for (auto& [name, all] : wishes_)
      for (auto& w : all)
        demand(w->answers <= 1, "an operator was answered twice");
    // Beside what is in memory two loaders may hold one each, and what leaves is freed one message later.
    demand(fake_executor::alive <= 12, "memory beyond every bound");
  }

  /// Everybody has left, everything has ended.
  void rest() {
    for (auto& g : guests_)
      release(g);
    guests_.clear();
    for (auto& name : names)
      house_->gate->act(name, adapter_action::resume, [](const auto&) {});
    house_->world.pass(std::chrono::seconds(70));
    house_->world.pass(std::chrono::seconds(1));
    std::uint64_t resident = 0;
    auto now = house_->board->snapshot();
    std::set<adapter_version> versions;
    for (auto& a : now->adapters) {
      demand(a.users == 0 && a.leases == 0, a.name + " has users although all have left");
      if (a.bytes > 0) versions.insert(a.version);
    }
    resident = versions.size();
    demand(resident * 100 <= budget, "more in memory than the budget");
    demand(static_cast<std::uint64_t>(fake_executor::alive) == resident,
           "bytes are held that nobody can name: " + std::to_string(fake_executor::alive));
    for (auto& name : names)
      check_end(name);
  }

  /// The last wish that came true is what the name means, for requests and on disk.
  void check_end(const std::string& name) {
    std::optional<adapter_version> meant;
    bool touched = false;
    for (auto& w : wishes_[name]) {
      demand(w->answers == 1, "an operator of " + name + " was not answered");
      if (w->answers != 1 || !*w->end) continue;
      touched = true;
      meant = w->load ? (**w->end).version : std::nullopt;
    }
    // Who was never touched may still be found.
    meant_[name] = !touched && name == "found" ? version_of("found0") : meant;
    check_answer(name);
    auto row = books_.rows.find(name);
    bool there = row != books_.rows.end() && row->second.state != adapter_state::unloaded;
    demand(there == meant.has_value(), name + " is not on disk as it was acknowledged last");
    if (there && meant)
      demand(row->second.current->version == *meant, name + " is on disk with another version");
  }

  void check_answer(const std::string& name) {
    auto guest = house_->ask(name);
    auto& heard = guest->heard;
    demand(heard.has_value(), name + " leaves a request without an answer");
    if (!heard) return;
    auto& meant = meant_[name];
    demand(heard->has_value() == meant.has_value(), name + (meant ? " does not answer" : " answers unasked"));
    if (*heard && meant)
      demand((**heard).meaning->version == *meant,
             name + " does not answer with the version that was acknowledged last");
    heard.reset();
    house_->world.run();
  }

  std::mt19937 random_;
  fake_books books_;
  std::optional<house> house_;
  std::map<std::string, std::vector<std::shared_ptr<wish>>> wishes_;
  std::map<std::string, std::optional<adapter_version>> meant_;
  std::vector<guest> guests_;
  std::string wrong_;
};

}  // namespace

TEST_CASE("random histories of loads, unloads, requests and evictions keep what was promised") {
  std::uint32_t first = 1, count = histories;
  if (auto* one = std::getenv("LORICA_TEST_SEED"))
    first = static_cast<std::uint32_t>(std::stoul(one)), count = 1;
  start_log(false, log_level::error);
  for (auto seed = first; seed < first + count; ++seed) {
    std::string wrong;
    {
      history h(seed);
      wrong = h.run();
    }
    if (wrong.empty() && fake_executor::alive != 0) wrong = "something outlived the server";
    INFO("LORICA_TEST_SEED=" << seed << " shows it again");
    REQUIRE(wrong == "");
  }
  start_log(false, log_level::info);
}
