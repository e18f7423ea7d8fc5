#pragma once

#include <caf/error.hpp>
#include <caf/message_view.hpp>
#include <caf/result.hpp>
#include <caf/scheduled_actor.hpp>
#include <caf/sec.hpp>
#include <exception>

#include "core/log.hpp"

namespace lorica {

/// Called first by every actor: stray errors and messages are logged instead of ending it, and an exception
/// that ends it is logged before its supervisor hears of it.
template <class Self>
void harden(Self* self) {
  self->set_error_handler([](caf::scheduled_actor* me, caf::error& e) {
    log_warn("{}: stray error {}", me->name(), static_cast<int>(e.code()));
  });
  self->set_default_handler(
      [](caf::scheduled_actor* me, caf::message_view& view) -> caf::result<caf::message> {
        log_warn("{}: unexpected message of {} elements", me->name(), view.content().size());
        return caf::sec::unexpected_message;
      });
  self->set_exception_handler([](caf::scheduled_actor* me, std::exception_ptr& raised) -> caf::error {
    try {
      std::rethrow_exception(raised);
    } catch (const std::exception& e) {
      log_error("{}: ended by an exception: {}", me->name(), e.what());
    } catch (...) {
      log_error("{}: ended by an unknown exception", me->name());
    }
    return caf::sec::runtime_error;
  });
}

}  // namespace lorica
