#include "cpu/packed_cache.hpp"

#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <set>
#include <thread>

#include "tests/cpu/golden_model.hpp"
#include "tests/cpu/packed_model.hpp"
#include "tests/files/scratch_directory.hpp"

using namespace lorica;
using namespace lorica::testing;
namespace fs = std::filesystem;

namespace {

/// A cache in a scratch directory, with a model to keep.
struct cache_test {
  scratch_directory scratch;
  fs::path place = scratch.path() / "lorica" / "packed";
  packed_cache cache{place.string()};
  std::shared_ptr<const model_weights> model = golden_weights("llama-tied-gqa");
  thread_team team{2};
  std::unique_ptr<const packed_weights> packed = pack(*model, cpu_dtype::bfloat16, team);
  packed_key key = key_of(*model, cpu_dtype::bfloat16);

  fs::path file_of(const packed_key& k) const { return place / packed_file_name(k); }

  /// A key like `key` of another instruction set and model.
  packed_key other_key(std::uint8_t number) const {
    auto out = key;
    out.weights[0] = number;
    return out;
  }

  void keep(const packed_key& k) const {
    if (auto ok = cache.keep(k, packed->contents(), {}); !ok) FAIL(ok.error().text);
  }

  /// "read", "nothing", or why not.
  std::string load(const packed_key& k) {
    auto out = cache.load(*model, k, team);
    if (!out) return out.error().text;
    if (!*out) return "nothing";
    return same_packed(**out, *packed) ? "read" : "other weights";
  }

  std::set<std::string> names() const {
    std::set<std::string> out;
    for (auto& entry : fs::directory_iterator(place))
      out.insert(entry.path().filename().string());
    return out;
  }

  /// Used `minutes` ago.
  void used(const packed_key& k, int minutes) const {
    fs::last_write_time(file_of(k), fs::file_time_type::clock::now() - std::chrono::minutes(minutes));
  }
};

::mode_t mode_of(const fs::path& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

/// Files of this process may have so many bytes, for the life of the object.
class file_size_limit {
 public:
  explicit file_size_limit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit now{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &now);
    sigset_t signal;
    sigemptyset(&signal);
    sigaddset(&signal, SIGXFSZ);
    ::pthread_sigmask(SIG_BLOCK, &signal, &mask_);
  }
  ~file_size_limit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    const timespec at_once{};
    sigset_t signal;
    sigemptyset(&signal);
    sigaddset(&signal, SIGXFSZ);
    ::sigtimedwait(&signal, nullptr, &at_once);
    ::pthread_sigmask(SIG_SETMASK, &mask_, nullptr);
  }
  file_size_limit(const file_size_limit&) = delete;
  file_size_limit& operator=(const file_size_limit&) = delete;

 private:
  rlimit before_{};
  sigset_t mask_{};
};

}  // namespace

TEST_CASE("weights from the cache are those that were packed, bit for bit, in every mode") {
  for (auto name :
       {"llama-tied-gqa", "llama-untied-bias-f16", "qwen2-bf16", "qwen3", "gemma2", "phi3",
        "gemma-gguf-q8_0/model.gguf", "llama-gguf-q4_1/model.gguf", "qwen2-gguf-q5_1/model.gguf"}) {
    const auto model = golden_weights(name);
    for (auto mode : modes()) {
      INFO(name << " in " << to_string(mode));
      scratch_directory scratch;
      const packed_cache cache(scratch.path().string());
      const auto key = key_of(*model, mode);
      thread_team team(2);
      const auto packed = pack(*model, mode, team);
      REQUIRE(cache.keep(key, packed->contents(), {}));
      auto read = cache.load(*model, key, team);
      REQUIRE(read);
      REQUIRE(*read);
      CHECK(same_packed(**read, *packed));
      std::vector<float> mine(packed->head().depth), theirs(packed->head().depth);
      packed->head().read_output(1, mine);
      (*read)->head().read_output(1, theirs);
      CHECK(mine == theirs);
    }
  }
}

