#include "actors/adapter_users.hpp"

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>
#include <utility>

#include "actors/payloads.hpp"

namespace lorica {
namespace {

class posted_stay {
 public:
  posted_stay(std::uint64_t number, caf::actor_addr owner) : number_(number), owner_(std::move(owner)) {}
  posted_stay(const posted_stay&) = delete;
  posted_stay& operator=(const posted_stay&) = delete;
  ~posted_stay() {
    auto owner = caf::actor_cast<adapters_actor>(owner_);
    if (owner) caf::anon_send(owner, atom::leave::value, number_);
  }

 private:
  std::uint64_t number_;
  caf::actor_addr owner_;
};

}  // namespace

std::shared_ptr<const void> make_stay(std::uint64_t number, const adapters_actor& owner) {
  return std::make_shared<const posted_stay>(number, owner.address());
}

std::uint64_t adapter_users::enter(const std::string& name, const adapter_version& version,
                                   caf::actor_addr session) {
  auto number = ++last_;
  stays_.emplace(number, stay{name, version, std::move(session)});
  names_[name].insert(number);
  ++versions_[version];
  return number;
}

std::optional<adapter_users::stay> adapter_users::leave(std::uint64_t number) {
  auto found = stays_.extract(number);
  if (found.empty()) return std::nullopt;
  auto out = std::move(found.mapped());
  auto named = names_.find(out.name);
  named->second.erase(number);
  if (named->second.empty()) names_.erase(named);
  auto held = versions_.find(out.version);
  if (--held->second == 0) versions_.erase(held);
  return out;
}

std::set<std::uint64_t> adapter_users::of(std::string_view name) const {
  auto found = names_.find(name);
  return found == names_.end() ? std::set<std::uint64_t>() : found->second;
}

std::uint64_t adapter_users::count(std::string_view name) const {
  auto found = names_.find(name);
  return found == names_.end() ? 0 : found->second.size();
}

std::uint64_t adapter_users::count(const adapter_version& version) const {
  auto found = versions_.find(version);
  return found == versions_.end() ? 0 : found->second;
}

std::vector<session_actor> adapter_users::sessions(const std::set<std::uint64_t>& stays) const {
  std::vector<session_actor> out;
  for (auto number : stays) {
    auto found = stays_.find(number);
    if (found == stays_.end()) continue;
    if (auto session = caf::actor_cast<session_actor>(found->second.session)) out.push_back(session);
  }
  return out;
}

}  // namespace lorica
