#include "adapters/catalogue_store.hpp"

#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <set>

#include "tests/adapters/adapter_fixture.hpp"
#include "tests/catch.hpp"

using namespace lorica;
namespace fs = std::filesystem;

namespace {

std::array<std::uint8_t, 32> filled(std::uint8_t byte) {
  std::array<std::uint8_t, 32> out{};
  out.fill(byte);
  return out;
}

const auto base = filled(7);

catalogue_record record(std::string name, std::uint8_t content = 1) {
  catalogue_record out;
  out.name = std::move(name);
  out.source = "sql/v1";
  out.current = version_reference{{filled(content)}, "root:sql/v1", {4, 8, 64}, 123'456};
  out.created = 1'700'000'000;
  return out;
}

catalogue_change put(catalogue_record r) {
  auto name = r.name;
  return {std::move(name), std::move(r)};
}

void check_same(const catalogue_record& a, const catalogue_record& b) {
  CHECK(a.name == b.name);
  CHECK(a.alias_of == b.alias_of);
  CHECK(a.source == b.source);
  CHECK(a.revision == b.revision);
  CHECK(a.state == b.state);
  CHECK(a.pinned == b.pinned);
  CHECK(a.paused == b.paused);
  CHECK(a.defaults == b.defaults);
  CHECK(a.failure_reason == b.failure_reason);
  CHECK(a.failure_text == b.failure_text);
  CHECK(a.created == b.created);
  REQUIRE(a.current.has_value() == b.current.has_value());
  if (!a.current) return;
  CHECK(a.current->version == b.current->version);
  CHECK(a.current->source == b.current->source);
  CHECK(a.current->ranks == b.current->ranks);
  CHECK(a.current->bytes == b.current->bytes);
}

// A data directory that opens again and again.
struct place {
  scratch_directory scratch;
  std::string path = scratch.path() + "/data";
  std::string file = path + "/catalogue.sqlite3";

  result<catalogue_store> open(const std::array<std::uint8_t, 32>& digest = base) const {
    return catalogue_store::open(path, digest);
  }

  void write(const std::vector<catalogue_change>& changes) const {
    auto store = open();
    REQUIRE(store);
    REQUIRE(store->write(changes));
  }

  std::vector<catalogue_record> read(const std::array<std::uint8_t, 32>& digest = base) const {
    auto store = open(digest);
    REQUIRE(store);
    auto out = store->load();
    REQUIRE(out);
    return *out;
  }

  error refusal() const {
    auto store = open();
    auto why = fail(errc::internal, "nothing was refused");
    if (!store) why = store.error();
    if (store)
      if (auto rows = store->load(); !rows) why = rows.error();
    CHECK(why.text.find(scratch.path()) == std::string::npos);
    return why;
  }

  // Somebody else at the file.
  void tamper(const char* text) const {
    sqlite3* raw = nullptr;
    REQUIRE(sqlite3_open(file.c_str(), &raw) == SQLITE_OK);
    CHECK(sqlite3_exec(raw, text, nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(raw);
  }
};

std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Runs in a process of its own; true when `body` returned true there.
template <class Body>
bool in_child(Body body) {
  auto child = ::fork();
  if (child == 0) ::_exit(body() ? 0 : 1);
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

}  // namespace

TEST_CASE("every field of a record survives the process") {
  place p;
  auto full = record("org/sql", 9);
  full.source = std::string("a\0b\xff", 4);
  full.revision = "v1";
  full.pinned = true;
  full.defaults = R"({"temperature":0.5})";
  full.created = std::numeric_limits<std::int64_t>::min();
  full.current->bytes = std::numeric_limits<std::int64_t>::max();
  auto failed = record("failed");
  failed.state = adapter_state::failed;
  failed.current.reset();
  failed.failure_reason = "rank_too_large";
  failed.failure_text = "rank 512 is above the limit of 256";
  failed.paused = true;
  auto unloaded = record("unloaded");
  unloaded.state = adapter_state::unloaded;
  unloaded.current.reset();
  auto alias = record("zz");
  alias.alias_of = "org/sql";
  alias.current.reset();
  auto bare = record("bare");
  bare.current->ranks.clear();
  p.write({put(unloaded), put(alias), put(full), put(failed), put(bare)});
  auto rows = p.read();
  REQUIRE(rows.size() == 5);
  check_same(rows[0], bare);
  check_same(rows[1], failed);
  check_same(rows[2], full);
  check_same(rows[3], unloaded);
  check_same(rows[4], alias);
}

TEST_CASE("changes apply in order: later ones win, erased names are gone, unknown ones may be erased") {
  place p;
  p.write({put(record("a", 1)), put(record("b", 1)), put(record("a", 2))});
  auto twice = p.read();
  REQUIRE(twice.size() == 2);
  CHECK(twice[0].current->version.digest == filled(2));
  p.write({{"a", std::nullopt}, {"nobody", std::nullopt}, put(record("c")), {"c", std::nullopt}});
  auto rows = p.read();
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].name == "b");
  p.write({});
  CHECK(p.read().size() == 1);
}

TEST_CASE("a write that replaces a version by a failure leaves nothing of the version") {
  place p;
  p.write({put(record("a"))});
  auto failed = record("a");
  failed.state = adapter_state::failed;
  failed.current.reset();
  p.write({put(failed)});
  check_same(p.read().at(0), failed);
}

TEST_CASE("each base has rows of its own") {
  place p;
  p.write({put(record("a", 1)), put(record("b", 1))});
  {
    auto other = p.open(filled(8));
    REQUIRE(other);
    CHECK(other->load()->empty());
    REQUIRE(other->write(std::vector{put(record("a", 5)), catalogue_change{"b", std::nullopt}}));
  }
  auto rows = p.read();
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].current->version.digest == filled(1));
  CHECK(p.read(filled(8)).at(0).current->version.digest == filled(5));
}

