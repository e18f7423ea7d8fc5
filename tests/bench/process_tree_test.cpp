#include "bench/process_tree.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <ctime>

#include "tests/catch.hpp"

using namespace lorica::bench;

TEST_CASE("work of a process and of those below it is counted, and its memory is told") {
  int ready[2], over[2];
  REQUIRE(::pipe(ready) == 0);
  REQUIRE(::pipe(over) == 0);
  // A child that only waits, and below it one that works for 0.3 seconds of processor time.
  pid_t child = ::fork();
  if (child == 0) {
    if (::fork() == 0) {
      while (std::clock() < CLOCKS_PER_SEC * 3 / 10) {
      }
      char done = 1;
      static_cast<void>(!::write(ready[1], &done, 1));
      static_cast<void>(!::read(over[0], &done, 1));
      ::_exit(0);
    }
    char done;
    static_cast<void>(!::read(over[0], &done, 1));
    ::_exit(0);
  }
  char done = 0;
  REQUIRE(::read(ready[0], &done, 1) == 1);
  const std::array<pid_t, 1> these{child};
  auto seconds = processor_seconds(these);
  auto bytes = resident_bytes(these);
  REQUIRE(::write(over[1], "xx", 2) == 2);
  ::waitpid(child, nullptr, 0);
  for (int fd : {ready[0], ready[1], over[0], over[1]})
    ::close(fd);
  REQUIRE(seconds);
  CHECK(*seconds >= 0.25);
  CHECK(*seconds < 5);
  REQUIRE(bytes);
  CHECK(*bytes > 10'000);
  CHECK_FALSE(processor_seconds(these));
}
