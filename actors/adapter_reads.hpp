#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include "actors/payloads.hpp"
#include "actors/protocol.hpp"

namespace lorica {

/// Who waits for a read: the most urgent first.
enum class urgency : std::uint8_t {
  request,    ///< a request waits for the bytes
  operation,  ///< an operator asked
  foresight,  ///< nobody waits
};

/// A read with the places to try in order, and who hears of it.
struct adapter_read {
  load_job job;                             ///< its origin is the first place
  std::optional<adapter_origin> else_from;  ///< tried when there is nothing in the first place
  bool newest = false;  ///< a branch of the Hub is looked up anew even if the cache has one
  urgency how = urgency::operation;

  /// Called exactly once. The origin says where it was found, with the commit of a Hub source.
  std::function<void(result<packed_load>, const adapter_origin&)> done;
};

/// The way of all reads to the loaders: urgent ones first, one loader always free for requests, downloads
/// beside. A plain class, owned by `adapters`, on whose thread everything is called.
class adapter_reads {
 public:
  /// `hub` may be null: then the Hub is only what the cache holds.
  adapter_reads(adapters_actor::pointer self, std::vector<loader_actor> loaders, hub_actor hub);

  void read(adapter_read what);

  /// Ends what waits here and was asked to stop.
  void sweep();

  /// Ends everything, also what comes later and has no token of its own.
  void stop();

  /// True while nothing is read, downloaded or waits.
  bool idle() const noexcept;

 private:
  using read_ptr = std::shared_ptr<adapter_read>;

  void start_more();
  std::optional<std::size_t> free_loader(urgency how) const;
  void start(read_ptr what, std::size_t loader);
  void arrived(const read_ptr& what, std::size_t loader, const load_reply& reply);
  void download(const read_ptr& what);
  void downloaded(const read_ptr& what, const fetch_reply& reply);
  void finish(const read_ptr& what, result<packed_load> outcome);

  adapters_actor::pointer self_;
  std::vector<loader_actor> loaders_;
  std::vector<bool> busy_;
  hub_actor hub_;
  std::stop_source all_;  ///< for reads without a token of their own
  std::array<std::deque<read_ptr>, 3> queues_;
  std::size_t downloads_ = 0;
};

}  // namespace lorica
