#pragma once

#include <cstddef>
#include <functional>
#include <stop_token>
#include <vector>

#include "adapters/coverage.hpp"
#include "adapters/digest.hpp"
#include "core/error.hpp"
#include "engine/adapter_weights.hpp"

namespace lorica {

/// Where a thread reads one site after the other; its memory is used again.
struct site_buffer {
  lora_site site;
  std::vector<std::byte> stored;  ///< what is read before it is numbers
};

/// The work on the sites 0, 1, … of an adapter that is not looking at them. Both functions are called on
/// several threads at once, for different sites.
struct site_work {
  /// Gives a site, which stays where it is until it was taken: in the buffer, or in memory of its own.
  std::function<result<lora_site*>(std::size_t site, site_buffer& buffer)> read;

  /// Is given it when it was hashed and measured. Empty: nobody wants it.
  std::function<result<void>(std::size_t site, lora_site& found)> take;

  bool measure = true;  ///< else there are no norms
};

/// What the sites of an adapter are found to be.
struct inspected {
  std::vector<part_digest> digests;      ///< in the order of the sites
  std::vector<module_coverage> modules;  ///< in the order of the sites
};

/// Has `count` sites read, hashes them, measures them if asked to, and hands them on, each by one of up to
/// `threads` threads
/// (>= 1, the calling one among them) while it is in that one's cache. Where several sites fail, the first of
/// them says why. `errc::cancelled` when `stop` was requested, which is looked at least every 200 ms.
result<inspected> inspect(std::size_t count, unsigned threads, const std::stop_token& stop,
                          const site_work& work);

}  // namespace lorica
