// Version 2 of Catch2 needs its main compiled once; version 3 brings it as a library.
#define CATCH_CONFIG_MAIN
#include "tests/catch.hpp"

#include <cstdlib>
#include <iostream>
#include <thread>

namespace lorica {
namespace {

const std::thread::id test_thread = std::this_thread::get_id();

#if CATCH_VERSION_MAJOR >= 3
using listener_base = Catch::EventListenerBase;
#else
using listener_base = Catch::TestEventListenerBase;
#endif

struct thread_listener : listener_base {
  using listener_base::listener_base;
  void assertionStarting(const Catch::AssertionInfo&) override { require_test_thread(); }
#if CATCH_VERSION_MAJOR < 3
  bool assertionEnded(const Catch::AssertionStats&) override {
    return true;
  }
#endif
};

}  // namespace

void require_test_thread() {
  if (std::this_thread::get_id() == test_thread) return;
  std::cerr << "a test asserted on a thread of its own; Catch2 takes assertions on the test's thread only\n";
  std::abort();
}

CATCH_REGISTER_LISTENER(thread_listener)

}  // namespace lorica
