#pragma once

#include <caf/fwd.hpp>
#include <cstddef>
#include <memory>
#include <vector>

#include "actors/placement.hpp"
#include "actors/protocol.hpp"
#include "text/chat_prompt.hpp"
#include "text/tokenizer.hpp"

namespace lorica {

/// A worker: renders and encodes one job after the other. `chat` may be null: a model without a template.
tokenizer_actor spawn_tokenizer(caf::actor_system& system, std::shared_ptr<const tokenizer> vocabulary,
                                std::shared_ptr<const chat_format> chat, placement where);

/// The workers and how much each has before it. With two or more workers, one takes small jobs only, so that
/// a short prompt never waits for a long one. Immutable but for its counts; any thread.
class tokenizer_pool {
 public:
  explicit tokenizer_pool(std::vector<tokenizer_actor> workers);

  struct choice {
    const tokenizer_actor& worker;
    std::shared_ptr<const void> ticket;  ///< counts as load until dropped; put it into the job
  };

  /// The worker with the least bytes before it.
  choice pick(std::size_t bytes) const;

  const std::vector<tokenizer_actor>& workers() const noexcept { return workers_; }

 private:
  struct counts;
  std::vector<tokenizer_actor> workers_;
  std::shared_ptr<counts> counts_;
};

}  // namespace lorica
