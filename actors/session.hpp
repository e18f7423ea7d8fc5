#pragma once

#include <caf/fwd.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "actors/protocol.hpp"
#include "actors/session_roster.hpp"
#include "actors/tokenizer.hpp"
#include "core/clock.hpp"
#include "core/generation.hpp"
#include "core/metrics.hpp"
#include "core/response_sink.hpp"

namespace lorica {

/// What every session needs and none changes. Shared by the gateway and its sessions.
struct session_world {
  std::string model_id;
  std::uint32_t max_input_tokens = 0;
  std::uint32_t max_total_tokens = 0;
  std::chrono::milliseconds max_duration{0};  ///< of a request; 0: none
  std::chrono::milliseconds adapter_wait{0};  ///< the longest that `adapters` lets a request wait for a name
  std::uint64_t adapter_bytes = 0;            ///< of memory, for adapters
  std::shared_ptr<const tokenizer> vocabulary;
  tokenizer_pool tokenizers;
  adapters_actor adapters;
  scheduler_actor scheduler;
  telemetry_actor telemetry;
  const clock_source& clock;
  metrics::histogram& inter_token;  ///< seconds between the chunks of one request
  std::vector<token_id> eos = {};   ///< the model's end tokens
  bool base_for_unknown = false;    ///< the base answers for a name that no adapter has
};

/// One request, as the gateway got it, its counts checked. It generates the sequences first, first + 1, …
struct session_task {
  generation_request request;
  std::shared_ptr<response_sink> sink;
  sequence_id first = 0;
  std::shared_ptr<const session_roster::place> place;
};

/// Starts a session. It calls the sink in the order its header tells, exactly one of `done` and `failed`,
/// whatever ends it.
session_actor spawn_session(caf::actor_system& system, std::shared_ptr<const session_world> world,
                            session_task task);

}  // namespace lorica
