#include "actors/system_config.hpp"

#include <caf/atom.hpp>
#include <cstddef>

namespace lorica {

system_config::system_config() {
  constexpr std::size_t workers = 2;
  constexpr std::size_t messages_in_a_row = 32;
  set("scheduler.policy", caf::atom("sharing"));  // stealing polls and adds 0.1 ms
  set("scheduler.max-threads", workers);
  set("scheduler.max-throughput", messages_in_a_row);
}

}  // namespace lorica