TEST_CASE("a list of changes whose last one is invalid changes nothing, and names the field") {
  auto name = record("../etc");
  auto alias = record("x");
  alias.alias_of = "no good";
  auto self = record("x");
  self.alias_of = "x";
  auto state = record("x");
  state.state = adapter_state::loading;
  auto missing = record("x");
  missing.current.reset();
  auto ranks = record("x");
  ranks.current->ranks = {8, 8};
  auto zero = record("x");
  zero.current->ranks = {0};
  auto bytes = record("x");
  bytes.current->bytes = std::uint64_t{1} << 63;
  auto defaults = record("x");
  defaults.defaults = "[1]";
  auto text = record("x");
  text.failure_text.assign(65537, 'x');
  auto from = record("x");
  from.current->source.assign(65537, 'x');
  const std::vector<std::pair<catalogue_record, const char*>> cases = {{name, "name"},
                                                                       {alias, "no good"},
                                                                       {self, "alias_of"},
                                                                       {state, "state"},
                                                                       {missing, "state"},
                                                                       {ranks, "ranks"},
                                                                       {zero, "ranks"},
                                                                       {bytes, "bytes"},
                                                                       {defaults, "defaults"},
                                                                       {text, "failure_text"},
                                                                       {from, "source of the version"}};
  place p;
  p.write({put(record("a", 1)), put(record("b", 1))});
  for (auto& [bad, field] : cases) {
    INFO(field);
    auto store = p.open();
    REQUIRE(store);
    auto wrote =
        store->write(std::vector{put(record("a", 2)), catalogue_change{"b", std::nullopt}, put(bad)});
    REQUIRE_FALSE(wrote);
    CHECK(wrote.error().code == errc::invalid);
    CHECK_THAT(wrote.error().text, Catch::Contains(field));
    auto rows = store->load();
    REQUIRE(rows);
    REQUIRE(rows->size() == 2);
    check_same(rows->at(0), record("a", 1));
    CHECK(store->write(std::vector{put(record("a", 1))}));
  }
  auto store = p.open();
  CHECK_FALSE(store->write(std::vector{catalogue_change{"one", record("other")}}));
  auto largest = record("x");
  largest.failure_text.assign(65536, 'x');
  CHECK(store->write(std::vector{put(largest)}));
}

