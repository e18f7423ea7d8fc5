#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/value.hpp"

namespace lorica::admin {

/// Somebody's text for a terminal: control characters, which could steer it, become '?'; UTF-8 stays.
std::string printable(std::string_view text);

/// `512 B`, `1.2 MiB`.
std::string in_bytes(double bytes);

/// `7 s`, `12 min`, `3 h`, `9 d`; for a span in seconds. Below zero counts as zero.
std::string in_time(std::int64_t seconds);

/// `2026-01-31 13:05:09Z` of seconds since the epoch.
std::string in_utc(std::int64_t seconds);

/// Three digits at most: `0`, `0.25`, `12.5`, `340`, `12k`.
std::string in_short(double number);

/// Members of an answer, with a value where the member is absent or of another kind.
std::string text_of(const value& v, std::string_view name, std::string_view absent = "");
double number_of(const value& v, std::string_view name);
std::int64_t whole_of(const value& v, std::string_view name);
bool flag_of(const value& v, std::string_view name);

/// Elements of the member; none when it is absent or no list.
const value::array& list_of(const value& v, std::string_view name);

/// `8`, `4, 8` of a list of whole numbers; `-` when it is empty.
std::string ranks_of(const value& adapter);

/// First 12 digits of its version; `-` when it has none.
std::string version_of(const value& adapter);

}  // namespace lorica::admin
