#include "adapters/adapter_roots.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include "tests/adapters/adapter_fixture.hpp"
#include "tests/catch.hpp"

using namespace lorica;
namespace fs = std::filesystem;

namespace {

constexpr const char* config = "adapter_config.json";
constexpr const char* weights = "adapter_model.safetensors";

void write_adapter(const fs::path& at, const fixture_adapter& adapter = good_adapter()) {
  fs::create_directories(at);
  std::ofstream(at / config, std::ios::binary) << adapter.config_text();
  std::ofstream(at / weights, std::ios::binary) << safetensors_image(adapter.tensors);
}

// root/sql and root/org/triage are adapters; so is outside/secret, beside the root.
struct world {
  explicit world(path_resolution how = path_resolution::kernel) : how(how) {
    write_adapter(root / "sql");
    write_adapter(root / "org" / "triage");
    write_adapter(outside);
  }

  adapter_roots open() const {
    auto out = adapter_roots::open({root.string()}, how);
    REQUIRE(out);
    return *std::move(out);
  }

  result<loaded_adapter> read(std::string_view path) const {
    auto place = open_place(open(), std::string(path));
    if (!place) return place.error();
    return read_adapter(*place, fixture_base(), {}, {});
  }

  error refusal(std::string_view path) const {
    auto out = read(path);
    INFO(path);
    REQUIRE_FALSE(out);
    // An absolute path that the caller wrote may come back to him.
    if (!path.starts_with('/')) CHECK(out.error().text.find(scratch.path()) == std::string::npos);
    return out.error();
  }

  scratch_directory scratch;
  path_resolution how;
  fs::path root = fs::path(scratch.path()) / "root";
  fs::path outside = fs::path(scratch.path()) / "outside" / "secret";
};

}  // namespace

TEST_CASE("an adapter beneath a root is read by its relative and by its absolute path") {
  for (auto how : {path_resolution::kernel, path_resolution::walk}) {
    world w(how);
    CHECK(w.read("sql"));
    CHECK(w.read("org/triage"));
    CHECK(w.read((w.root / "org" / "triage").string()));
    fs::create_directory_symlink(w.root, w.scratch.path() + "/link");
    auto linked = adapter_roots::open({w.scratch.path() + "/link//"}, how);
    REQUIRE(linked);
    CHECK(linked->open_directory("sql"));
    CHECK(linked->open_directory(w.scratch.path() + "/link/sql"));
    CHECK(linked->open_directory((w.root / "sql").string()));
    auto before = fs::current_path();
    fs::current_path(w.scratch.path());
    auto relative = adapter_roots::open({"root"}, how);
    fs::current_path(before);
    REQUIRE(relative);
    CHECK(relative->open_directory("sql"));
    CHECK(relative->open_directory(fs::canonical(w.root / "sql").string()));
    CHECK_FALSE(relative->open_directory("root/sql"));
  }
}

TEST_CASE("several roots are tried in order, and one of them can be meant") {
  world w;
  auto second = fs::path(w.scratch.path()) / "second";
  write_adapter(second / "sql", {});
  write_adapter(second / "only");
  auto roots = adapter_roots::open({w.root.string(), second.string()});
  REQUIRE(roots);
  CHECK(read_adapter(*open_place(*roots, "sql"), fixture_base(), {}, {}));
  CHECK(roots->open_directory("only"));
  CHECK(roots->open_directory((second / "sql").string()));
  CHECK(read_adapter(*open_place(*roots, rooted_path{0, "sql"}), fixture_base(), {}, {}));
  CHECK_FALSE(read_adapter(*open_place(*roots, rooted_path{1, "sql"}), fixture_base(), {}, {}));
  CHECK(roots->open_directory(rooted_path{0, "only"}).error().reason == "missing_file");
  CHECK(roots->open_directory(rooted_path{2, "sql"}).error().reason == "path_not_allowed");
  CHECK(roots->open_directory(rooted_path{1, "../root/sql"}).error().reason == "path_not_allowed");
  // A path that the first root forbids is not sought in the second.
  fs::create_symlink("/etc", w.root / "only");
  CHECK(roots->open_directory("only").error().reason == "path_not_allowed");
}