TEST_CASE("the catalogue is private to its user and kept in WAL mode") {
  place p;
  ::umask(0);
  p.write({put(record("a"))});
  ::umask(022);
  auto store = p.open();
  REQUIRE(store->write(std::vector{put(record("b"))}));
  CHECK(fs::exists(p.file + "-wal"));
  for (auto name :
       {"/catalogue.sqlite3", "/catalogue.sqlite3-wal", "/catalogue.sqlite3-shm", "/catalogue.lock"})
    CHECK(fs::status(p.path + name).permissions() == fs::perms(0600));
  CHECK(fs::status(p.path).permissions() == fs::perms(0700));
}

TEST_CASE("a second opener is refused until the first has gone, in this process or another") {
  place p;
  auto first = p.open();
  REQUIRE(first);
  auto second = p.open(filled(8));
  REQUIRE_FALSE(second);
  CHECK(second.error().code == errc::bad_config);
  CHECK_THAT(second.error().text, Catch::Contains("in use by another process"));
  CHECK(in_child([&] { return !p.open(); }));
  CHECK(first->write(std::vector{put(record("a"))}));
  auto moved = *std::move(first);
  CHECK_FALSE(p.open());
  CHECK(moved.load()->size() == 1);
  { auto gone = std::move(moved); }
  CHECK(p.read().size() == 1);
}

TEST_CASE("a newer, an older or a foreign catalogue is refused and left as it is") {
  place p;
  p.write({put(record("a"))});
  p.tamper("PRAGMA user_version = 4");
  auto newer = p.refusal();
  CHECK(newer.code == errc::bad_config);
  CHECK_THAT(newer.text, Catch::Contains("format 4") && Catch::Contains("reads format 3"));
  for (const auto* format : {"1", "2"}) {
    p.tamper((std::string("PRAGMA user_version = ") + format).c_str());
    auto older = p.refusal();
    CHECK(older.code == errc::bad_config);
    CHECK_THAT(older.text, Catch::Contains(std::string("format ") + format) &&
                               Catch::Contains("load the adapters again"));
  }
  p.tamper("PRAGMA user_version = 3");
  CHECK(p.read().size() == 1);

  place foreign;
  fs::create_directory(foreign.path);
  foreign.tamper("CREATE TABLE songs(title); INSERT INTO songs VALUES('x')");
  auto why = foreign.refusal();
  CHECK(why.code == errc::bad_config);
  CHECK_THAT(why.text, Catch::Contains("not from Lorica"));
}

TEST_CASE("a row that was changed behind the store's back is damage") {
  for (auto change : {"UPDATE adapter SET source = 'other'",
                      "UPDATE adapter SET name = '../etc'",
                      "UPDATE adapter SET name = 'b'",
                      "UPDATE adapter SET state = 'happy'",
                      "UPDATE adapter SET state = 'failed'",
                      "UPDATE adapter SET version = x'00'",
                      "UPDATE adapter SET version = zeroblob(32)",
                      "UPDATE adapter SET version = NULL",
                      "UPDATE adapter SET ranks = '8,4'",
                      "UPDATE adapter SET ranks = '4,8,'",
                      "UPDATE adapter SET ranks = '04,8,64'",
                      "UPDATE adapter SET ranks = '4,8'",
                      "UPDATE adapter SET bytes = -1",
                      "UPDATE adapter SET bytes = 'many'",
                      "UPDATE adapter SET pinned = 1",
                      "UPDATE adapter SET paused = 1",
                      "UPDATE adapter SET read_from = '/etc'",
                      "UPDATE adapter SET defaults = '{}'",
                      "UPDATE adapter SET created = 1",
                      "UPDATE adapter SET seal = x''",
                      "UPDATE adapter SET seal = zeroblob(32)",
                      "UPDATE adapter SET failure_text = 'x'",
                      "UPDATE adapter SET revision = 'x'",
                      "UPDATE adapter SET alias_of = 'x'",
                      "DROP TABLE adapter",
                      "ALTER TABLE adapter DROP COLUMN source"}) {
    INFO(change);
    place p;
    p.write({put(record("a"))});
    p.tamper(change);
    auto why = p.refusal();
    CHECK(why.code == errc::bad_config);
    CHECK_THAT(why.text, Catch::Contains("damaged") && Catch::Contains("move it"));
  }
}

