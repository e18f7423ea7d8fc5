#pragma once

#include "core/generation.hpp"

namespace lorica {

/// Where a request's output goes. Implemented in `net/`, called by `actors/session`; every method may be
/// called from any thread and returns without waiting. Order: `started` once, then chunks, one `finished` per
/// choice, then `done`; or `failed` instead of whatever is left. Nothing follows `done` or `failed`.
class response_sink {
 public:
  virtual ~response_sink() = default;

  /// Admitted and resolved: status and headers can be written now.
  virtual void started(generation_started facts) = 0;

  /// New tokens of one choice.
  virtual void chunk(generation_chunk tokens) = 0;

  /// A choice ended by itself.
  virtual void finished(generation_finish end) = 0;

  /// All choices ended.
  virtual void done(generation_timings timings) = 0;

  /// The request ended with an error, before or after `started`.
  virtual void failed(error why) = 0;

  /// True while the peer reads slower than it is written to and the buffer bound is reached: the session then
  /// asks the scheduler to pause the sequence.
  virtual bool saturated() const noexcept = 0;
};

}  // namespace lorica
