#pragma once

#include <memory>

#include "core/generation.hpp"
#include "core/response_sink.hpp"

namespace lorica {

/// A running request, held by the connection that asked. Dropping it does not cancel.
class generation_handle {
 public:
  virtual ~generation_handle() = default;

  /// The client left: ends the generation within one step and frees everything. Idempotent, legal at any
  /// time, from any thread; a `failed` with `errc::cancelled` may or may not follow.
  virtual void cancel() noexcept = 0;

  /// The sink was saturated and has drained: the sequence may run again.
  virtual void resume() noexcept = 0;
};

/// Starts generations. Implemented by `actors/gateway`; thread-safe, never blocks.
class generation_service {
 public:
  virtual ~generation_service() = default;

  /// Starts `request`; everything that happens to it goes to `sink`.
  virtual std::shared_ptr<generation_handle> start(generation_request request,
                                                   std::shared_ptr<response_sink> sink) = 0;
};

}  // namespace lorica
