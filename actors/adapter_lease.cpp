#include "actors/adapter_lease.hpp"

#include <caf/actor_addr.hpp>
#include <caf/actor_cast.hpp>
#include <caf/send.hpp>
#include <utility>

#include "actors/payloads.hpp"

namespace lorica {
namespace {

class adapter_lease {
 public:
  adapter_lease(packed_ptr adapter, caf::actor_addr owner)
      : adapter_(std::move(adapter)), owner_(std::move(owner)) {}
  adapter_lease(const adapter_lease&) = delete;
  adapter_lease& operator=(const adapter_lease&) = delete;
  ~adapter_lease();

 private:
  packed_ptr adapter_;
  caf::actor_addr owner_;
};

adapter_lease::~adapter_lease() {
  auto version = adapter_->version();
  adapter_.reset();  // before the release: the last reference must end on a loader thread
  auto owner = caf::actor_cast<adapters_actor>(owner_);
  if (owner) caf::anon_send(owner, atom::release::value, version);
}

}  // namespace

packed_ptr make_lease(packed_ptr adapter, const adapters_actor& owner) {
  auto target = adapter.get();
  auto lease = std::make_shared<const adapter_lease>(std::move(adapter), owner.address());
  return {std::move(lease), target};
}

}  // namespace lorica