TEST_CASE("weights of several parts come back whole, by any number of threads") {
  scratch_directory scratch;
  const packed_cache cache(scratch.path().string());
  const auto model = several_parts();
  const auto key = key_of(*model, cpu_dtype::float32);
  thread_team two(2);
  const auto packed = pack(*model, cpu_dtype::float32, two);
  REQUIRE(packed->contents().size() > std::size_t{9} << 20);
  REQUIRE(cache.keep(key, packed->contents(), {}));
  for (unsigned members : {1u, 2u, 3u, 5u}) {
    thread_team team(members);
    auto read = cache.load(*model, key, team);
    REQUIRE(read);
    REQUIRE(*read);
    CHECK(same_packed(**read, *packed));
  }
}

TEST_CASE("the cache is for its user alone, whatever the mask") {
  const auto before = ::umask(0);
  cache_test t;
  CHECK(t.load(t.key) == "nothing");
  CHECK_FALSE(fs::exists(t.place));
  t.keep(t.key);
  ::umask(before);
  CHECK(mode_of(t.place) == 0700);
  CHECK(mode_of(t.place.parent_path()) == 0700);
  CHECK(mode_of(t.file_of(t.key)) == 0600);
  CHECK(t.names() == std::set{packed_file_name(t.key)});
  CHECK(t.load(t.key) == "read");
}

TEST_CASE("what lies under a key's name but is not its file is refused, and replaced by the next") {
  cache_test t;
  const auto other = t.other_key(77);
  t.keep(other);
  t.keep(t.key);
  const auto path = t.file_of(t.key);
  auto refused = [&](const std::string& why) {
    CHECK_THAT(t.load(t.key), Catch::Contains(why));
    t.keep(t.key);
    CHECK(t.load(t.key) == "read");
    CHECK(fs::is_regular_file(fs::symlink_status(path)));
    CHECK(t.load(other) == "read");
  };
  fs::resize_file(path, fs::file_size(path) - 1);
  refused("cut short");
  fs::copy_file(t.file_of(other), path, fs::copy_options::overwrite_existing);
  refused("another model");
  fs::remove(path);
  fs::create_symlink(t.file_of(other), path);
  refused("is a link");
  fs::remove(path);
  fs::create_symlink(t.place / "nowhere", path);
  refused("is a link");
  fs::remove(path);
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  refused("not a regular file");
  fs::permissions(path, fs::perms::group_write, fs::perm_options::add);
  refused("written by others");
}

TEST_CASE("the directory holds so many files; those used longest ago go first, and others' stay") {
  cache_test t;
  t.cache = packed_cache(t.place.string(), {.files = 3});
  for (std::uint8_t i = 0; i < 3; ++i) {
    t.keep(t.other_key(i));
    t.used(t.other_key(i), 10 - i);
  }
  t.scratch.write("lorica/packed/notes.txt", "mine");
  t.scratch.write("lorica/packed/" + packed_file_name(t.key) + ".bak", "mine");
  fs::create_symlink(t.place / "notes.txt", t.file_of(t.other_key(50)));
  CHECK(t.load(t.other_key(0)) == "read");  // the oldest is the last used now
  t.keep(t.other_key(3));
  CHECK(t.load(t.other_key(1)) == "nothing");
  CHECK(t.load(t.other_key(0)) == "read");
  CHECK(t.load(t.other_key(2)) == "read");
  CHECK(t.load(t.other_key(3)) == "read");
  t.keep(t.other_key(3));  // takes its own place, nobody else's
  CHECK(t.names().size() == 6);
  CHECK(t.names().contains("notes.txt"));
  CHECK(fs::is_symlink(t.file_of(t.other_key(50))));
}

TEST_CASE("the directory holds so many bytes") {
  cache_test t;
  const auto each = packed_header_bytes + t.packed->contents().size();
  t.cache = packed_cache(t.place.string(), {.files = 100, .bytes = 2 * each});
  for (std::uint8_t i = 0; i < 3; ++i) {
    t.keep(t.other_key(i));
    t.used(t.other_key(i), 10 - i);
  }
  CHECK(t.names().size() == 2);
  CHECK(t.load(t.other_key(0)) == "nothing");
  t.cache = packed_cache(t.place.string(), {.files = 100, .bytes = each - 1});
  auto refused = t.cache.keep(t.other_key(4), t.packed->contents(), {});
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().text, Catch::Contains("more bytes"));
  CHECK(t.names().size() == 2);
}

