#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "actors/payloads.hpp"
#include "engine/planner.hpp"

namespace lorica {

/// Which session a sequence belongs to, and what its adapter versions mean. Owned by the scheduler.
class running_requests {
 public:
  /// Notes a submission; its choices are sequences from now on.
  void add(const submission& request);

  bool known(sequence_id id) const { return owners_.contains(id); }

  /// Sequence `first + number`, as the planner takes it.
  static sequence make_sequence(const submission& request, std::uint32_t number);

  /// The request of this sequence left the queue; only the first time counts.
  void admitted(sequence_id id, time_point now);

  /// What a version means, while a request that uses it is here; else null.
  version_reference_ptr meaning(const adapter_version& version) const;

  /// Sequence `id` ended; its request leaves with its last one.
  void remove(sequence_id id);

  /// What sessions have to hear, in the order of the outcome: tokens as one chunk per session, then errors.
  struct news {
    std::vector<std::pair<session_actor, token_chunk_ptr>> chunks;
    std::vector<std::pair<session_actor, error_ptr>> errors;
  };

  /// Sorts an outcome by session and removes what ended. Cancelled sequences tell nobody: their session
  /// asked.
  news deliver(const plan_outcome& outcome, time_point now);

 private:
  struct request {
    session_actor session;
    sequence_id first = 0;
    std::uint32_t left = 0;
    std::optional<time_point> admitted;
    std::vector<version_reference_ptr> meanings;  // one per adapter
  };
  struct use {
    version_reference_ptr meaning;
    std::uint64_t requests = 0;
  };

  std::unordered_map<sequence_id, std::shared_ptr<request>> owners_;
  std::map<adapter_version, use> meanings_;
};

}  // namespace lorica
