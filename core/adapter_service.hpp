#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.hpp"
#include "core/generation_defaults.hpp"
#include "core/ids.hpp"
#include "core/status_snapshot.hpp"

namespace lorica {

/// How a load treats a name that already serves.
enum class load_policy : std::uint8_t {
  refuse,   ///< `errc::invalid`, reason `already_loaded`
  replace,  ///< reads again; the same content changes nothing, other content is a new version
};

/// What an operator wants loaded.
struct adapter_load {
  std::string name;
  std::string source;    ///< a path below an allowed root, or `org/name[@revision]` of the Hub
  std::string revision;  ///< of a Hub source, when not in `source`; empty: `main`
  load_policy policy = load_policy::replace;
  std::optional<bool> pin;                           ///< absent: as it is
  std::optional<generation_defaults> defaults = {};  ///< absent: as they are

  /// First hex digits (at least 12) of the version that the name must have now; empty: it must have none.
  /// Otherwise `errc::conflict`, reason `version_mismatch`.
  std::optional<std::string> expected_version;
};

/// What happens to the requests of a name that is unloaded. New ones are refused in every mode.
enum class unload_mode : std::uint8_t {
  drain,     ///< they run to their end
  deadline,  ///< they get some seconds
  abort,     ///< they end now, with an error
};

struct adapter_unload {
  std::string name;
  unload_mode mode = unload_mode::drain;
  std::uint32_t deadline_seconds = 30;
};

/// When a caller wants to hear of work that takes time.
enum class answer_when : std::uint8_t { accepted, ended };

enum class job_kind : std::uint8_t { load, unload };
enum class job_state : std::uint8_t { running, done, failed, cancelled };

constexpr std::string_view to_string(job_kind k) noexcept {
  return k == job_kind::load ? "load" : "unload";
}

constexpr std::string_view to_string(job_state s) noexcept {
  switch (s) {
    case job_state::running: return "running";
    case job_state::done: return "done";
    case job_state::failed: return "failed";
    default: return "cancelled";
  }
}

/// A load or unload, running or ended. Ended ones are kept for a while.
struct adapter_job {
  std::string id;
  job_kind kind = job_kind::load;
  std::string name;
  std::string source;  ///< of a load, as the caller wrote it
  job_state state = job_state::running;
  std::string stage;              ///< `queued`, `downloading`, `reading`, `packing`, `storing`, `draining`
  std::uint64_t bytes = 0;        ///< done in this stage
  std::uint64_t total_bytes = 0;  ///< of how many; 0: not known yet
  std::optional<error> failure;   ///< when failed
  std::optional<adapter_version> version;  ///< load: what the name means now; unload: what it meant
  bool changed = false;                    ///< the load gave the name another version, or the unload took it
  std::uint64_t requests_finished = 0;     ///< unload: that ran to their end
  std::uint64_t requests_ended = 0;        ///< unload: that were cut short
  std::uint64_t bytes_freed = 0;           ///< unload: of memory, given back
  std::int64_t created = 0;                ///< seconds since the epoch
  std::optional<std::int64_t> ended;
};

/// How an adapter changes a module.
enum class module_kind : std::uint8_t {
  lora,
  dora,       ///< LoRA and a length for every row
  full_copy,  ///< the whole matrix in the base's place: no rank, no scaling
};

constexpr std::string_view to_string(module_kind k) noexcept {
  switch (k) {
    case module_kind::lora: return "lora";
    case module_kind::dora: return "dora";
    default: return "full_copy";
  }
}

/// What one module of an adapter does.
struct adapter_module {
  std::string name;  ///< `model.layers.3.self_attn.q_proj`
  module_kind kind = module_kind::lora;
  std::uint32_t rank = 0;
  float scaling = 0;
  std::optional<double> update_norm = {};  ///< Frobenius norm of scaling * B * A; absent of a full copy
  bool bias = false;                       ///< B has one
  bool zero_effect = false;                ///< answers as the base does
};

/// What the files of an adapter hold.
struct adapter_contents {
  adapter_version version;
  std::vector<std::uint32_t> ranks;  ///< distinct, ascending
  std::uint64_t bytes = 0;           ///< of memory, packed
  std::uint64_t file_bytes = 0;      ///< of the weights file
  std::uint64_t parameters = 0;
  std::vector<adapter_module> modules;  ///< by layer, then those outside the layers, then full copies
  std::vector<std::string> warnings;
};

/// One adapter with all that is known of it.
struct adapter_detail {
  adapter_status status;
  std::optional<adapter_contents> contents;  ///< absent until it was read in the life of this process
  std::optional<error> failure;              ///< of the latest load
  generation_defaults defaults = {};         ///< of requests that leave them open
};

/// What a load would do. Its refusals come as the error of the call.
struct adapter_preview {
  adapter_contents contents;
  bool changes = false;             ///< the name would get another version
  bool fits = false;                ///< in memory, now, by evicting at most what `evicts` names
  std::vector<std::string> evicts;  ///< adapters that would leave memory (not the catalogue)
};

/// What is done to a loaded adapter without reading it anew.
enum class adapter_action : std::uint8_t {
  pin,  ///< stays in memory
  unpin,
  pause,  ///< new requests wait, running ones go on
  resume,
  prefetch,  ///< into memory if there is room
  evict,  ///< out of memory; `errc::out_of_memory`, reason `memory_in_use`, while pinned, leased or loading
};

/// One line of the answer to a declared set.
struct adapter_change {
  std::string name;
  std::string action;  ///< `load`, `update`, `unload`, `keep`
  std::string job;     ///< id; empty with `keep` and when only compared
};

/// Whether a declared set is made true, or only compared with what is.
enum class declare_mode : std::uint8_t { apply, compare };

/// Something that happened to an adapter.
struct adapter_event {
  std::uint64_t number = 0;  ///< grows by one
  std::int64_t at = 0;       ///< milliseconds since the epoch
  std::string kind;          ///< `loading`, `ready`, `refused`, `evicted`, `unloaded`, `pinned`, …
  std::string name;
  std::optional<adapter_version> version;
  std::string because;  ///< reason word or sentence; empty when there is nothing to say
};

/// A subscription to events; its destructor ends it.
class adapter_watch {
 public:
  virtual ~adapter_watch() = default;
};

/// Adapters at run time. Implemented by `actors/gateway`; thread-safe, never blocks. Every `done` is called
/// exactly once, from any thread; with `errc::unavailable` when the server ends first.
class adapter_service {
 public:
  template <class T>
  using answer = std::function<void(result<T>)>;

