#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lorica {

/// Where the files of an adapter are, in a form that can be kept and read again later.
struct adapter_origin {
  enum class kind : std::uint8_t {
    path,   ///< a directory that the operator gave at start: opened as it is
    root,   ///< a path that must lie below an allowed root
    hub,    ///< `org/name@revision` in the Hugging Face cache
    found,  ///< `number:path`, below one of the allowed roots, as a scan of this process found it
  };
  kind where = kind::path;
  std::string text;

  bool operator==(const adapter_origin&) const = default;

  /// `path:…`, `root:…`, `hub:…` or `found:…`.
  std::string written() const;
};

/// Reads what `written` gave; nothing when it is none of these.
std::optional<adapter_origin> parse_origin(std::string_view written);

/// What a caller of a load means by `source`: a path below a root, a repository of the Hub, or either (then
/// the root goes first).
struct origin_choice {
  std::optional<adapter_origin> root;
  std::optional<adapter_origin> hub;
};

/// Looks at no file. `revision` is that of a Hub source and may also stand in `source` after `@`. Nothing is
/// chosen when the text is neither a path nor an id.
origin_choice choose_origin(std::string_view source, std::string_view revision);

}  // namespace lorica