TEST_CASE("roots that cannot be used are refused by the words they were given with") {
  world w;
  w.scratch.write("file", "x");
  auto before = fs::current_path();
  fs::current_path(w.scratch.path());
  for (auto path : {"nowhere", "file", ""}) {
    auto roots = adapter_roots::open({"root", path});
    REQUIRE_FALSE(roots);
    CHECK(roots.error().code == errc::bad_config);
    CHECK_THAT(roots.error().text, Catch::Contains("'" + std::string(path) + "'"));
    CHECK(roots.error().text.find(w.scratch.path()) == std::string::npos);
  }
  CHECK(adapter_roots::open(std::vector<std::string>(64, "root")));
  CHECK_FALSE(adapter_roots::open(std::vector<std::string>(65, "root")));
  fs::current_path(before);
  CHECK(adapter_roots().empty());
  CHECK_FALSE(w.open().empty());
  auto none = adapter_roots().open_directory("sql");
  CHECK(none.error().reason == "path_not_allowed");
  CHECK_THAT(none.error().text, Catch::Contains("--adapter-root"));
}

TEST_CASE("no spelling of a path leaves the root") {
  const std::vector<std::string> ups = {"..",
                                        "../",
                                        "..//",
                                        ".././",
                                        "./..",
                                        "....//",
                                        "..;/",
                                        "..\\",
                                        "%2e%2e/",
                                        "%2e%2e%2f",
                                        "..%2f",
                                        "%252e%252e%252f",
                                        "..%c0%af",
                                        "..%5c",
                                        "\xe2\x80\xa5/",
                                        "\xef\xbc\x8e\xef\xbc\x8e/",
                                        "\xc0\xae\xc0\xae/",
                                        "..\xe2\x81\x84",
                                        "..\xe2\x88\x95",
                                        ".. /",
                                        " ../",
                                        "..\t/",
                                        "..\n/",
                                        "\xe2\x80\xae../",
                                        "~/",
                                        "$HOME/"};
  const std::vector<std::string> fronts = {"",        "./", "sql/", "org/triage/",
                                           "org/../", "/",  "//",   "sql/../../"};
  std::size_t tried = 0;
  for (auto how : {path_resolution::kernel, path_resolution::walk}) {
    world w(how);
    for (auto& front : fronts)
      for (auto& up : ups)
        for (const auto* target : {"outside/secret", "../outside/secret"}) {
          auto path = front + up + target;
          auto why = w.refusal(path);
          INFO(path);
          CHECK((why.reason == "path_not_allowed" || why.reason == "missing_file"));
          ++tried;
          auto inside = w.refusal(w.root.string() + "/" + path).reason;
          CHECK((inside == "path_not_allowed" || inside == "missing_file"));
        }
  }
  CHECK(tried > 800);
}

TEST_CASE("a path that is written in a forbidden way is refused before anything is looked up") {
  for (auto how : {path_resolution::kernel, path_resolution::walk}) {
    world w(how);
    const std::vector<std::string> forbidden = {"",
                                                "/",
                                                ".",
                                                "..",
                                                "sql/",
                                                "/sql",
                                                "./sql",
                                                "sql/.",
                                                "org//triage",
                                                "org/../sql",
                                                "sql/..",
                                                "/etc",
                                                "/proc/self/root",
                                                std::string("sql\0", 4),
                                                std::string("sql\0/x", 6),
                                                std::string(256, 'x'),
                                                std::string(256, 'x') + "/../sql",
                                                std::string(4096, 'x'),
                                                w.root.string() + "x/sql",
                                                w.root.string() + "xsql"};
    for (auto& path : forbidden) {
      auto directory = w.open().open_directory(path);
      INFO(path);
      REQUIRE_FALSE(directory);
      CHECK(directory.error().code == errc::bad_adapter);
      CHECK(directory.error().reason == "path_not_allowed");
    }
    auto exact = w.open().open_directory(w.root.string());
    CHECK(exact.error().reason == "path_not_allowed");
    CHECK(w.open().open_directory(w.root.string() + "/").error().reason == "path_not_allowed");
    std::string long_path = "x";
    while (long_path.size() < 4000)
      long_path += "/x";
    CHECK(w.refusal(long_path).reason == "missing_file");
    CHECK(w.refusal(std::string(255, 'x')).reason == "missing_file");
  }
}

TEST_CASE("what is missing is an unknown adapter, shown as the caller wrote it") {
  for (auto how : {path_resolution::kernel, path_resolution::walk}) {
    world w(how);
    auto why = w.refusal("org/none");
    CHECK(why.code == errc::unknown_adapter);
    CHECK(why.reason == "missing_file");
    CHECK(why.text == "No adapter found for org/none");
    CHECK(w.refusal("sql/adapter_config.json").reason == "missing_file");
    CHECK(w.refusal("sql/adapter_config.json/deeper").reason == "missing_file");
    CHECK(w.refusal("org").reason == "missing_file");
    CHECK(w.refusal("a\xff\n").text == "No adapter found for a??");
    std::ofstream(w.root / "weights.bin") << "x";
    CHECK(w.refusal("weights.bin").reason == "pickle_refused");
    CHECK(w.refusal("nowhere.bin").reason == "missing_file");
  }
}

