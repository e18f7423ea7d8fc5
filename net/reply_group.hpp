#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "core/error.hpp"
#include "core/generation_service.hpp"
#include "net/collected.hpp"

namespace lorica {

/// Several generations with one answer: runs them side by side, gathers each, and hands over all when the
/// last one has ended, or the first failure, which cancels the others. Kept alive by their sinks; itself the
/// handle of them all, for the connection. Any thread.
class reply_group final : public generation_handle, public std::enable_shared_from_this<reply_group> {
 public:
  /// Told once: what each generated, in the order of the requests, or why one failed.
  using ending = std::function<void(result<std::vector<collected>>)>;

  /// Starts `requests`, of which there is at least one; how many there may be is the caller's to bound.
  static std::shared_ptr<reply_group> start(generation_service& service,
                                            std::vector<generation_request> requests, ending done);

  void cancel() noexcept override;

  /// Nothing: what is gathered never waits for a reader.
  void resume() noexcept override {}

 private:
  class member;

  explicit reply_group(ending done, std::size_t count) : done_(std::move(done)), all_(count), left_(count) {}
  bool keep(std::shared_ptr<generation_handle> running);
  void ended(std::size_t number, collected all);
  void failed(error why);

  std::mutex changing_;  // guards what follows: members end on any thread
  ending done_;          // empty once told
  std::vector<collected> all_;
  std::size_t left_;
  std::vector<std::shared_ptr<generation_handle>> running_;
};

}  // namespace lorica
