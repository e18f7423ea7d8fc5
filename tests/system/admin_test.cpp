// Every command of the real lorica-admin against the real server.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include "core/json.hpp"
#include "tests/catch.hpp"
#include "tests/files/scratch_directory.hpp"
#include "tests/system/http_client.hpp"
#include "tests/system/server_process.hpp"

using namespace lorica;
using namespace lorica::testing;
namespace fs = std::filesystem;

namespace {

const std::string tiny_model = LORICA_TEST_DATA "/golden/models/llama-tied-gqa";
const std::string adapters_of_model = LORICA_TEST_DATA "/golden/adapters/llama-tied-gqa";

std::vector<std::string> serving(std::vector<std::string> more = {}) {
  std::vector<std::string> out{"--model-id",          tiny_model, "--dtype",        "float32",
                               "--threads",           "1",        "--adapter-root", adapters_of_model,
                               "--served-model-name", "tiny"};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

/// Two adapters of the tiny model, by their directories.
std::vector<std::string> sources() {
  std::vector<std::string> out;
  for (auto& entry : fs::directory_iterator(adapters_of_model))
    if (fs::exists(entry.path() / "adapter_config.json")) out.push_back(entry.path().filename().string());
  std::sort(out.begin(), out.end());
  REQUIRE(out.size() > 1);
  return out;
}

/// Variables that would change what the tests see are empty unless given.
process_end admin(const server_process& server, std::vector<std::string> arguments,
                  environment variables = {}) {
  variables.insert({{"LORICA_API_KEY", ""}, {"ADMIN_API_KEY", ""}, {"API_KEY", ""}});
  variables["LORICA_URL"] = "http://127.0.0.1:" + std::to_string(server.port());
  return run_admin(arguments, variables);
}

/// Runs with --json and gives the one document; the exit code must be `code`.
value json_of(const server_process& server, std::vector<std::string> arguments, int code = 0) {
  arguments.push_back("--json");
  auto end = admin(server, arguments);
  INFO(end.err);
  CHECK(end.exit_code == code);
  REQUIRE(std::count(end.out.begin(), end.out.end(), '\n') == 1);
  auto out = parse_json(end.out);
  REQUIRE(out);
  return *out;
}

std::string text(const value& v, std::string_view name) {
  auto found = v.find(name);
  return found && found->as_string() ? *found->as_string() : "";
}

}  // namespace

TEST_CASE("lorica-admin loads, shows, changes and unloads adapters of a running server") {
  server_process server(serving());
  auto source = sources()[0], other = sources()[1];
  CHECK(admin(server, {"list"}).out == "No adapters.\n");
  CHECK(json_of(server, {"list"}).find("data")->as_array()->empty());

  auto loaded = admin(server, {"load", "org/sql", source, "--expected-version", ""});
  CHECK(loaded.exit_code == 0);
  CHECK_THAT(loaded.out, Catch::StartsWith("org/sql is "));
  auto again = admin(server, {"load", "org/sql", source, "--expected-version", ""});
  CHECK(again.exit_code == 1);
  CHECK_THAT(again.err, Catch::Contains("version_mismatch"));
  auto same = json_of(server, {"load", "org/sql", source, "--pin"});
  CHECK(text(same, "state") == "done");
  CHECK_FALSE(*same.find("changed")->as_bool());
  auto version = text(same, "version");
  CHECK(version.size() == 64);
  CHECK(admin(server, {"load", "org/sql", source, "--defaults", R"({"temperature":0})"}).exit_code == 0);
  CHECK_THAT(admin(server, {"show", "org/sql"}).out, Catch::Contains(R"({"temperature":0})"));
  auto bad = admin(server, {"load", "org/sql", source, "--defaults", R"({"temperature":-1})"});
  CHECK(bad.exit_code != 0);
  CHECK_THAT(bad.err, Catch::Contains("defaults.temperature"));
  CHECK_THAT(admin(server, {"load", "org/sql", source, "--defaults", "[]"}).err,
             Catch::Contains("--defaults"));

  CHECK_THAT(admin(server, {"load", "new", other, "--dry-run"}).out,
             Catch::Contains("would change") && Catch::Contains("MODULE"));
  CHECK(*json_of(server, {"load", "new", other, "--dry-run"}).find("fits")->as_bool());
  CHECK(admin(server, {"show", "new"}).exit_code == 4);

  auto list = admin(server, {"list", "--sort", "bytes", "--state", "ready"});
  CHECK_THAT(list.out, Catch::Contains("org/sql  " + version.substr(0, 12)) && Catch::Contains("pinned"));
  CHECK(admin(server, {"list", "--names"}).out == "org/sql\n");
  auto card = admin(server, {"show", "org/sql"});
  CHECK_THAT(card.out, Catch::Contains(version) && Catch::Contains("MODULE") && Catch::Contains(source));
  CHECK_THAT(admin(server, {"show", "org/sql", "--modules"}).out, Catch::Contains("model.layers.0."));
  CHECK(text(json_of(server, {"show", "org/sql"}), "version") == version);

  CHECK_THAT(admin(server, {"evict", "org/sql"}).err, Catch::Contains("memory_in_use"));
  CHECK(admin(server, {"evict", "org/sql"}).exit_code == 1);
  CHECK_FALSE(*json_of(server, {"unpin", "org/sql"}).find("pinned")->as_bool());
  CHECK(text(json_of(server, {"evict", "org/sql"}), "tier") == "disk");
  CHECK(admin(server, {"prefetch", "org/sql"}).exit_code == 0);
  CHECK(eventually([&] { return text(json_of(server, {"show", "org/sql"}), "tier") == "device"; }));
  CHECK_THAT(admin(server, {"pause", "org/sql"}).out, Catch::Contains("paused"));
  CHECK_FALSE(*json_of(server, {"resume", "org/sql"}).find("paused")->as_bool());
  CHECK_THAT(admin(server, {"pin", "org/sql"}).out, Catch::Contains("pinned"));
  CHECK(text(json_of(server, {"alias", "word", "org/sql"}), "alias_of") == "org/sql");

  auto job = text(json_of(server, {"load", "second", other, "--no-wait"}), "id");
  REQUIRE_FALSE(job.empty());
  CHECK(eventually([&] { return text(json_of(server, {"jobs", job}), "state") == "done"; }));
  CHECK_THAT(admin(server, {"jobs"}).out, Catch::Contains(job) && Catch::Contains("done"));
  CHECK(json_of(server, {"jobs"}).find("data")->as_array()->size() > 1);
  CHECK(admin(server, {"jobs", "--cancel", job}).exit_code == 0);  // it has ended: nothing is left to cancel
  CHECK(admin(server, {"jobs", "nothing"}).exit_code == 4);

  CHECK_THAT(admin(server, {"unload", "second"}).out, Catch::Contains("second is unloaded"));
  CHECK_THAT(admin(server, {"unload", "second"}).out, Catch::Contains("was unloaded before"));
  CHECK(admin(server, {"unload", "never"}).exit_code == 4);
  auto gone = json_of(server, {"unload", "org/sql", "--mode", "deadline", "--deadline", "1"});
  CHECK(text(gone, "state") == "done");
  CHECK(gone.find("bytes_freed")->number() > 0);
  CHECK(server.stop().empty());
}

TEST_CASE("a load that is refused says why, with 1, in text and in JSON") {
  server_process server(serving({"--dynamic-adapters", "off"}));
  auto end = admin(server, {"load", "bad", "no-such-directory/at-all/x"});
  CHECK(end.exit_code == 1);
  CHECK(end.out.empty());
  CHECK_THAT(end.err, Catch::StartsWith("lorica-admin: "));
  auto bad = json_of(server, {"load", "bad", "no-such-directory/at-all/x"}, 1);
  CHECK((bad.find("error") != nullptr));
  auto name = json_of(server, {"load", "tiny", sources()[0]}, 1);
  CHECK(text(name, "error_type") == "invalid_name");
  CHECK(name.find("exit_code")->number() == 1);
}

TEST_CASE("a set is declared from a file, and compared first") {
  scratch_directory scratch;
  server_process server(serving());
  auto path = (scratch.path() / "set.json").string();
  std::ofstream(path) << R"({"adapters":[{"name":"one","source":")" + sources()[0] + R"("}]})";
  CHECK_THAT(admin(server, {"declare", path, "--dry-run"}).out, Catch::Contains("one   load    -"));
  CHECK(admin(server, {"list"}).out == "No adapters.\n");
  auto done = json_of(server, {"declare", path});
  CHECK(text((*done.find("data")->as_array())[0], "action") == "load");
  CHECK(eventually([&] { return admin(server, {"list", "--names", "--state", "ready"}).out == "one\n"; }));
  std::ofstream(path) << "{";
  CHECK(admin(server, {"declare", path}).exit_code == 2);
  CHECK(admin(server, {"declare", path + ".none"}).exit_code == 2);
}

TEST_CASE("events are followed from the moment the tool says so") {
  server_process server(serving());
  REQUIRE(admin(server, {"load", "sql", sources()[0]}).exit_code == 0);
  process_end text_end, json_end;
  std::thread following([&] { text_end = admin(server, {"events", "--count", "2"}); });
  std::thread as_json([&] { json_end = admin(server, {"events", "--count", "2", "--json"}); });
  // Until both are there; what is too early for one is the cause of nothing.
  int turns = 0;
  std::atomic<bool> ended{false};
  std::thread pins([&] {
    while (!ended)
      admin(server, {++turns % 2 == 1 ? "pin" : "unpin", "sql"});
  });
  following.join();
  as_json.join();
  ended = true;
  pins.join();
  CHECK(text_end.exit_code == 0);
  CHECK_THAT(text_end.out, Catch::Contains("pinned") && Catch::Contains("sql"));
  CHECK_THAT(text_end.err, Catch::Contains("Following events"));
  CHECK(std::count(text_end.out.begin(), text_end.out.end(), '\n') == 2);
  CHECK(json_end.exit_code == 0);
  REQUIRE(std::count(json_end.out.begin(), json_end.out.end(), '\n') == 2);
  auto first = parse_json(json_end.out.substr(0, json_end.out.find('\n')));
  REQUIRE(first);
  CHECK(text(*first, "name") == "sql");
  CHECK(admin(server, {"events"}).exit_code == 2);
}

TEST_CASE("health, top without a terminal and the benchmark tell figures") {
  server_process server(serving());
  REQUIRE(admin(server, {"load", "sql", sources()[0]}).exit_code == 0);
  CHECK_THAT(admin(server, {"health"}).out, Catch::Contains("ready") && Catch::Contains("tiny"));
  auto health = json_of(server, {"health"});
  CHECK(*health.find("ready")->as_bool());
  CHECK(health.find("memory")->find("weights_bytes")->number() > 0);
  CHECK(health.find("memory")->find("kv_bytes")->number() > 0);
  CHECK(health.find("adapters")->find("registered")->number() == 1);

  auto bench = json_of(server, {"bench-adapter", "sql", "--runs", "3"});
  for (auto kind : {"cold", "warm", "base"}) {
    REQUIRE(bench.find(kind));
    CHECK(bench.find(kind)->find("each_ms")->as_array()->size() == 3);
    CHECK(bench.find(kind)->find("median_ms")->number() > 0);
  }
  // Every cold request was one: the file was read once at the load and once for each.
  CHECK(json_of(server, {"show", "sql"}).find("requests")->number() == 6);
  // Facts of adapters are gathered for some milliseconds.
  CHECK(eventually([&] { return server.metric("lorica_adapter_loads_total{outcome=\"ready\"}") == 4.0; }));
  CHECK_THAT(admin(server, {"bench-adapter", "sql", "--runs", "1"}).out, Catch::Contains("cold"));
  CHECK(admin(server, {"bench-adapter", "nobody"}).exit_code == 4);
  CHECK(admin(server, {"pin", "sql"}).exit_code == 0);
  CHECK(admin(server, {"bench-adapter", "sql"}).exit_code == 1);

  auto table = admin(server, {"top"});
  CHECK(table.exit_code == 0);
  CHECK_THAT(table.out, Catch::Contains("(base)") && Catch::Contains("sql") && Catch::Contains("KV cache"));
  auto top = json_of(server, {"top", "--sort", "name"});
  auto& rows = *top.find("adapters")->as_array();
  REQUIRE(rows.size() == 2);
  CHECK(text(rows[1], "name") == "sql");
  CHECK(rows[1].find("bytes")->number() > 0);
}

TEST_CASE("keys open what they open, and are never shown") {
  server_process server(serving(), {{"API_KEY", "read-key"}, {"ADMIN_API_KEY", "admin-key"}});
  auto source = sources()[0];
  auto tell = [&](std::vector<std::string> arguments, environment variables) {
    auto end = admin(server, std::move(arguments), std::move(variables));
    CHECK_THAT(end.out + end.err, !Catch::Contains("read-key") && !Catch::Contains("admin-key") &&
                                      !Catch::Contains("wrong-key"));
    return end.exit_code;
  };
  CHECK(tell({"list"}, {}) == 5);
  CHECK(tell({"list", "--json"}, {{"LORICA_API_KEY", "wrong-key"}}) == 5);
  CHECK(tell({"list"}, {{"API_KEY", "read-key"}}) == 0);
  CHECK(tell({"list"}, {{"ADMIN_API_KEY", "admin-key"}, {"API_KEY", "wrong-key"}}) == 0);
  CHECK(tell({"load", "sql", source, "--api-key", "read-key"}, {}) == 5);
  CHECK(tell({"events", "--follow", "--api-key=wrong-key"}, {}) == 5);
  CHECK(tell({"top", "--api-key=wrong-key"}, {}) == 5);
  CHECK(tell({"health", "--api-key=wrong-key"}, {}) == 5);
  CHECK(tell({"load", "sql", source, "--api-key", "admin-key"}, {}) == 0);
  scratch_directory scratch;
  auto path = (scratch.path() / "key").string();
  std::ofstream(path) << "admin-key\n";
  CHECK(tell({"unload", "sql", "--api-key-file", path}, {}) == 0);
}

TEST_CASE("a server that is gone, stopped or something else is 3") {
  auto gone = [&] {
    server_process server(serving());
    auto port = server.port();
    CHECK(server.stop().empty());
    return std::to_string(port);
  }();
  auto end = run_admin({"list", "--url", "http://127.0.0.1:" + gone});
  CHECK(end.exit_code == 3);
  CHECK_THAT(end.err, Catch::Contains("Nobody answers at 127.0.0.1:" + gone));
  server_process server(serving());
  server.signal(SIGSTOP);
  auto silent = admin(server, {"health", "--timeout", "1"});
  server.signal(SIGCONT);
  CHECK(silent.exit_code == 3);
  CHECK_THAT(silent.err, Catch::Contains("does not answer in time"));
}

TEST_CASE("a completion script completes commands, options, their values and names of adapters") {
  server_process server(serving());
  REQUIRE(admin(server, {"load", "sql", sources()[0]}).exit_code == 0);
  auto complete = [&](const std::string& line) {
    auto url = "http://127.0.0.1:" + std::to_string(server.port());
    auto with_url = line;
    if (auto at = with_url.find("URL"); at != std::string::npos) with_url.replace(at, 3, url);
    auto script = "lorica-admin() { " LORICA_ADMIN_BINARY " \"$@\"; }; export LORICA_URL=" + url +
                  "; source <(lorica-admin completion bash); COMP_LINE='" + with_url +
                  "'; COMP_POINT=${#COMP_LINE}; _lorica_admin; echo \"${COMPREPLY[*]}\"";
    auto end = run_program("/bin/bash", {"-c", script});
    CHECK(end.err.empty());
    return end.out;
  };
  CHECK(complete("lorica-admin unl") == "unload\n");
  CHECK(complete("lorica-admin show ") == "sql\n");
  CHECK(complete("lorica-admin --url URL --json unload s") == "sql\n");
  CHECK(complete("lorica-admin --url http://127.0.0.1:1 show ") == "\n");
  CHECK(complete("lorica-admin list --sort re") == "requests\n");
  CHECK(complete("lorica-admin unload x --mo") == "--mode\n");
  CHECK(complete("lorica-admin completion z") == "zsh\n");
}
