#pragma once

// One place that knows which Catch2 is installed: Debian 12 has version 2, later releases have version 3.
#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
#else
#include <catch2/catch.hpp>
#endif

namespace lorica {

/// Catch2's macros are for the thread that runs the test: on another they spoil its lists, by luck unseen.
/// Ends the program with a line that says so. Every assertion comes here by a listener, INFO by its macro.
void require_test_thread();

}  // namespace lorica

#undef INFO
#define INFO(...)                  \
  ::lorica::require_test_thread(); \
  INTERNAL_CATCH_INFO("INFO", __VA_ARGS__)
