#pragma once

#include <chrono>
#include <stop_token>

#include "app/admin/arguments.hpp"
#include "app/admin/console.hpp"
#include "app/admin/server_link.hpp"
#include "net/http_client.hpp"

namespace lorica::admin {

/// What interrupts a command: Ctrl-C or SIGTERM, once and once more.
struct interruption {
  std::stop_token once;
  std::stop_token twice;

  /// Sleeps; false when the first interruption came before or meanwhile.
  bool pause(std::chrono::milliseconds time) const;
};

/// One command with all it needs. Lives on the main thread.
struct task {
  const call& what;
  const http_client_options& address;  ///< for commands that need further connections
  server_link& server;
  console& out;
  interruption stop;
};

/// Prints an answer of the server as JSON, or as the text that `words` makes of it.
template <class Words>
exit_code answer(task& t, const result<value>& got, Words words) {
  if (!got) return t.out.refuse(got.error());
  t.out.answer(*got, t.out.json() ? std::string() : words(*got));
  return exit_code::done;
}

}  // namespace lorica::admin
