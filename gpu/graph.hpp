#pragma once

#include <functional>
#include <memory>

#include "core/error.hpp"
#include "gpu/stream.hpp"

struct CUgraphExec_st;

namespace lorica::gpu {

/// Work that was put into streams once and is started as a whole, again and again, with the arguments of
/// that time: what changes from step to step lies in device memory.
class graph {
 public:
  /// Records what `body` puts into `origin` and into streams that were forked from it by events and joined
  /// again. Nothing runs. A failure of `body` ends the recording and is returned.
  static result<graph> capture(const stream& origin, const std::function<result<void>()>& body);

  result<void> launch(const stream& s) const;

 private:
  struct destroy {
    void operator()(CUgraphExec_st* g) const noexcept;
  };
  explicit graph(CUgraphExec_st* g) : native_(g) {}

  std::unique_ptr<CUgraphExec_st, destroy> native_;
};

}  // namespace lorica::gpu
