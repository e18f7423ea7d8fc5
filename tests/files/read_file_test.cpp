#include "files/read_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

#include "files/mapped_file.hpp"
#include "tests/catch.hpp"
#include "tests/files/file_bytes.hpp"
#include "tests/files/scratch_directory.hpp"

using namespace lorica;

namespace {

void check_hides_directory(const error& e, const scratch_directory& scratch) {
  INFO(e.text);
  CHECK(e.text.find(scratch.path().string()) == std::string::npos);
}

}  // namespace

TEST_CASE("a regular file is read and mapped as a whole") {
  scratch_directory scratch;
  const std::string content("a\0b", 3);
  auto path = scratch.write("f", content);
  auto text = read_file(path, 3);
  REQUIRE(text);
  CHECK(*text == content);
  auto mapped = mapped_file::open(path);
  REQUIRE(mapped);
  REQUIRE((*mapped)->bytes().size() == 3);
  CHECK(std::memcmp((*mapped)->bytes().data(), content.data(), 3) == 0);
}

TEST_CASE("an empty file maps to an empty span") {
  scratch_directory scratch;
  auto mapped = mapped_file::open(scratch.write("f", ""));
  REQUIRE(mapped);
  CHECK((*mapped)->bytes().empty());
}

TEST_CASE("a file over the bound is refused before it is read") {
  scratch_directory scratch;
  auto text = read_file(scratch.write("long", "abcd"), 3);
  REQUIRE_FALSE(text);
  CHECK(text.error().code == errc::malformed);
  CHECK(text.error().text == "file long has 4 bytes; at most 3 are read");
}

TEST_CASE("missing files, directories and pipes are refused without waiting") {
  scratch_directory scratch;
  auto pipe = (scratch.path() / "pipe").string();
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  for (auto& path : {(scratch.path() / "none").string(), scratch.path().string(), pipe}) {
    auto mapped = mapped_file::open(path);
    auto text = read_file(path, 100);
    REQUIRE_FALSE(mapped);
    REQUIRE_FALSE(text);
    CHECK(mapped.error().code == errc::io);
    CHECK(text.error().code == errc::io);
    check_hides_directory(mapped.error(), scratch);
  }
  CHECK(read_file((scratch.path() / "none").string(), 1).error().text == "file none does not exist");
  CHECK(read_file(pipe, 1).error().text == "pipe is not a regular file");
}

TEST_CASE("an opened file is closed on exec") {
  scratch_directory scratch;
  auto file = open_file::open(scratch.write("f", "x"));
  REQUIRE(file);
  CHECK((::fcntl(file->descriptor(), F_GETFD) & FD_CLOEXEC) != 0);
}

TEST_CASE("pages that were given back are read again") {
  scratch_directory scratch;
  const std::string text(1 << 20, 'x');
  auto mapped = mapped_file::open(scratch.write("f", text));
  REQUIRE(mapped);
  const auto bytes = (*mapped)->bytes();
  auto resident = [&] {
    std::ifstream file("/proc/self/smaps");
    std::ostringstream place;
    place << std::hex << reinterpret_cast<std::uintptr_t>(bytes.data()) << '-';
    for (std::string line; std::getline(file, line);) {
      if (!line.starts_with(place.str())) continue;
      while (std::getline(file, line) && !line.starts_with("Rss:")) {
      }
      return std::stoul(line.substr(4));
    }
    return 0ul;
  };
  auto sum = [&] {
    std::size_t out = 0;
    for (auto b : bytes)
      out += std::to_integer<std::size_t>(b);
    return out;
  };
  const auto before = sum();
  CHECK(resident() == 1024);
  (*mapped)->release_pages();
  CHECK(resident() == 0);
  CHECK(sum() == before);
}
