#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <vector>

#include "app/admin/run.hpp"
#include "app/stop_signals.hpp"
#include "app/version.hpp"

namespace {

std::optional<std::string> variable(const char* name) {
  auto text = std::getenv(name);
  return text ? std::optional<std::string>(text) : std::nullopt;
}

int run(int argc, char** argv) {
  std::vector<std::string> arguments(argv + 1, argv + std::max(argc, 1));
  lorica::admin::hide_keys(argc, argv);
  lorica::block_stop_signals();
  std::stop_source once, twice;
  lorica::stop_listener signals([&](int count) { (count == 1 ? once : twice).request_stop(); });
  lorica::admin::surroundings here{std::cout,
                                   std::cerr,
                                   ::isatty(2) == 1,
                                   variable,
                                   {once.get_token(), twice.get_token()},
                                   "lorica-admin " LORICA_VERSION " (" LORICA_COMMIT ")"};
  auto end = lorica::admin::run(arguments, here);
  // What could not be written was not done, for whoever reads it.
  if (!std::cout.flush() && end == lorica::admin::exit_code::done) return 1;
  return static_cast<int>(end);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "lorica-admin: fatal: %s\n", e.what());
    return 1;
  }
}
