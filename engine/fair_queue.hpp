#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "core/ids.hpp"
#include "engine/sequence.hpp"

namespace lorica {

/// Who goes first among those that wait.
enum class schedule_policy : std::uint8_t {
  fcfs,  ///< in order of arrival
  fair,  ///< the client that has had least of the machine
};

/// Who counts as one when the machine is shared: everybody who asks for the same adapters. Weights do not
/// matter, or a client could be many.
struct client_key {
  std::vector<adapter_version> adapters;  ///< ascending, each once; empty: the base

  auto operator<=>(const client_key&) const = default;
};

client_key client_of(const sequence& s);

/// The queue: in order of arrival within a client, and the clients by a virtual counter of what they were
/// given (VTC, Sheng et al. 2024, algorithm 2, in seconds of the machine instead of tokens). A client of whom
/// nobody waited is lifted to the least of those that wait when one does, or to that of the last one that
/// did, so nobody saves up, not even who always has something small running. With `fcfs` counters stay 0,
/// which leaves the order of arrival. Holds places, not sequences: their owner knows which is where. No
/// clock: time is handed in. Lives on one thread.
class fair_queue {
 public:
  /// In its client, smaller is sooner: rank (0: before every client's turn), then ticket. Unique.
  using place = std::pair<std::uint32_t, std::uint64_t>;

  /// Among clients: rank, counter, of equals those of whom nobody runs, then the oldest.
  struct turn {
    std::uint32_t rank = 0;
    double counter = 0;
    bool served = false;
    std::uint64_t ticket = 0;

    auto operator<=>(const turn&) const = default;
  };

  /// Somebody who has sequences here, or had and was given more than others. Its address is stable while it
  /// has some.
  struct client {
    client_key key;
    double given = 0;           ///< seconds of the machine
    double ahead = 0;           ///< seconds that what runs of it will be given before long
    std::uint32_t present = 0;  ///< sequences: waiting, paused and running ones
    std::uint32_t running = 0;
    std::set<place> waiting;  ///< not the paused ones

    double counter() const noexcept { return given + ahead; }

   private:
    friend class fair_queue;
    std::uint64_t serial = 0;
    turn at;  // where it stands in the order, while somebody waits
    bool dirty = false;
    bool unserved = false;
    std::chrono::nanoseconds since{0};  // of `unserved`
    std::size_t number = 0;             // among those that are here
  };

  explicit fair_queue(schedule_policy policy) : policy_(policy) {}

  bool fair() const noexcept { return policy_ == schedule_policy::fair; }

  /// A sequence of this client is here from now on; it neither waits nor runs yet.
  client& enter(const client_key& key);
  /// It ended; `c` may be gone afterwards.
  void leave(client& c);

  /// A sequence waits at `p`, or does no longer. The first one lifts its client to `floor`.
  void add(client& c, place p);
  void remove(client& c, place p);

  /// A sequence of the client began or ceased to run.
  void started(client& c);
  void stopped(client& c);

  /// The client was given so many seconds.
  void charge(client& c, double seconds);
  /// It will be given so many before long; below 0: it was, or will not be.
  void expect(client& c, double seconds);

  /// Puts those that were charged where they belong. To be called before a walk.
  void settle();

  /// Walks clients with somebody who waits: the first one, and the one behind a turn. Null at the end. A
  /// client that is charged on the way moves on and is met again.
  client* first();
  client* behind(const turn& t);
  static const turn& turn_of(const client& c) noexcept { return c.at; }

  /// Time goes on; never back.
  void advance_to(std::chrono::nanoseconds now) noexcept { now_ = now; }
  std::chrono::nanoseconds now() const noexcept { return now_; }

  /// Clients of whom somebody has waited for `limit` while nobody ran, the longest first, at most `most`.
  std::vector<client*> unserved(std::chrono::nanoseconds limit, std::size_t most) const;

  /// The least that any client was given of whom somebody waits; where nobody does, what the last one was
  /// given of whom somebody did. Never falls.
  double floor() const noexcept;

  /// The largest difference of counters between two clients of whom somebody waits, in seconds; 0 with fewer.
  double gap() const noexcept;

  /// Clients that are here, in no order.
  const std::vector<client*>& present() const noexcept { return present_; }
  std::size_t clients() const noexcept { return present_.size(); }
  /// Clients that are remembered though they have no sequence; bounded.
  std::size_t remembered() const noexcept { return idle_.size(); }

 private:
  static constexpr std::size_t most_idle = 4096;

  turn turn_now(const client& c) const noexcept;
  void put_again(client& c);
  void changed(client& c);
  void note_service(client& c);
  void forget_idle();

  schedule_policy policy_;
  std::map<client_key, std::unique_ptr<client>> clients_;
  std::map<turn, client*> order_;
  std::vector<client*> present_;
  std::vector<client*> dirty_;
  std::set<std::tuple<double, std::uint64_t, client*>> idle_;
  std::set<std::tuple<std::chrono::nanoseconds, std::uint64_t, client*>> unserved_;
  std::chrono::nanoseconds now_{0};
  const client* last_ = nullptr;  // of whom somebody waited before nobody did; null: forgotten
  double last_given_ = 0;         // what it was given until then
  std::uint64_t next_serial_ = 1;
};

}  // namespace lorica