TEST_CASE("damaged bytes are refused or change nothing; a record is never another one") {
  place p;
  std::vector<catalogue_change> changes;
  for (int i = 0; i < 60; ++i)
    changes.push_back(put(record("adapter-" + std::to_string(i), static_cast<std::uint8_t>(i))));
  p.write(changes);
  const auto sound = bytes_of(p.file);
  REQUIRE(sound.size() > 8192);
  std::mt19937 random(1);
  std::size_t refused = 0;
  const auto try_bytes = [&](const std::string& bytes) {
    place broken;
    fs::create_directory(broken.path);
    std::ofstream(broken.file, std::ios::binary) << bytes;
    auto store = broken.open();
    auto rows = store ? store->load() : result<std::vector<catalogue_record>>(store.error());
    if (!rows) {
      CHECK((rows.error().code == errc::bad_config || rows.error().code == errc::io));
      CHECK(rows.error().text.find(broken.scratch.path()) == std::string::npos);
      ++refused;
      return;
    }
    for (auto& row : *rows) {
      auto number = static_cast<std::size_t>(std::stoi(row.name.substr(8)));
      check_same(row, *changes.at(number).record);
    }
  };
  for (int round = 0; round < 300; ++round) {
    auto bytes = sound;
    // Every other one in the first page, where the structure is.
    auto at = random() % (round % 2 ? bytes.size() : 1024);
    bytes[at] = static_cast<char>(bytes[at] ^ static_cast<char>(1 + random() % 255));
    try_bytes(bytes);
  }
  CHECK(refused > 50);
  for (std::size_t keep : {std::size_t{1}, std::size_t{100}, std::size_t{4096}, sound.size() - 4096}) {
    auto before = refused;
    try_bytes(sound.substr(0, keep));
    CHECK(refused == before + 1);
  }
  auto before = refused;
  try_bytes(std::string(8192, 'x'));
  CHECK(refused == before + 1);
}

TEST_CASE("a directory that cannot be used says so without its path") {
  place p;
  p.scratch.write("file", "x");
  for (auto& path : {p.scratch.path() + "/no/where", p.scratch.path() + "/file", std::string(),
                     std::string("/proc"), std::string("a\0b", 3)}) {
    INFO(path);
    auto store = catalogue_store::open(path, base);
    REQUIRE_FALSE(store);
    CHECK(store.error().code == errc::bad_config);
    CHECK_THAT(store.error().text, Catch::Contains("data directory") && !Catch::Contains("/"));
  }
  for (auto name : {"/catalogue.sqlite3", "/catalogue.lock"}) {
    place taken;
    fs::create_directories(taken.path + name);
    CHECK_THAT(taken.refusal().text, Catch::Contains("something else"));
    fs::remove(taken.path + name);
    REQUIRE(::mkfifo((taken.path + name).c_str(), 0600) == 0);
    CHECK_THAT(taken.refusal().text, Catch::Contains("something else"));
    fs::remove(taken.path + name);
    taken.scratch.write("elsewhere", "");
    fs::create_symlink(taken.scratch.path() + "/elsewhere", taken.path + name);
    CHECK_THAT(taken.refusal().text, Catch::Contains("a link"));
  }
}

TEST_CASE("a directory that another user may only read is refused") {
  place p;
  p.write({put(record("a"))});
  fs::permissions(p.scratch.path(), fs::perms(0755));
  fs::permissions(p.path, fs::perms(0555));
  bool refused = in_child([&] {
    constexpr uid_t nobody = 65534;
    if (::geteuid() == 0 && ::setuid(nobody) != 0) return false;
    auto store = p.open();
    return !store && store.error().code == errc::bad_config &&
           store.error().text.find("may not be written") != std::string::npos;
  });
  fs::permissions(p.path, fs::perms(0755));
  // Whoever owns the file may still open it; then only the missing journal tells.
  CHECK(refused);
}

