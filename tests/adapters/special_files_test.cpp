#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <string>

#include "adapters/adapter_directory.hpp"
#include "tests/adapters/adapter_fixture.hpp"
#include "tests/catch.hpp"

using namespace lorica;

namespace {

constexpr const char* weights = "/adapter_model.safetensors";
constexpr const char* config = "/adapter_config.json";

// A good adapter with one of its files taken out.
struct broken_place {
  scratch_directory place;
  std::string file;

  explicit broken_place(const char* name) : file(place.path() + name) {
    place.write(good_adapter());
    std::filesystem::remove(file);
  }

  error refusal() const {
    auto read = read_adapter(place.path(), fixture_base(), {}, {});
    REQUIRE_FALSE(read);
    CHECK(read.error().text.find(place.path()) == std::string::npos);
    return read.error();
  }
};

}  // namespace

TEST_CASE("what is not there is an unknown adapter") {
  scratch_directory place;
  for (const auto& path : {place.path() + "/nowhere", std::string(), place.path(), std::string("a\0b", 3)}) {
    auto read = read_adapter(path, fixture_base(), {}, {});
    REQUIRE_FALSE(read);
    CHECK(read.error().code == errc::unknown_adapter);
    CHECK(read.error().reason == "missing_file");
  }
  for (auto name : {weights, config}) {
    broken_place broken(name);
    CHECK(broken.refusal().code == errc::unknown_adapter);
    CHECK(broken.refusal().reason == "missing_file");
    CHECK_THAT(broken.refusal().text, Catch::Contains(name + 1));
  }
}

TEST_CASE("a path to a file is told apart from a directory") {
  scratch_directory place;
  place.write("weights.safetensors", "x");
  place.write("weights.bin", "x");
  auto file = read_adapter(place.path() + "/weights.safetensors", fixture_base(), {}, {});
  CHECK(file.error().code == errc::unknown_adapter);
  CHECK_THAT(file.error().text, Catch::Contains("no directory"));
  CHECK(read_adapter(place.path() + "/weights.bin", fixture_base(), {}, {}).error().reason ==
        "pickle_refused");
}

TEST_CASE("a pickle instead of safetensors is refused by its name") {
  for (auto name : {"adapter_model.bin", "adapter_model.pt", "adapter_model.pth", "adapter_model.pkl"}) {
    broken_place broken(weights);
    broken.place.write(name, "x");
    CHECK(broken.refusal().code == errc::bad_adapter);
    CHECK(broken.refusal().reason == "pickle_refused");
    CHECK_THAT(broken.refusal().text, Catch::Contains(name));
  }
  scratch_directory both;
  both.write(good_adapter());
  both.write("adapter_model.bin", "x");
  CHECK(read_adapter(both.path(), fixture_base(), {}, {}));
}

TEST_CASE("pipes, sockets, devices, directories and loops of links are refused without waiting") {
  for (auto name : {weights, config}) {
    {
      broken_place broken(name);
      REQUIRE(::mkfifo(broken.file.c_str(), 0600) == 0);
      CHECK(broken.refusal().reason == "unreadable_file");
    }
    {
      broken_place broken(name);
      std::filesystem::create_directory(broken.file);
      CHECK(broken.refusal().reason == "unreadable_file");
    }
    {
      broken_place broken(name);
      std::filesystem::create_symlink("/dev/zero", broken.file);
      CHECK(broken.refusal().reason == "unreadable_file");
    }
    {
      broken_place broken(name);
      std::filesystem::create_symlink(broken.file, broken.file);
      CHECK(broken.refusal().reason == "unreadable_file");
    }
    {
      broken_place broken(name);
      std::filesystem::create_symlink(broken.file + ".gone", broken.file);
      CHECK(broken.refusal().reason == "missing_file");
    }
    {
      broken_place broken(name);
      int end = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      REQUIRE(broken.file.size() < sizeof address.sun_path);
      std::strcpy(address.sun_path, broken.file.c_str());
      REQUIRE(::bind(end, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
      CHECK(broken.refusal().reason == "unreadable_file");
      ::close(end);
    }
  }
}

TEST_CASE("links to regular files are followed, as download caches need") {
  scratch_directory blobs;
  blobs.write(good_adapter());
  scratch_directory place;
  for (auto name : {weights, config})
    std::filesystem::create_symlink(blobs.path() + name, place.path() + name);
  CHECK(read_adapter(place.path(), fixture_base(), {}, {}));
}

TEST_CASE("a huge sparse file is refused by its size") {
  broken_place broken(weights);
  int file = ::open(broken.file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  REQUIRE(::ftruncate(file, off_t{1} << 40) == 0);
  ::close(file);
  CHECK(broken.refusal().reason == "too_large");
  CHECK_THAT(broken.refusal().text, Catch::Contains("1099511627776"));
  broken.place.write(good_adapter());
  REQUIRE(::truncate((broken.place.path() + config).c_str(), off_t{1} << 40) == 0);
  CHECK(broken.refusal().reason == "too_large");
}

TEST_CASE("the limits of the caller hold") {
  auto adapter = good_adapter();
  auto size = safetensors_image(adapter.tensors).size();
  CHECK(read_back(adapter, {.max_file_bytes = size}));
  CHECK(read_back(adapter, {.max_file_bytes = size - 1}).error().reason == "too_large");
  CHECK(read_back(adapter, {.max_config_bytes = adapter.config_text().size()}));
  CHECK(read_back(adapter, {.max_config_bytes = adapter.config_text().size() - 1}).error().reason ==
        "too_large");
  CHECK(read_back(adapter, {.max_header_bytes = 100}).error().reason == "bad_safetensors");
  CHECK(read_back(adapter, {.max_rank = 4}));
  CHECK(read_back(adapter, {.max_rank = 3}).error().reason == "rank_too_large");
}

TEST_CASE("a file that changes while it is open is noticed") {
  scratch_directory place;
  place.write("weights", std::string(100, 'x'));
  auto directory = adapter_directory::open(place.path());
  REQUIRE(directory);
  auto file = directory->file("weights");
  REQUIRE(file);
  CHECK(file->check_unchanged());
  std::string bytes(100, '\0');
  REQUIRE(file->read(0, std::as_writable_bytes(std::span(bytes))));
  CHECK(bytes == std::string(100, 'x'));
  REQUIRE(::truncate((place.path() + "/weights").c_str(), 50) == 0);
  CHECK(file->read(0, std::as_writable_bytes(std::span(bytes))).error().reason == "source_changed");
  CHECK(file->check_unchanged().error().reason == "source_changed");

  auto again = directory->file("weights");
  REQUIRE(again);
  timespec times[2] = {{1, 0}, {1, 0}};
  REQUIRE(::utimensat(AT_FDCWD, (place.path() + "/weights").c_str(), times, 0) == 0);
  CHECK(again->check_unchanged().error().reason == "source_changed");
}
