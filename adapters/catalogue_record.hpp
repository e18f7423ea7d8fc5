#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "adapters/catalogue.hpp"
#include "core/error.hpp"

namespace lorica {

/// One catalogue entry as it is kept. Texts have at most 64 KiB.
struct catalogue_record {
  std::string name;
  std::string alias_of;  ///< empty: the name has versions of its own
  std::string source;    ///< as the caller wrote it: path under a root, path of the operator, or `org/name`
  std::string revision;  ///< of a Hub source; empty: not said
  adapter_state state = adapter_state::ready;  ///< never `loading`: what is not decided is not kept
  std::optional<version_reference> current;    ///< what the name means; there when it is ready
  bool pinned = false;
  bool paused = false;
  std::string defaults;        ///< as `written` gives them; empty: none
  std::string failure_reason;  ///< of a failed entry
  std::string failure_text;
  std::int64_t created = 0;  ///< seconds since the epoch
};

/// What became of one name.
struct catalogue_change {
  std::string name;
  std::optional<catalogue_record> record;  ///< nothing: erased
};

/// The words of a state that is kept; nothing for `loading` and for other words.
std::optional<adapter_state> parse_kept_state(std::string_view word);

/// `4,8,16`.
std::string written_ranks(const std::vector<std::uint32_t>& ranks);

/// Reads what `written_ranks` gave; nothing when they are not positive, ascending and distinct, or more than
/// 4096.
std::optional<std::vector<std::uint32_t>> parse_ranks(std::string_view text);

/// Everything that is asked of a record before it is written and after it was read: names of the grammar, a
/// kept state, a ready name with a version, ranks, bounds of texts. Fails with `errc::invalid`; the text
/// names the field.
result<void> check_record(const catalogue_record& record);

/// SHA-256 over the base and all fields: tells a row that was changed behind the store's back.
std::array<std::uint8_t, 32> seal_of(const std::array<std::uint8_t, 32>& base_digest,
                                     const catalogue_record& record);

}  // namespace lorica
