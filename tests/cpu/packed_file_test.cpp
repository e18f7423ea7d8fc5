#include "cpu/packed_file.hpp"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <random>
#include <set>

#include "core/sha256.hpp"
#include "tests/cpu/golden_model.hpp"
#include "tests/cpu/packed_model.hpp"
#include "tests/files/scratch_directory.hpp"

using namespace lorica;
using namespace lorica::testing;
namespace fs = std::filesystem;

namespace {

constexpr std::size_t header_fields = 72;

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Contents of three parts, the last of them short.
std::vector<std::byte> some_contents() {
  std::vector<std::byte> out((std::size_t{9} << 20) + 100);
  std::mt19937 random(7);
  for (auto& byte : out)
    byte = static_cast<std::byte>(random());
  return out;
}

packed_key some_key() {
  packed_key key;
  key.weights.fill(3);
  key.mode = {cpu_dtype::bfloat16, true};
  key.instructions = isa::avx2;
  return key;
}

/// A file as `write_packed_file` leaves it.
std::string written(const std::string& path, const packed_key& key, std::span<const std::byte> contents) {
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  REQUIRE(file >= 0);
  auto ok = write_packed_file(file, key, contents, {});
  ::close(file);
  if (!ok) FAIL(ok.error().text);
  return content(path);
}

/// What `read_packed_file` says about a file; empty when it is taken and gives `contents`.
std::string verdict(const std::string& path, const packed_key& key, std::span<const std::byte> contents,
                    unsigned members = 2) {
  const int file = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(file >= 0);
  thread_team team(members);
  std::vector<std::byte> out(contents.size());
  auto ok = read_packed_file(file, key, team, out);
  ::close(file);
  if (!ok) return ok.error().text;
  return std::ranges::equal(out, contents) ? std::string() : "other contents";
}

std::string digest_of(std::span<const std::byte> bytes) {
  sha256 hash;
  hash.update(bytes);
  std::string out;
  for (auto byte : hash.finish())
    out += fmt::format("{:02x}", byte);
  return out.substr(0, 16);
}

}  // namespace

TEST_CASE("a file gives back what was written, by any number of threads") {
  scratch_directory place;
  const auto path = (place.path() / "file").string();
  const auto contents = some_contents();
  const auto file = written(path, some_key(), contents);
  CHECK(file.size() == packed_header_bytes + contents.size());
  for (unsigned members : {1u, 2u, 3u, 5u})
    CHECK(verdict(path, some_key(), contents, members).empty());
  const std::vector<std::byte> none;
  written(path, some_key(), none);
  CHECK(verdict(path, some_key(), none).empty());
}

TEST_CASE("a file that is cut short or goes on is refused at every length") {
  scratch_directory place;
  const auto path = (place.path() / "file").string();
  const auto contents = some_contents();
  const auto whole = written(path, some_key(), contents);
  for (std::size_t size : {std::size_t{0}, std::size_t{1}, header_fields - 1, header_fields,
                           std::size_t{packed_header_bytes}, whole.size() / 2, whole.size() - 1}) {
    fs::resize_file(place.write("cut", whole), size);
    CHECK(verdict((place.path() / "cut").string(), some_key(), contents) == "is cut short");
  }
  CHECK_THAT(verdict(place.write("longer", whole + "x"), some_key(), contents),
             Catch::Contains("more bytes"));
}

TEST_CASE("one bit that turned over is found, in the header and in every part") {
  scratch_directory place;
  const auto path = (place.path() / "file").string();
  auto refused = [&](std::string file, std::size_t at, std::span<const std::byte> contents) {
    INFO("byte " << at);
    file[at] = static_cast<char>(file[at] ^ 4);
    CHECK_THAT(verdict(place.write("bad", file), some_key(), contents),
               Catch::StartsWith("is ") || Catch::StartsWith("has "));
  };
  const std::vector<std::byte> little(100);
  const auto small = written(path, some_key(), little);
  for (std::size_t at = 0; at < header_fields; ++at)
    refused(small, at, little);
  for (std::size_t at = packed_header_bytes; at < small.size(); ++at)
    refused(small, at, little);
  const auto contents = some_contents();
  auto whole = written(path, some_key(), contents);
  const std::size_t part = std::size_t{4} << 20;
  for (std::size_t at : {part - 1, part, 2 * part, contents.size() - 1})
    refused(whole, packed_header_bytes + at, contents);
  const auto first = whole.begin() + packed_header_bytes, second = first + static_cast<std::ptrdiff_t>(part);
  std::swap_ranges(first, second, second);
  CHECK_THAT(verdict(place.write("turned", whole), some_key(), contents), Catch::Contains("damaged"));
}

