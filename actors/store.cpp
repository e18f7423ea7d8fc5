#include "actors/store.hpp"

#include <caf/actor_system.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <utility>

#include "actors/attempt.hpp"
#include "actors/harden.hpp"
#include "actors/payloads.hpp"

namespace lorica {
namespace {

class store_state {
 public:
  static inline const char* name = "store";
  explicit store_state(store_actor::pointer self) : self_(self) {}
  store_actor::behavior_type start(std::shared_ptr<catalogue_store> books);

 private:
  result<void> write(const catalogue_changes& what);

  store_actor::pointer self_;
  std::shared_ptr<catalogue_store> books_;
};
static_assert(!std::is_aggregate_v<store_state>);

store_actor::behavior_type store_state::start(std::shared_ptr<catalogue_store> books) {
  harden(self_);
  books_ = std::move(books);
  return {[this](atom::store, const catalogue_changes_ptr& what) -> outcome_ptr {
    return std::make_shared<const result<void>>(attempt(name, [&] { return write(*what); }));
  }};
}

result<void> store_state::write(const catalogue_changes& what) {
  auto written = books_->write(what.changes);
  if (written) return written;
  log_error("the catalogue cannot be written: {}", written.error().text);
  return fail(errc::io, "The catalogue cannot be written: " + written.error().text, "storage_unavailable");
}

store_actor::behavior_type store(store_actor::stateful_pointer<store_state> self,
                                 std::shared_ptr<catalogue_store> books) {
  return self->state.start(std::move(books));
}

}  // namespace

store_actor spawn_store(caf::actor_system& system, std::unique_ptr<catalogue_store> books, placement where) {
  std::shared_ptr<catalogue_store> shared = std::move(books);
  if (where == placement::shared_threads) return system.spawn(store, std::move(shared));
  return system.spawn<caf::detached>(store, std::move(shared));
}

}  // namespace lorica
