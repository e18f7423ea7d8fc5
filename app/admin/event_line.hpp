#pragma once

#include <string>

#include "core/value.hpp"

namespace lorica::admin {

/// The target of the stream of events.
inline constexpr const char* events_target = "/v1/adapters/events";

/// `13:05:09Z ready     sql  3f2a9c01d4e5  because`, or how many events were missed.
std::string event_line(const value& event);

}  // namespace lorica::admin
