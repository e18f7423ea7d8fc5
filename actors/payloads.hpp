#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <variant>
#include <vector>

#include "actors/adapter_command.hpp"
#include "actors/core_share.hpp"
#include "actors/load_progress.hpp"
#include "actors/protocol.hpp"
#include "actors/token_rule_maker.hpp"
#include "adapters/adapter_origin.hpp"
#include "adapters/catalogue.hpp"
#include "adapters/catalogue_store.hpp"
#include "adapters/root_index.hpp"
#include "core/adapter_service.hpp"
#include "core/clock.hpp"
#include "core/generation.hpp"
#include "core/status_snapshot.hpp"
#include "core/tokenize_service.hpp"
#include "engine/planner.hpp"

namespace lorica {

using time_point = clock_source::time_point;

/// What a name meant when a request asked; holds for the whole request.
struct adapter_reference {
  std::string name;  ///< as asked for
  version_reference_ptr meaning;
  std::string tier;                                     ///< where the version was found
  std::shared_ptr<const generation_defaults> defaults;  ///< what the request leaves open; null: nothing
  std::shared_ptr<const void> stay;  ///< the request counts as a user of the name while it holds this
};

/// One adapter of a request.
struct used_adapter {
  adapter_reference reference;
  float weight = 1.0f;
};

/// A prompt on its way to ids.
struct encode_job {
  prompt_source prompt;
  std::shared_ptr<const generation_defaults> defaults;  ///< of the adapter, for conversations; may be null
  bool add_special_tokens = true;
  bool ends_turn = true;                  ///< the template's end of a turn ends the generation too
  std::optional<std::uint32_t> truncate;  ///< keep the last n
  bool texts_wanted = false;
  rule_wishes rules;
  std::shared_ptr<const void> ticket;  ///< counts as load of the worker while it lives
};

struct encoded_prompt {
  std::vector<token_id> ids;
  std::vector<generated_token> texts;  ///< only when wanted
  shared_rules rules;
  std::optional<token_id> end_of_turn;  ///< one of the rules' stops, where the client did not ask for it
};

/// A call of the tokenize service. `done` is called exactly once, with `errc::unavailable` if no worker gets
/// to it.
template <class Input, class Output>
struct span_call {
  span_call(Input i, std::function<void(result<Output>)> d) : input(std::move(i)), done_(std::move(d)) {}
  span_call(const span_call&) = delete;
  span_call& operator=(const span_call&) = delete;
  ~span_call() { answer(fail(errc::unavailable, "The server is shutting down")); }

  void answer(result<Output> spans) const {
    auto done = std::exchange(done_, nullptr);
    if (done) done(std::move(spans));
  }

  Input input;
  std::shared_ptr<const void> ticket;

 private:
  mutable std::function<void(result<Output>)> done_;
};

/// `/tokenize`.
struct span_text {
  std::string text;
  bool add_special_tokens = true;
};
struct span_job : span_call<span_text, std::vector<token_span>> {
  using span_call::span_call;
};

/// `/chat_tokenize`.
struct chat_span_job : span_call<conversation_ptr, tokenized_chat> {
  using span_call::span_call;
};

/// A prompt ready to run.
struct submitted_prompt {
  std::vector<token_id> ids;
  std::uint32_t max_new_tokens = 0;
};

/// All choices of a request; choice k of prompt p is sequence `first + p * choices + k` with seed + k.
struct submission {
  session_actor session;
  sequence_id first = 0;
  std::uint32_t choices = 1;  ///< of each prompt
  std::vector<submitted_prompt> prompts;
  std::vector<used_adapter> adapters;  ///< in the order asked for; empty: base
  combination combine = combination::sum;
  bool ignore_eos = false;
  sampling_params sampling;
  std::uint32_t top_logprobs = 0;
  std::optional<std::uint32_t> prompt_logprobs;  ///< told of the first choices' sequences alone
  std::string cache_salt = {};
};

inline std::uint32_t sequences_of(const submission& s) noexcept {
  return s.choices * static_cast<std::uint32_t>(s.prompts.size());
}

/// A step for the executor right behind the one before it. The scheduler withdraws it when something came up
/// that it would rather plan with; that is heard if the step was not begun yet.
class ahead_order {
 public:
  explicit ahead_order(batch_ptr step) noexcept : work(std::move(step)) {}

  void withdraw() const noexcept { withdrawn_ = true; }
  bool withdrawn() const noexcept { return withdrawn_; }

  const batch_ptr work;

