#include "actors/adapter_command.hpp"

namespace lorica {
namespace {

/// A watch has nobody to answer.
template <class Command>
void refuse(const Command& command) {
  if constexpr (requires { command.done; })
    if (command.done) command.done(fail(errc::unavailable, "The server is shutting down"));
}

}  // namespace

adapter_command::~adapter_command() {
  if (!taken_) std::visit([](auto& one) { refuse(one); }, what_);
}

}  // namespace lorica