TEST_CASE("a disk that fills up fails the write, keeps what was there and serves on when there is room") {
  place p;
  p.write({put(record("a"))});
  bool as_told = in_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    auto store = p.open();
    if (!store) return false;
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    auto small = limit;
    small.rlim_cur = 200'000;
    ::setrlimit(RLIMIT_FSIZE, &small);
    auto many = record("big");
    many.failure_text.assign(60'000, 'x');
    result<void> wrote;
    int written = 0;
    for (; wrote && written < 100; ++written) {
      many.name = "big-" + std::to_string(written);
      wrote = store->write(std::vector{put(many)});
    }
    ::setrlimit(RLIMIT_FSIZE, &limit);
    if (wrote || wrote.error().code != errc::io) return false;
    if (wrote.error().text.find("full") == std::string::npos) return false;
    auto rows = store->load();
    if (!rows || rows->size() != static_cast<std::size_t>(written)) return false;
    return store->write(std::vector{put(record("z"))}).has_value();
  });
  CHECK(as_told);
  auto rows = p.read();
  REQUIRE(rows.size() >= 2);
  CHECK(rows.front().name == "a");
  CHECK(rows.back().name == "z");
}

TEST_CASE("the number of records is bounded, and the refusal keeps the others") {
  place p;
  auto store = p.open();
  std::vector<catalogue_change> changes;
  changes.reserve(catalogue_store::most_records + 1);
  for (std::size_t i = 0; i < catalogue_store::most_records; ++i) {
    auto r = record("n" + std::to_string(i));
    r.current->ranks = {8};
    changes.push_back(put(std::move(r)));
  }
  REQUIRE(store->write(changes));
  auto full = store->write(std::vector{put(record("one-more"))});
  REQUIRE_FALSE(full);
  CHECK(full.error().code == errc::out_of_memory);
  CHECK(store->write(std::vector{put(record("one-more")), catalogue_change{"n0", std::nullopt}}));
  CHECK(store->load()->size() == catalogue_store::most_records);
}

TEST_CASE("a process that is killed at any moment keeps exactly what was acknowledged") {
  std::mt19937 random(3);
  place p;
  std::set<std::string> expected;
  std::size_t acknowledged = 0;
  for (int round = 0; round < 30; ++round) {
    int ends[2] = {};
    REQUIRE(::pipe(ends) == 0);
    auto child = ::fork();
    if (child == 0) {
      auto store = p.open();
      for (unsigned i = 0; store && i < 10'000; ++i) {
        auto name = "r" + std::to_string(round) + "-" + std::to_string(i);
        // Two rows at once: half a transaction would show.
        if (!store->write(std::vector{put(record(name)), put(record("twin/" + name))})) ::_exit(2);
        if (::write(ends[1], &i, sizeof i) != sizeof i) ::_exit(3);
      }
      ::_exit(4);
    }
    ::close(ends[1]);
    unsigned last = 0;
    bool any = false;
    for (auto wanted = random() % 40; wanted > 0 && ::read(ends[0], &last, sizeof last) == sizeof last;
         --wanted)
      any = true;
    // Somewhere in the next write.
    for (volatile std::uint_fast32_t spin = random() % 300'000; spin > 0;)
      spin = spin - 1;
    ::kill(child, SIGKILL);
    while (::read(ends[0], &last, sizeof last) == sizeof last)
      any = true;
    ::close(ends[0]);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));

    const auto prefix = "r" + std::to_string(round) + "-";
    const unsigned count = any ? last + 1 : 0;
    acknowledged += count;
    for (unsigned i = 0; i < count; ++i) {
      expected.insert(prefix + std::to_string(i));
      expected.insert("twin/" + prefix + std::to_string(i));
    }
    std::set<std::string> found;
    for (auto& row : p.read())
      found.insert(row.name);
    const auto in_flight = prefix + std::to_string(count);
    if (found.size() != expected.size()) {
      expected.insert(in_flight);
      expected.insert("twin/" + in_flight);
    }
    CHECK(found == expected);
  }
  CHECK(acknowledged > 100);
}
