#pragma once

#include <memory>

#include "core/error.hpp"

struct CUevent_st;

namespace lorica::gpu {

class stream;

/// A point in a stream that others wait for.
class event {
 public:
  static result<event> create();
  /// One that also keeps the time, for measuring.
  static result<event> create_timed();

  /// The point behind what is in `s` now.
  result<void> record(const stream& s);

  /// Whether the point was reached; true before it is recorded.
  result<bool> reached() const;

  /// Waits on the host.
  result<void> wait() const;

  /// Milliseconds between two reached points of `create_timed`.
  static result<float> milliseconds(const event& from, const event& to);

  CUevent_st* native() const noexcept { return native_.get(); }

 private:
  struct destroy {
    void operator()(CUevent_st* e) const noexcept;
  };
  explicit event(CUevent_st* e) : native_(e) {}
  static result<event> create(unsigned flags);

  std::unique_ptr<CUevent_st, destroy> native_;
};

}  // namespace lorica::gpu
