#pragma once

#include <utility>

#include "actors/payloads.hpp"
#include "actors/protocol.hpp"

namespace lorica::test {

/// Adapters that answer as a test wants and take no notice of anything else.
template <class Resolve, class Acquire>
adapters_actor::behavior_type fake_adapters(Resolve resolve, Acquire acquire) {
  return {std::move(resolve),
          std::move(acquire),
          [](atom::release, const adapter_version&) {},
          [](atom::leave, std::uint64_t) {},
          [](atom::command, const adapter_command_ptr&) {},
          [](atom::cancel) {},
          [](atom::expire, std::uint64_t) {},
          [](atom::publish) {}};
}

}  // namespace lorica::test
