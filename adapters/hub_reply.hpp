#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/error.hpp"

namespace lorica {

/// Status line and header fields of one reply, bounded: at most 64 KiB and 200 lines.
class hub_head {
 public:
  /// Takes a line as it came, line end included; a status line begins a new head. False: over the bounds, or
  /// no line of HTTP.
  bool add_line(std::string_view line);

  int status() const noexcept { return status_; }

  /// Value of a field by its name in lower case; of several the first. Nothing when absent or empty.
  std::optional<std::string_view> find(std::string_view name) const noexcept;

 private:
  int status_ = 0;
  std::size_t bytes_ = 0;
  std::vector<std::pair<std::string, std::string>> fields_;
};

/// The file's identity: `X-Linked-Etag`, else `ETag`, without `W/` and quotes. Nothing when absent or when it
/// could not be a file name of 1 to 128 letters, digits, '.', '_' and '-' (first a letter or digit).
std::optional<std::string> etag_of(const hub_head& head);

/// The commit that the file is from: `X-Repo-Commit`, 40 hexadecimal digits.
std::optional<std::string> commit_of(const hub_head& head);

/// Size of the file in bytes: `X-Linked-Size`, else `Content-Length` unless the reply is a redirect.
std::optional<std::uint64_t> size_of(const hub_head& head);

/// `Content-Range: bytes FIRST-LAST/TOTAL`, in bytes; no `total` for `*`.
struct content_range {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
  std::optional<std::uint64_t> total;
};
std::optional<content_range> content_range_of(const hub_head& head);

/// How long the Hub wants to be left alone: `Retry-After` in seconds or as a date (measured from `Date`),
/// else the `t` of a `ratelimit` field whose `r` is 0.
std::optional<std::chrono::seconds> retry_after_of(const hub_head& head);

/// Target of `Link: <…>; rel="next"`.
std::optional<std::string> next_page_of(const hub_head& head);

/// A whole decimal number without sign or spaces.
std::optional<std::uint64_t> parse_decimal(std::string_view text) noexcept;

/// True for `count` lower-case hexadecimal digits.
bool is_lower_hex(std::string_view text, std::size_t count) noexcept;

}  // namespace lorica
