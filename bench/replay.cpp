#include "bench/replay.hpp"

#include <cstring>
#include <set>
#include <stdexcept>
#include <tuple>

#include "adapters/residency.hpp"

namespace lorica::bench {
namespace {

adapter_version version_of(std::uint32_t index) {
  adapter_version out;
  std::memcpy(out.digest.data(), &index, sizeof index);
  return out;
}

void check(bool done) {
  if (!done) throw std::logic_error("the residency refuses what has room");
}

replay_result by_residency(eviction_policy policy, const std::vector<stored_adapter>& adapters,
                           const std::vector<std::uint32_t>& trace, std::uint64_t budget) {
  residency memory({budget, policy});
  replay_result out;
  std::uint64_t now = 0;
  for (auto index : trace) {
    const auto version = version_of(index);
    const auto& a = adapters[index];
    ++out.requests;
    if (memory.resident(version)) {
      ++out.hits;
    } else {
      check(memory.begin_load(version, a.bytes, a.load_seconds, ++now).has_value());
      check(memory.finish_load(version, a.bytes, ++now).has_value());
      out.load_seconds += a.load_seconds;
    }
    check(memory.lease(version, ++now));
    static_cast<void>(memory.release(version, ++now));
  }
  return out;
}

class least_used {
 public:
  least_used(const std::vector<stored_adapter>& adapters, std::uint64_t budget)
      : adapters_(adapters), budget_(budget), all_(adapters.size()) {}

  /// Whether it was there; it is afterwards.
  bool use(std::uint32_t index) {
    auto& one = all_[index];
    const bool hit = order_.erase(rank_of(index)) != 0;
    ++one.uses;
    one.last = ++now_;
    if (!hit) make_room(adapters_[index].bytes);
    order_.insert(rank_of(index));
    return hit;
  }

 private:
  struct use_count {
    std::uint64_t uses = 0;
    std::uint64_t last = 0;
  };
  using rank = std::tuple<std::uint64_t, std::uint64_t, std::uint32_t>;

  rank rank_of(std::uint32_t index) const { return {all_[index].uses, all_[index].last, index}; }

  void make_room(std::uint64_t bytes) {
    for (; used_ + bytes > budget_; order_.erase(order_.begin())) {
      check(!order_.empty());
      used_ -= adapters_[std::get<std::uint32_t>(*order_.begin())].bytes;
    }
    used_ += bytes;
  }

  const std::vector<stored_adapter>& adapters_;
  std::uint64_t budget_;
  std::vector<use_count> all_;
  std::set<rank> order_;  // in memory, first to go first
  std::uint64_t used_ = 0;
  std::uint64_t now_ = 0;
};

replay_result by_use(const std::vector<stored_adapter>& adapters, const std::vector<std::uint32_t>& trace,
                     std::uint64_t budget) {
  least_used memory(adapters, budget);
  replay_result out;
  for (auto index : trace) {
    ++out.requests;
    if (memory.use(index))
      ++out.hits;
    else
      out.load_seconds += adapters[index].load_seconds;
  }
  return out;
}

}  // namespace

replay_result replay(replay_policy policy, const std::vector<stored_adapter>& adapters,
                     const std::vector<std::uint32_t>& trace, std::uint64_t budget) {
  if (policy == replay_policy::lfu) return by_use(adapters, trace, budget);
  return by_residency(policy == replay_policy::lru ? eviction_policy::lru : eviction_policy::gdsf, adapters,
                      trace, budget);
}

}  // namespace lorica::bench
