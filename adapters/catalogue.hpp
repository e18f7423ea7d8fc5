#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "core/generation_defaults.hpp"
#include "core/ids.hpp"

namespace lorica {

/// Where a name stands. A name with a version stays `ready` while it is being reloaded.
enum class adapter_state : std::uint8_t { loading, ready, failed, unloaded };

/// `loading`, `ready`, `failed`, `unloaded`.
constexpr std::string_view to_string(adapter_state s) noexcept {
  switch (s) {
    case adapter_state::loading: return "loading";
    case adapter_state::ready: return "ready";
    case adapter_state::failed: return "failed";
    default: return "unloaded";
  }
}

/// What a name meant when somebody asked: enough to lease the version, and to read it again after an
/// eviction (the content must then still have this version). Immutable; requests hold it to their end.
struct version_reference {
  adapter_version version;
  std::string source;                ///< where it was read, as `adapter_origin` writes it
  std::vector<std::uint32_t> ranks;  ///< distinct, ascending
  std::uint64_t bytes = 0;           ///< of the packed adapter
};

/// One name, as listings show it.
struct catalogue_entry {
  std::string name;
  std::string alias_of;  ///< empty: the name has versions of its own
  std::string source;    ///< of the latest load, as the caller wrote it
  adapter_state state = adapter_state::loading;
  std::shared_ptr<const version_reference>
      current;                   ///< null until the first load succeeds, and once unloaded
  bool reloading = false;        ///< a load runs while `current` serves
  std::int64_t created = 0;      ///< seconds since the epoch: first load of this name
  std::optional<error> failure;  ///< of the latest load, cleared by the next success
  bool pinned = false;           ///< its version should stay in memory
  bool paused = false;           ///< new requests wait
  bool lost = false;             ///< failed after it had served: its source holds something else now
  std::shared_ptr<const generation_defaults> defaults = {};  ///< of requests; null: none
  bool dynamic = false;  ///< found by its name: no load asked for it, it is not written down
};

/// One content and the names that point to it.
struct catalogue_version {
  adapter_version version;
  std::vector<std::string> names;  ///< sorted, without aliases
};

/// A running load of a name; a newer load or an unload of the name makes it void.
struct load_ticket {
  std::string name;
  std::uint64_t number = 0;
  bool dynamic = false;  ///< nobody asked for the load but a request that named it
};

enum class when_loaded : std::uint8_t { refuse, replace };

/// Names, aliases and the versions they mean. A plain class, owned by one thread; time is handed in.
/// Mutations that succeed change exactly one entry, so that a store can write that entry down.
class catalogue {
 public:
  /// `max_entries` bounds names, aliases and unloaded names together; of the last, the oldest make room.
  explicit catalogue(std::size_t max_entries = 100'000) : max_entries_(max_entries) {}

  /// Notes that `source` is being loaded as `name`. Until it is decided the name keeps what it had. Fails
  /// with `errc::invalid` (`invalid_name`; `already_loaded` when the name is ready and `policy` is refuse;
  /// `already_loading` while its first load runs and `policy` is refuse; an alias) or `errc::out_of_memory`.
  result<load_ticket> begin_load(std::string_view name, std::string source, when_loaded policy,
                                 std::int64_t now);

  /// As `begin_load` with refuse, for a name that a request found. The entry is `dynamic` until somebody
  /// loads the name explicitly.
  result<load_ticket> begin_dynamic_load(std::string_view name, std::string source, std::int64_t now);

  /// Puts back an entry as it was written down: ready, failed, unloaded or an alias; before any other call
  /// for its name. Fails like `begin_load`.
  result<void> restore(catalogue_entry entry);

  /// Removes an entry without a trace: what was found by its name and should be looked for anew.
  void forget(std::string_view name);

  /// Unloaded names that left since the last call, because newer entries needed their room.
  std::vector<std::string> take_dropped() { return std::exchange(dropped_, {}); }

  /// `errc::unknown_adapter` when the name is not there or unloaded. Aliases mean their target.
  result<void> set_pinned(std::string_view name, bool pinned);
  result<void> set_paused(std::string_view name, bool paused);
  result<void> set_defaults(std::string_view name, std::shared_ptr<const generation_defaults> defaults);

  /// The source of `version` does not hold it any more: every name that means it is `failed` with `why` from
  /// now on, until it is loaded again. Returns those names.
  std::vector<std::string> fail_version(const adapter_version& version, const error& why);

  /// How many names that are pinned mean `version`.
  std::size_t pins(const adapter_version& version) const;

  /// The load succeeded: the name now means `reference`. False when the ticket is void.
  bool finish_load(const load_ticket& ticket, version_reference reference);

  /// The load failed: a name without a version becomes `failed`, or `unloaded` if it was that before; others
  /// keep serving. False when void.
  bool fail_load(const load_ticket& ticket, error why);

  /// Makes `alias` another word for `target`, following its reloads; an alias can be pointed elsewhere. Fails
  /// with `errc::invalid` (bad name, name in use, target an alias) or `errc::unknown_adapter`.
  result<void> set_alias(std::string_view alias, std::string_view target, std::int64_t now);

  /// From now on the name is unknown; a running load of it is void. An alias is removed, its target stays.
  /// Returns what the name meant (null when it never loaded); `errc::unknown_adapter` when it is not there.
  result<std::shared_ptr<const version_reference>> unload(std::string_view name);

  /// What the name means now. `errc::unknown_adapter` when it is not there or unloaded, `errc::unavailable`
  /// while its first load runs; the reader's error when its only load failed.
  result<std::shared_ptr<const version_reference>> resolve(std::string_view name) const;

  /// One entry, unloaded ones too; an alias shows the state of its target.
  std::optional<catalogue_entry> find(std::string_view name) const;

  /// All entries by name; the unloaded ones too.
  std::vector<catalogue_entry> list() const;

  /// Every version that a name points to, by digest.
  std::vector<catalogue_version> versions() const;

  /// True when a name points to `version`: it should not be forgotten.
  bool names_version(const adapter_version& version) const;

  /// One of the names that point to `version`, for people; empty when there is none.
  std::string name_of(const adapter_version& version) const;

  std::size_t size() const noexcept { return slots_.size(); }

 private:
  struct slot {
    catalogue_entry entry;
    std::uint64_t load = 0;      ///< number of the running load; 0: none
    std::uint64_t unloaded = 0;  ///< order of unloading; 0: not unloaded
    bool revoked = false;        ///< was unloaded when its running load began
  };

  slot* awaited(const load_ticket& ticket);
  slot* own_slot(std::string_view name);
  void set_unloaded(slot& s);
  bool make_room();
  result<slot*> slot_for(std::string_view name, std::int64_t now);
  void point(slot& s, std::shared_ptr<const version_reference> next);
  catalogue_entry shown(const catalogue_entry& entry) const;

  std::map<std::string, slot, std::less<>> slots_;
  std::map<std::uint64_t, std::string> unloaded_;          ///< oldest first
  std::map<adapter_version, std::set<std::string>> uses_;  ///< names per version; unloaded ones mean none
  std::vector<std::string> dropped_;
  std::size_t max_entries_;
  std::uint64_t last_number_ = 0;
};

}  // namespace lorica