TEST_CASE("links stay beneath the root or are refused") {
  world w;
  fs::create_directory_symlink(w.outside, w.root / "absolute");
  fs::create_directory_symlink(w.root / "sql", w.root / "absolute-inside");
  fs::create_directory_symlink("../outside/secret", w.root / "escaping");
  fs::create_directory_symlink("..", w.root / "up");
  fs::create_directory_symlink("org/../../root/sql", w.root / "out-and-in");
  fs::create_directory_symlink("/proc/self/root", w.root / "magic");
  for (auto path :
       {"absolute", "absolute-inside", "escaping", "up/outside/secret", "out-and-in", "magic/etc"}) {
    INFO(path);
    CHECK(w.refusal(path).code == errc::bad_adapter);
    CHECK(w.refusal(path).reason == "path_not_allowed");
  }
  fs::create_directory_symlink("loop", w.root / "loop");
  CHECK(w.refusal("loop").reason == "path_not_allowed");
  fs::create_directory_symlink("gone", w.root / "dangling");
  CHECK(w.refusal("dangling").reason == "missing_file");
  fs::create_directory_symlink("org/../sql", w.root / "good");
  fs::create_directory_symlink("../good", w.root / "org" / "again");
  CHECK(w.read("good"));
  CHECK(w.read("org/again"));
  auto process = adapter_roots::open({"/proc"});
  REQUIRE(process);
  for (auto path : {"self/root/etc", "self/cwd", "self/root", "thread-self/root"})
    CHECK(process->open_directory(path).error().reason == "path_not_allowed");
}

TEST_CASE("files of an adapter may be links beneath the root, as in the Hugging Face cache") {
  world w;
  auto blobs = w.root / "models--org--sql" / "blobs";
  auto snapshot = w.root / "models--org--sql" / "snapshots" / "0123";
  write_adapter(blobs);
  fs::create_directories(snapshot);
  for (auto name : {config, weights})
    fs::create_symlink(fs::path("../../blobs") / name, snapshot / name);
  CHECK(w.read("models--org--sql/snapshots/0123"));
  // Also when the directory is reached by a link.
  fs::create_directory_symlink("models--org--sql/snapshots/0123", w.root / "short");
  CHECK(w.read("short"));
  // The same tree with its root one step further in leads out.
  auto inner = adapter_roots::open({(w.root / "models--org--sql" / "snapshots").string()});
  auto directory = inner->open_directory("0123");
  REQUIRE(directory);
  CHECK(directory->file(weights).error().reason == "path_not_allowed");
}

TEST_CASE("files of an adapter that lead out of the root are refused") {
  for (auto name : {config, weights}) {
    world w;
    auto file = w.root / "sql" / name;
    for (auto target : {(w.outside / name).string(), (fs::path("../../outside/secret") / name).string(),
                        (w.root / "org" / "triage" / name).string(), std::string("/etc/passwd"),
                        std::string("/proc/self/root/etc/passwd")}) {
      fs::remove(file);
      fs::create_symlink(target, file);
      INFO(target);
      auto why = w.refusal("sql");
      CHECK(why.code == errc::bad_adapter);
      CHECK(why.reason == "path_not_allowed");
      CHECK_THAT(why.text, Catch::Contains(name));
    }
    fs::remove(file);
    fs::create_symlink(name, file);
    CHECK(w.refusal("sql").reason == "unreadable_file");
    fs::remove(file);
    fs::create_symlink(fs::path("../org/triage") / name, file);
    CHECK(w.read("sql"));
  }
}

TEST_CASE("without openat2 no link is followed and everything else is as before") {
  world w(path_resolution::walk);
  fs::create_directory_symlink("sql", w.root / "good");
  fs::create_directory_symlink("org", w.root / "part");
  fs::create_directory_symlink("../outside", w.root / "bad");
  for (auto path : {"good", "part/triage", "bad/secret"})
    CHECK(w.refusal(path).reason == "path_not_allowed");
  fs::remove(w.root / "sql" / weights);
  fs::create_symlink(fs::path("../org/triage") / weights, w.root / "sql" / weights);
  CHECK(w.refusal("sql").reason == "path_not_allowed");
}

