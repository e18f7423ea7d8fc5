// lorica-admin top in a real terminal: tmux draws it, keys are sent, the screen is read.
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <sstream>

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

/// A terminal with a shell in it; ended by the destructor. Each has a tmux server of its own.
class terminal_window {
 public:
  explicit terminal_window(int columns, int rows) {
    tmux({"-f", "/dev/null", "new-session", "-d", "-x", std::to_string(columns), "-y", std::to_string(rows),
          "/bin/bash", "--norc", "--noprofile"});
    REQUIRE(eventually(
        [&] { return screen().find("$") != std::string::npos || screen().find("#") != std::string::npos; }));
  }
  ~terminal_window() { tmux({"kill-server"}); }
  terminal_window(const terminal_window&) = delete;
  terminal_window& operator=(const terminal_window&) = delete;

  void type(const std::string& text) {
    tmux({"send-keys", "-l", text});
    press("Enter");
  }
  void press(const std::string& key) { tmux({"send-keys", key}); }
  void resize(int columns, int rows) {
    tmux({"resize-window", "-x", std::to_string(columns), "-y", std::to_string(rows)});
  }

  /// What a person would see.
  std::string screen() { return tmux({"capture-pane", "-p"}).out; }

  /// True when `text` comes onto the screen.
  bool shows(const std::string& text) {
    bool came = eventually([&] { return screen().find(text) != std::string::npos; });
    if (!came) UNSCOPED_INFO(screen());
    return came;
  }
  /// True when a line that begins with `name` holds `text` some time.
  bool row_shows(const std::string& name, const std::string& text) {
    return eventually([&] {
      std::istringstream lines(screen());
      for (std::string line; std::getline(lines, line);)
        if (line.starts_with(name + " ") && line.find(text) != std::string::npos) return true;
      return false;
    });
  }
  bool loses(const std::string& text) {
    bool went = eventually([&] { return screen().find(text) == std::string::npos; });
    if (!went) UNSCOPED_INFO(screen());
    return went;
  }

 private:
  process_end tmux(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"-S", (folder_.path() / "socket").string()});
    return run_program("/usr/bin/tmux", arguments, {{"TMUX", ""}, {"TERM", "screen"}, {"LANG", "C.UTF-8"}});
  }

  scratch_directory folder_;
};

std::string first_source() {
  std::string out;
  for (auto& entry : fs::directory_iterator(adapters_of_model))
    if (fs::exists(entry.path() / "adapter_config.json"))
      if (auto name = entry.path().filename().string(); out.empty() || name < out) out = name;
  REQUIRE_FALSE(out.empty());
  return out;
}

bool is_pinned(const server_process& server) {
  return exchange(server.port(), "GET", "/v1/adapters/sql").body.find("\"pinned\":true") != std::string::npos;
}

}  // namespace

TEST_CASE("top shows, sorts, pins, unloads, resizes, survives its server and gives the terminal back") {
  if (!fs::exists("/usr/bin/tmux")) {
    WARN("skipped: tmux is not installed");
    return;
  }
  server_process server({"--model-id", tiny_model, "--dtype", "float32", "--threads", "1", "--adapter-root",
                         adapters_of_model, "--served-model-name", "tiny"});
  auto load = [&] {
    return exchange(server.port(), "PUT", "/v1/adapters/sql?wait=true",
                    R"({"source":")" + first_source() + "\"}")
        .status;
  };
  REQUIRE(load() == 200);
  terminal_window window(130, 24);
  window.type("stty -a > /tmp/before.$$; " LORICA_ADMIN_BINARY " top --timeout 1 --url http://127.0.0.1:" +
              std::to_string(server.port()) +
              "; echo ended with $?; stty -a | cmp - /tmp/before.$$ && echo terminal is as before; rm "
              "/tmp/before.$$");
  REQUIRE(window.shows("(base)"));
  REQUIRE(window.shows("sql"));
  REQUIRE(window.shows("q quit"));
  REQUIRE(window.shows("USERS*"));

  window.press("n");
  REQUIRE(window.shows("NAME*"));
  window.press("b");
  REQUIRE(window.shows("BYTES*"));

  // By bytes the adapter is first, which is what is selected.
  window.press("p");
  REQUIRE(window.shows("Pinned sql"));
  REQUIRE(eventually([&] { return is_pinned(server); }));
  REQUIRE(window.shows("pinned    sql"));  // the event
  REQUIRE(window.row_shows("sql", "pinned"));
  window.press("p");
  REQUIRE(eventually([&] { return !is_pinned(server); }));
  REQUIRE(window.shows("Unpinned sql"));

  window.press("u");
  REQUIRE(window.shows("Unload sql?"));
  window.press("n");
  REQUIRE(window.loses("Unload sql?"));
  REQUIRE(exchange(server.port(), "GET", "/v1/adapters/sql").status == 200);
  window.press("u");
  REQUIRE(window.shows("Unload sql?"));
  window.press("y");
  REQUIRE(window.shows("unloaded  sql"));
  REQUIRE(window.loses("ready   device"));

  window.press("?");
  REQUIRE(window.shows("any key closes it"));
  window.press("x");
  REQUIRE(window.loses("any key closes it"));

  window.resize(60, 12);
  REQUIRE(window.shows("(base)"));
  REQUIRE(window.shows("? help"));
  window.resize(130, 24);
  REQUIRE(window.shows("q quit"));

  // While the server hangs keys go on working, and it is found again.
  server.signal(SIGSTOP);
  REQUIRE(window.shows("does not answer in time"));
  window.press("?");
  REQUIRE(window.shows("any key closes it"));
  window.press("?");
  server.signal(SIGCONT);
  REQUIRE(window.loses("does not answer in time"));
  REQUIRE(window.loses("away"));

  REQUIRE(server.stop().empty());
  REQUIRE(window.shows("Nobody answers"));
  window.press("q");
  REQUIRE(window.shows("ended with 0"));
  REQUIRE(window.shows("terminal is as before"));

  window.type(
      "clear; stty -a > /tmp/before.$$; " LORICA_ADMIN_BINARY
      " top --url http://127.0.0.1:1; echo ended with $?; stty -a | cmp - /tmp/before.$$ && echo terminal is "
      "as ever; rm /tmp/before.$$");
  REQUIRE(window.shows("Nobody answers"));
  window.press("C-c");
  REQUIRE(window.shows("ended with 130"));
  REQUIRE(window.shows("terminal is as ever"));
}
