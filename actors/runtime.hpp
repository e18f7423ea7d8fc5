#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "adapters/adapter_origin.hpp"
#include "adapters/catalogue_store.hpp"
#include "adapters/hub_client.hpp"
#include "adapters/reader.hpp"
#include "adapters/residency.hpp"
#include "adapters/root_index.hpp"
#include "core/adapter_service.hpp"
#include "core/clock.hpp"
#include "core/error.hpp"
#include "core/generation_service.hpp"
#include "core/metrics.hpp"
#include "core/status_snapshot.hpp"
#include "core/tokenize_service.hpp"
#include "engine/executor.hpp"
#include "engine/fair_queue.hpp"
#include "model/model_config.hpp"
#include "text/chat_prompt.hpp"
#include "text/tokenizer.hpp"

namespace lorica {

/// An adapter to load before the server says ready.
struct startup_adapter {
  std::string name;
  std::string source;  ///< as the operator wrote it
  adapter_origin origin = {};
  std::optional<error> missing = {};  ///< why there is nothing to read; the load then fails with it
};

/// What may happen when a request names an adapter that nobody loaded.
enum class dynamic_mode : std::uint8_t {
  off,   ///< 404
  root,  ///< it is loaded if it lies below an allowed root
  hub,   ///< or on the Hub, in an allowed organisation
};

struct dynamic_options {
  dynamic_mode mode = dynamic_mode::off;
  bool has_roots = false;
  std::vector<std::string> hub_organisations;
};

/// What the operator decides. Zero means "what the executor allows" where it says so.
struct runtime_options {
  std::string model_id;                        ///< public id of the base, never a path
  std::uint32_t max_input_tokens = 0;          ///< longest prompt; 0: max_total_tokens - 1
  std::uint32_t max_total_tokens = 0;          ///< prompt + generated; 0: positions of model and KV pool
  std::uint32_t max_sequences = 0;             ///< run at once; 0: slots of the executor
  std::uint32_t max_batch_prefill_tokens = 0;  ///< prompt rows per step; 0: rows of the executor
  std::uint32_t max_batch_total_tokens = 0;    ///< of all running sequences at their longest; 0: the KV pool
  std::uint32_t max_waiting_sequences = 4096;  ///< queue before the scheduler; beyond: `errc::overloaded`
  std::uint32_t tokenizer_workers = 2;
  std::uint32_t max_adapter_rank = 256;
  std::uint64_t adapter_bytes = std::uint64_t{1} << 32;  ///< resident packed adapters
  eviction_policy eviction = eviction_policy::gdsf;
  dynamic_options dynamic;
  bool base_for_unknown = false;  ///< the base answers for a name that no adapter has, instead of an error
  std::size_t max_adapter_names = 100'000;
  std::chrono::milliseconds adapter_wait{60'000};  ///< a request waits so long for its adapter to be loaded
  std::chrono::milliseconds adapter_drain_after{3'000};  ///< then one in use makes room; 0: never
  std::vector<startup_adapter> adapters;
  schedule_policy policy = schedule_policy::fair;
  std::chrono::milliseconds inter_token_target{100};  ///< of a step while somebody decodes; 0: none
  std::chrono::milliseconds queue_age_limit{3'000};   ///< see `planner_options::starve_after`
  bool prefix_caching = true;                         ///< computed beginnings are kept for later requests
  bool skip_bad_adapters = false;                     ///< go on without start-up adapters that are refused
  std::chrono::milliseconds max_duration{0};          ///< of one request, from its start; 0: none
  /// Called at most once, from any thread, when a part died that running requests need: requests have already
  /// got their error and health is false. The process should drain and exit non-zero.
  std::function<void(const std::string& why)> on_fatal;
};

/// Reads and checks an adapter as `read_adapter` does; called on the loader's thread.
using adapter_source =
    std::function<result<loaded_adapter>(const adapter_origin& origin, const reading_options& how)>;

/// What the runtime is made of. `counters` and `clock` outlive it.
struct runtime_parts {
  std::unique_ptr<executor> engine;
  std::shared_ptr<const tokenizer> vocabulary;
  model_config model;
  metrics& counters;
  const clock_source& clock;
  adapter_source read;
  std::function<result<root_index>()> scan = {};  ///< what lies below the allowed roots; empty: nothing does
  std::unique_ptr<catalogue_store> store = {};    ///< null: nothing survives a restart
  std::unique_ptr<hub_client> hub = {};           ///< null: the Hub is what its cache holds
  std::vector<catalogue_record> kept = {};        ///< what the store held at start
  std::shared_ptr<const chat_format> chat = {};   ///< null: a model without a chat template
};

/// The limits in force, once zeros are replaced.
struct runtime_limits {
  std::uint32_t max_input_tokens = 0;
  std::uint32_t max_total_tokens = 0;
  std::uint32_t max_sequences = 0;
  std::uint32_t max_batch_prefill_tokens = 0;
  std::uint64_t max_batch_total_tokens = 0;
};

/// Replaces zeros and checks that what is set fits model and executor (`errc::bad_config`).
result<runtime_limits> decide_limits(const runtime_options& options, const executor_limits& engine,
                                     const model_config& model);

/// All actors of the process behind their services. Owned by the program; the destructor ends every running
/// request with an error, then the actors in the order of their dependencies, and returns when all are gone.
/// Nobody may call a service or a handle any more while it runs: stop and join the threads that do before.
class runtime {
 public:
  virtual ~runtime() = default;

  virtual generation_service& generations() = 0;
  virtual tokenize_service& tokens() = 0;
  virtual adapter_service& adapters() = 0;
  virtual status_service& status() = 0;
  virtual const runtime_limits& limits() const noexcept = 0;

  /// Blocks until every start-up adapter is decided. Fails with the first refused one (its name and reason in
  /// the text, `errc` and `reason` as the reader gave them) unless they are skipped; with `errc::cancelled`
  /// after `interrupt`.
  virtual result<void> wait_until_ready() = 0;

  /// Ends `wait_until_ready` and loads early; from any thread, for good.
  virtual void interrupt() = 0;

  /// New requests are refused with `errc::unavailable` from now on. Waits for the running ones, at most
  /// `limit` and not after `stop` was requested; those that are left end with `errc::incomplete`. True when
  /// none was left.
  virtual bool drain(std::chrono::milliseconds limit, std::stop_token stop = {}) = 0;
};

/// Starts all actors and the loading of the start-up adapters. Fails with `errc::bad_config` when the limits
/// contradict each other or the executor.
result<std::unique_ptr<runtime>> start_runtime(runtime_options options, runtime_parts parts);

}  // namespace lorica