 private:
  mutable std::atomic<bool> withdrawn_ = false;
};

/// Which held versions may make place for one that starves, and how; none: nobody starves any more.
struct drain_order {
  std::vector<adapter_version> candidates;
  drain_how how = drain_how::finish;
};

/// One token of one choice; `end` with the last.
struct token_event {
  std::uint32_t choice = 0;
  token_id id = 0;
  float logprob = 0;
  std::optional<finish_reason> end;
  std::uint32_t rank = 0;
  std::vector<token_logprob> top = {};
};

/// What a step gave one request.
struct token_chunk {
  std::vector<token_event> events;
  time_point admitted;                      ///< when the first choice of the request left the queue
  time_point at;                            ///< when the step ended
  std::vector<sequence_token> scored = {};  ///< prompt tokens, behind those of earlier chunks
};

/// An adapter to read, and to pack unless only its contents are asked for.
struct load_job {
  std::string name;  ///< for the log
  adapter_origin origin;
  bool pack = true;
  std::stop_token stop;
  std::shared_ptr<load_progress> progress;        ///< may be null
  core_share share = core_share::leftover;        ///< what it may take from those that run
  bool measure = true;                            ///< else the contents come without norms: they are known
  std::optional<std::string> chat_template = {};  ///< that is to be the adapter's: must be one
};

struct packed_load {
  mutable packed_ptr packed;  ///< taken by the one receiver, so that no message holds the last reference
  std::chrono::nanoseconds duration{0};
  std::shared_ptr<const adapter_contents> contents;
};

/// A repository to download.
struct fetch_job {
  std::string id;  ///< `org/name`
  std::string revision;
  std::stop_token stop;
  std::shared_ptr<load_progress> progress;  ///< may be null
};

/// What a download came to.
struct fetched {
  std::string commit;
};

/// Catalogue entries as they are to be kept.
struct catalogue_changes {
  std::vector<catalogue_change> changes;
};

/// One step, for the histograms.
struct step_facts {
  std::uint64_t rows = 0;
  std::uint64_t adapters = 0;  ///< distinct ones
  std::chrono::nanoseconds duration{0};
};

/// The scheduler at the end of a step, or when its queues changed without one.
struct scheduler_facts {
  std::optional<step_facts> step;
  std::uint64_t running = 0;
  std::uint64_t waiting = 0;
  std::uint64_t blocks_used = 0;
  std::uint64_t blocks_total = 0;
  std::uint64_t steps = 0;
  std::uint64_t preemptions = 0;
  std::uint64_t prefix_queries = 0;  ///< tokens looked up in the prefix cache
  std::uint64_t prefix_hits = 0;     ///< of them, those that were there
  std::uint64_t yields = 0;          ///< preemptions for a client that had less
  std::uint64_t apart = 0;           ///< steps of small clients, in which others sat out
  std::uint64_t ahead = 0;           ///< steps that were planned while the one before ran
  std::uint64_t clients = 0;         ///< with a sequence here
  std::uint64_t rests = 0;           ///< times that memory was given back for want of work
  double gap = 0;                    ///< widest between counters of clients that wait, seconds
  double gap_bound = 0;              ///< of `gap`, seconds
  double price_error = 0;            ///< of a step's predicted time, lately; a share of it
  bool healthy = true;               ///< the last step did not fail
};

/// One load that came to its end.
struct load_facts {
  bool ready = false;
  std::chrono::nanoseconds duration{0};
};

/// The adapters after a change.
struct adapters_facts {
  std::vector<load_facts> loads;  ///< that ended since the last time
  std::vector<adapter_status> adapters;
  std::uint64_t leases = 0;
  std::int64_t at = 0;         ///< milliseconds since the epoch
  std::uint64_t resident = 0;  ///< versions in memory
  std::uint64_t resident_bytes = 0;
  std::uint64_t budget_bytes = 0;
  std::uint64_t evictions = 0;
};

/// The base answered for a name that nobody has.
struct fallback_facts {
  std::string asked;
  time_point at;
};

/// A request at its end.
struct request_facts {
  std::vector<std::string> adapters;       ///< that were found; empty: base
  std::optional<fallback_facts> fallback;  ///< absent: no name was unknown, or that was the failure
  std::optional<errc> failure;             ///< absent: finished by itself
  std::uint32_t prompt_tokens = 0;
  std::uint32_t generated_tokens = 0;
  std::uint32_t max_new_tokens = 0;
  generation_timings timings;
  std::chrono::nanoseconds total{0};
  std::optional<std::chrono::nanoseconds> first_token;  ///< from the start of the request
};

}  // namespace lorica