  virtual ~adapter_service() = default;

  /// Reads `what.source` and makes it answer to `what.name`. With `ended` the answer is the ended job, or its
  /// failure as an error; with `accepted` a running job. Loads of one name and source are one load. Fails
  /// with `errc::invalid` (name, source), `errc::conflict`, and the errors of reading and of the Hub.
  virtual void load(adapter_load what, answer_when when, answer<adapter_job> done) = 0;

  /// As `load` would, without any effect.
  virtual void preview(adapter_load what, answer<adapter_preview> done) = 0;

  /// From the moment this is handled the name is unknown. Fails with `errc::unknown_adapter`.
  virtual void unload(adapter_unload what, answer_when when, answer<adapter_job> done) = 0;

  /// Makes `alias` another word for `target`.
  virtual void set_alias(std::string alias, std::string target, answer<adapter_status> done) = 0;

  virtual void act(std::string name, adapter_action what, answer<adapter_status> done) = 0;
  virtual void show(std::string name, answer<adapter_detail> done) = 0;

  /// `errc::unknown_route`, reason `job_not_found`, when there is no such job (any more).
  virtual void show_job(std::string id, answer<adapter_job> done) = 0;
  virtual void cancel_job(std::string id, answer<adapter_job> done) = 0;

  /// All that run and the latest that ended, the oldest first.
  virtual void list_jobs(answer<std::vector<adapter_job>> done) = 0;

  /// Makes `wanted` the whole set: what is missing or has another source is loaded, what is not in it is
  /// unloaded (drain). The answer is what will be done; the work goes on. `compare` has no effect and its
  /// changes name no jobs.
  virtual void declare(std::vector<adapter_load> wanted, declare_mode mode,
                       answer<std::vector<adapter_change>> done) = 0;

  /// From now on `tell` hears every event, from any thread, in order; it must not block. Null when too many
  /// watch.
  virtual std::shared_ptr<adapter_watch> watch(std::function<void(const adapter_event&)> tell) = 0;
};

}  // namespace lorica