TEST_CASE("a file of another key, version or program is refused and says which") {
  scratch_directory place;
  const auto contents = some_contents();
  const auto path = (place.path() / "file").string();
  const auto whole = written(path, some_key(), contents);
  auto other = some_key();
  other.weights[31] = 4;
  CHECK(verdict(path, other, contents) == "is of another model");
  const std::string_view elsewhere = "is of another mode, instruction set or size";
  other = some_key();
  other.mode = cpu_dtype::bfloat16;
  CHECK(verdict(path, other, contents) == elsewhere);
  other.mode = cpu_dtype::float32;
  CHECK(verdict(path, other, contents) == elsewhere);
  other = some_key();
  other.instructions = isa::avx512;
  CHECK(verdict(path, other, contents) == elsewhere);
  other = some_key();
  other.mode.int8_adapters = true;  // is about adapters only
  CHECK(verdict(path, other, contents).empty());
  CHECK(verdict(path, some_key(), std::span(contents).first(contents.size() - 1)) == elsewhere);
  auto changed = whole;
  changed[16] = static_cast<char>(packed_layout_version + 1);
  CHECK_THAT(verdict(place.write("version", changed), some_key(), contents),
             Catch::Contains("another layout"));
  changed = whole;
  changed.replace(0, packed_header_bytes, std::string(packed_header_bytes, '\0'));
  const std::string_view foreign = "is not a file of packed weights";
  CHECK(verdict(place.write("unfinished", changed), some_key(), contents) == foreign);
  std::mt19937 random(1);
  for (auto& c : changed)
    c = static_cast<char>(random());
  CHECK(verdict(place.write("garbage", changed), some_key(), contents) == foreign);
}

TEST_CASE("what is no plain file of this user alone is refused") {
  scratch_directory place;
  const auto contents = some_contents();
  const auto path = (place.path() / "file").string();
  written(path, some_key(), contents);
  for (::mode_t mode : {0620, 0602, 0666}) {
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    CHECK(verdict(path, some_key(), contents) == "may be written by others");
  }
  REQUIRE(::chmod(path.c_str(), 0644) == 0);
  CHECK(verdict(path, some_key(), contents).empty());
  REQUIRE(::mkfifo((place.path() / "pipe").c_str(), 0600) == 0);
  CHECK(verdict((place.path() / "pipe").string(), some_key(), contents) == "is not a regular file");
  CHECK(verdict(place.path().string(), some_key(), contents) == "is not a regular file");
  if (::geteuid() != 0 || ::chown(path.c_str(), 12345, 12345) != 0) {
    WARN("skipped: needs root");
    return;
  }
  CHECK(verdict(path, some_key(), contents) == "belongs to another user");
}

TEST_CASE("everything in a key counts in the name of its file, but how adapters are kept") {
  std::set<std::string> names;
  for (int byte : {0, 31})
    for (auto mode :
         {cpu_mode(cpu_dtype::float32), cpu_mode(cpu_dtype::bfloat16), cpu_mode(cpu_dtype::bfloat16, true)})
      for (auto instructions : {isa::portable, isa::avx2, isa::avx_vnni, isa::avx512}) {
        auto key = some_key();
        key.weights[static_cast<std::size_t>(byte)] = 9;
        key.mode = mode;
        key.instructions = instructions;
        names.insert(packed_file_name(key));
      }
  CHECK(names.size() == 24);
  for (auto& name : names)
    CHECK(is_packed_file_name(name));
  auto key = some_key();
  key.mode.int8_adapters = true;
  CHECK(packed_file_name(key) == packed_file_name(some_key()));
  const auto name = *names.begin();
  for (auto other : {std::string(), std::string(".packed"), name + "x", "x" + name, name.substr(1),
                     name + ".tmp-1", std::string(64, 'G') + ".packed", std::string(64, 'a') + "_packed"})
    CHECK_FALSE(is_packed_file_name(other));
}

// When this fails, the bytes of packed weights are no longer those of `packed_layout_version`: raise it, then
// write the new digests here.
TEST_CASE("packed weights are those of their layout's version") {
  REQUIRE(packed_layout_version == 2);
  std::string found;
  thread_team team(2);
  for (auto name : {"llama-tied-gqa", "llama-gguf-q4_1/model.gguf", "mistral-gguf-q5_0/model.gguf"})
    for (auto mode :
         {cpu_mode(cpu_dtype::float32), cpu_mode(cpu_dtype::bfloat16), cpu_mode(cpu_dtype::bfloat16, true)})
      found += digest_of(pack(*golden_weights(name), mode, team)->contents()) + " ";
  CHECK(found ==
        "0e24b9a0ac801e96 abaeb2178ea71702 c12357fa4c7aaacd "
        "fcdece873a856ee7 cf876b7e7f7651ec 96bca78a11057151 "
        "f2fc91f4739ae2e1 7724c186e66d1435 cad9171a439e99b9 ");
}