TEST_CASE("what a process left that died is removed, what one writes is not") {
  cache_test t;
  t.keep(t.key);
  const auto name = packed_file_name(t.key);
  t.scratch.write("lorica/packed/" + name + ".tmp-1", "left");
  const auto written = t.scratch.write("lorica/packed/" + name + ".tmp-2", "being written");
  const int writer = ::open(written.c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(::flock(writer, LOCK_EX) == 0);
  t.keep(t.other_key(1));
  CHECK(t.names() == std::set{name, packed_file_name(t.other_key(1)), name + ".tmp-2"});
  ::close(writer);
  t.keep(t.other_key(1));
  CHECK(t.names() == std::set{name, packed_file_name(t.other_key(1))});
}

TEST_CASE("where weights cannot be kept the reason is told and nothing is left") {
  cache_test t;
  auto refused = [&](const std::string& why) {
    auto ok = t.cache.keep(t.key, t.packed->contents(), {});
    REQUIRE_FALSE(ok);
    CHECK(ok.error().code == errc::io);
    CHECK_THAT(ok.error().text, Catch::Contains(why));
  };
  const auto file = t.scratch.write("file", "in the way");
  t.cache = packed_cache(file + "/packed");
  refused("not a directory");
  CHECK(t.load(t.key) == "nothing");
  t.cache = packed_cache("/proc/lorica/packed");  // where nobody makes directories
  refused("it is gone");
  t.cache = packed_cache(t.place.string());
  fs::create_directories(t.file_of(t.key) / "full");
  fs::permissions(t.place, fs::perms::owner_all);
  refused("a directory is in the way");
  CHECK(t.names() == std::set{packed_file_name(t.key)});
  CHECK_THAT(t.load(t.key), Catch::Contains("not a regular file"));
  fs::remove_all(t.file_of(t.key));
  {
    const file_size_limit small(packed_header_bytes + 10);
    refused("larger than is allowed");
  }
  CHECK(t.names().empty());
  fs::permissions(t.place, fs::perms::all);
  refused("others may write");
  CHECK_THAT(t.load(t.key), Catch::Contains("others may write"));
  CHECK(t.names().empty());
}

TEST_CASE("a directory that may not be written still gives what it has") {
  if (::geteuid() == 0) {
    WARN("skipped: root may write everywhere");
    return;
  }
  cache_test t;
  t.keep(t.key);
  fs::permissions(t.place, fs::perms::owner_read | fs::perms::owner_exec);
  CHECK_FALSE(t.cache.keep(t.other_key(1), t.packed->contents(), {}));
  CHECK(t.load(t.key) == "read");
  fs::permissions(t.place, fs::perms::owner_all);
}

TEST_CASE("a stop ends the writing and leaves nothing") {
  cache_test t;
  std::stop_source stop;
  stop.request_stop();
  auto ended = t.cache.keep(t.key, t.packed->contents(), stop.get_token());
  REQUIRE_FALSE(ended);
  CHECK(ended.error().code == errc::cancelled);
  CHECK(t.names().empty());
}

TEST_CASE("deleting the cache while it is used hurts nobody") {
  cache_test t;
  t.keep(t.key);
  auto read = t.cache.load(*t.model, t.key, t.team);
  REQUIRE(read);
  fs::remove_all(t.scratch.path() / "lorica");
  CHECK(same_packed(**read, *t.packed));
  CHECK(t.load(t.key) == "nothing");
  t.keep(t.key);
  CHECK(t.load(t.key) == "read");
}

TEST_CASE("servers that read, write and delete at once find whole files or none") {
  cache_test t;
  t.cache = packed_cache(t.place.string(), {.files = 2});
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> servers;
    for (std::uint8_t server = 0; server < 4; ++server)
      servers.emplace_back([&, server] {
        thread_team own(1);
        for (int round = 0; round < 25; ++round) {
          const auto key = t.other_key(static_cast<std::uint8_t>((server + round) % 3));
          auto read = t.cache.load(*t.model, key, own);
          if (!read || (*read && !same_packed(**read, *t.packed))) ++wrong;
          // Another one may have removed the directory's oldest, never what this one writes.
          if (!t.cache.keep(key, t.packed->contents(), {})) ++wrong;
        }
      });
  }
  CHECK(wrong == 0);
  for (auto& name : t.names())
    CHECK(is_packed_file_name(name));
}
