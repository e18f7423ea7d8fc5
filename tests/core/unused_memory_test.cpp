#include "core/unused_memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/catch.hpp"

using namespace lorica;

namespace {

constexpr std::size_t length = 16 << 10;

/// A file of 16 KiB of `x`, mapped; both end with this object.
class mapped_text {
 public:
  mapped_text() {
    char path[] = "/tmp/lorica-unused-XXXXXX";
    const int file = ::mkstemp(path);
    REQUIRE(file >= 0);
    ::unlink(path);
    const std::string text(length, 'x');
    REQUIRE(::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    void* at = ::mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    ::close(file);
    REQUIRE(at != MAP_FAILED);
    data_ = static_cast<char*>(at);
  }
  mapped_text(const mapped_text&) = delete;
  mapped_text& operator=(const mapped_text&) = delete;
  ~mapped_text() { ::munmap(data_, length); }

  char* data() const noexcept { return data_; }
  void forbid_writing() const { REQUIRE(::mprotect(data_, length, PROT_READ) == 0); }
  std::size_t sum() const {
    std::size_t out = 0;
    for (std::size_t i = 0; i < length; ++i)
      out += static_cast<unsigned char>(data_[i]);
    return out;
  }

 private:
  char* data_ = nullptr;
};

/// KiB in memory of the mapping that begins at `at`.
long resident(const void* at) {
  std::ifstream file("/proc/self/smaps");
  char begin[32];
  std::snprintf(begin, sizeof begin, "%lx-", reinterpret_cast<unsigned long>(at));
  bool here = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with(begin)) here = true;
    if (here && line.starts_with("Rss:")) return std::strtol(line.c_str() + 4, nullptr, 10);
  }
  return -1;
}

}  // namespace

TEST_CASE(
    "of all mappings those are unchanged that are private, of a file, read-only, and have no page of their "
    "own") {
  const char* text =
      "1000-3000 r-xp 00000000 fe:00 77                         /bin/a program\n"
      "Rss:                   8 kB\nAnonymous:             0 kB\nVmFlags: rd ex mr\n"
      "3000-4000 r--p 00002000 fe:00 77                         /bin/a program\n"
      "Rss:                   4 kB\nAnonymous:             4 kB\nVmFlags: rd mr\n"
      "4000-5000 rw-p 00003000 fe:00 77                         /bin/a program\nAnonymous:             0 kB\n"
      "5000-6000 r--s 00000000 fe:00 78                         /shared\nAnonymous:             0 kB\n"
      "6000-7000 r--p 00000000 00:00 0 \nAnonymous:             0 kB\n"
      "7000-7fff00008000 r--p 00000000 fe:00 79                 /lib/b\nAnonymous:             0 kB\n"
      "no mapping at all\nAnonymous:             0 kB\n";
  CHECK(unchanged_mappings(text) == std::vector<mapped_range>{{0x1000, 0x3000}, {0x7000, 0x7fff00008000}});
  CHECK(unchanged_mappings("").empty());
  CHECK(unchanged_mappings("1000-3000 r-xp 00000000 fe:00 77 /a\nRss:").empty());
}

TEST_CASE("pages of a file leave memory and come back as they were") {
  mapped_text file;
  file.forbid_writing();
  REQUIRE(file.sum() == length * 'x');
  REQUIRE(resident(file.data()) == long{length >> 10});
  give_back_unused_memory();
  CHECK(resident(file.data()) == 0);
  CHECK(file.sum() == length * 'x');
}

TEST_CASE("what was changed in memory is not read again from its file") {
  mapped_text file;
  file.data()[5000] = 'y';
  file.forbid_writing();
  give_back_unused_memory();
  CHECK(file.data()[5000] == 'y');
}