TEST_CASE("what is opened beneath a root refuses to go up or to begin anew, whoever asks") {
  for (auto how : {path_resolution::kernel, path_resolution::walk}) {
    world w(how);
    auto root = root_directory::open(w.root.string(), how);
    REQUIRE(root);
    for (auto path : {"..", "../root/sql", "org/../sql", "org/..", "/etc", "", "org/", "org//triage"}) {
      INFO(path);
      CHECK((*root)->open_beneath(path, O_DIRECTORY) == -EXDEV);
    }
    int opened = (*root)->open_beneath("org/triage", O_DIRECTORY);
    CHECK(opened >= 0);
    ::close(opened);
    CHECK((*root)->open_beneath("sql/adapter_config.json", O_DIRECTORY) == -ENOTDIR);
    CHECK((*root)->open_beneath("sql/adapter_config.json/x", 0) == -ENOTDIR);
    CHECK((*root)->open_beneath("none/x", 0) == -ENOENT);
  }
}

TEST_CASE("pipes, sockets, devices and directories beneath a root are refused without waiting") {
  for (auto how : {path_resolution::kernel, path_resolution::walk})
    for (auto name : {config, weights}) {
      world w(how);
      auto file = w.root / "sql" / name;
      fs::remove(file);
      REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
      CHECK(w.refusal("sql").reason == "unreadable_file");
      fs::remove(file);
      fs::create_directory(file);
      CHECK(w.refusal("sql").reason == "unreadable_file");
      fs::remove(file);
      int end = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      REQUIRE(file.string().size() < sizeof address.sun_path);
      std::strcpy(address.sun_path, file.c_str());
      REQUIRE(::bind(end, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
      CHECK(w.refusal("sql").reason == "unreadable_file");
      ::close(end);
      fs::remove(file);
      CHECK(w.refusal("sql").reason == "missing_file");
      REQUIRE(::mkfifo((w.root / "pipe").c_str(), 0600) == 0);
      CHECK(w.refusal("pipe").reason == "missing_file");
    }
}

TEST_CASE("a directory that is open stays the one it was, whatever its name means later") {
  for (auto how : {path_resolution::kernel, path_resolution::walk}) {
    world w(how);
    auto directory = w.open().open_directory("sql");
    REQUIRE(directory);
    fs::rename(w.root / "sql", w.root / "was");
    fs::create_directory_symlink(w.outside, w.root / "sql");
    CHECK(read_adapter({*std::move(directory), {}}, fixture_base(), {}, {}));
  }
  // A file that is a link must be sought from the root: then the name counts again, and has to mean the same.
  world w;
  fs::rename(w.root / "sql" / weights, w.root / "blob");
  fs::create_symlink("../blob", w.root / "sql" / weights);
  auto directory = w.open().open_directory("sql");
  REQUIRE(directory);
  REQUIRE(directory->file(weights));
  fs::rename(w.root / "sql", w.root / "was");
  CHECK(directory->file(weights).error().reason == "missing_file");
  fs::create_directory_symlink(w.outside, w.root / "sql");
  CHECK(directory->file(weights).error().reason == "path_not_allowed");
  fs::remove(w.root / "sql");
  write_adapter(w.root / "sql");
  CHECK(directory->file(weights).error().reason == "source_changed");
}

TEST_CASE("a link that is swapped all the time never shows what lies outside") {
  world w;
  w.scratch.write("secret", "outside");
  auto place = w.root / "swapped";
  fs::create_directories(place);
  std::ofstream(w.root / "blob") << "inside!";
  fs::create_symlink("../blob", place / "file");
  fs::create_symlink(w.scratch.path() + "/secret", place / "absolute");
  fs::create_symlink("../../secret", place / "relative");
  auto roots = w.open();
  std::atomic<bool> done = false;
  std::thread swapper([&] {
    const auto file = (place / "file").string();
    for (unsigned i = 0; !done; ++i) {
      auto other = (place / (i % 2 ? "absolute" : "relative")).string();
      ::renameat2(AT_FDCWD, file.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE);
      ::renameat2(AT_FDCWD, file.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE);
    }
  });
  std::size_t read = 0;
  std::size_t refused = 0;
  std::size_t wrong = 0;
  for (int i = 0; i < 200'000 && (read < 1'000 || refused < 1'000); ++i) {
    auto directory = roots.open_directory("swapped");
    auto file = directory ? directory->file("file") : result<adapter_file>(directory.error());
    if (!file) {
      wrong += file.error().reason != "path_not_allowed" && file.error().reason != "source_changed";
      ++refused;
      continue;
    }
    std::string bytes(7, '\0');
    wrong += !file->read(0, std::as_writable_bytes(std::span(bytes))) || bytes != "inside!";
    ++read;
  }
  done = true;
  swapper.join();
  CHECK(read > 0);
  CHECK(refused > 0);
  CHECK(wrong == 0);
}
