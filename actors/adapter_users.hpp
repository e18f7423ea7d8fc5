#pragma once

#include <caf/actor_addr.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "actors/protocol.hpp"

namespace lorica {

/// A request's stay with a name. Ends when the last copy is dropped, on any thread: that posts `leave`.
std::shared_ptr<const void> make_stay(std::uint64_t number, const adapters_actor& owner);

/// The requests inside the server that named an adapter: what keeps its version, whom an unload waits for or
/// ends. A plain class, owned by `adapters`.
class adapter_users {
 public:
  /// A request named `name` and got `version`; `session` is told when it has to end. The number of its stay.
  std::uint64_t enter(const std::string& name, const adapter_version& version, caf::actor_addr session);

  /// What a stay that ended was about; nothing for an unknown number.
  struct stay {
    std::string name;
    adapter_version version;
    caf::actor_addr session;
  };
  std::optional<stay> leave(std::uint64_t number);

  /// Stays of a name now.
  std::set<std::uint64_t> of(std::string_view name) const;
  std::uint64_t count(std::string_view name) const;

  /// Requests that hold `version`, under any name.
  std::uint64_t count(const adapter_version& version) const;

  /// Who makes these stays; those that ended are left out.
  std::vector<session_actor> sessions(const std::set<std::uint64_t>& stays) const;

  std::uint64_t size() const noexcept { return stays_.size(); }

 private:
  std::map<std::uint64_t, stay> stays_;
  std::map<std::string, std::set<std::uint64_t>, std::less<>> names_;
  std::map<adapter_version, std::uint64_t> versions_;
  std::uint64_t last_ = 0;
};

}  // namespace lorica
