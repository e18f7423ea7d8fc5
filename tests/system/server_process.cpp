#include "tests/system/server_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "tests/system/http_client.hpp"

namespace lorica::testing {
namespace fs = std::filesystem;
namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string temporary_path(const char* what) {
  static int counter = 0;
  return (fs::temp_directory_path() /
          ("lorica-" + std::to_string(::getpid()) + "-" + std::to_string(counter++) + "-" + what))
      .string();
}

/// The environment of this process with `variables` over it, as `NAME=value`. Without a word about it nothing
/// goes into the cache of whoever runs the tests.
std::vector<std::string> merged_environment(environment variables) {
  variables.try_emplace("LORICA_PACKED_CACHE", "off");
  std::vector<std::string> out;
  for (char** entry = environ; *entry; ++entry) {
    std::string text(*entry);
    if (!variables.contains(text.substr(0, text.find('=')))) out.push_back(std::move(text));
  }
  for (auto& [name, value] : variables)
    out.push_back(name + "=" + value);
  return out;
}

/// Starts the program in a child that dies with this thread, whatever ends it: no test leaves a server
/// behind.
pid_t start(const char* program, const std::vector<std::string>& arguments, const environment& variables,
            const std::string& out, const std::string& err) {
  auto texts = merged_environment(variables);
  std::vector<char*> envp;
  for (auto& text : texts)
    envp.push_back(text.data());
  envp.push_back(nullptr);
  std::vector<char*> argv{const_cast<char*>(program)};
  for (auto& a : arguments)
    argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  auto parent = ::getpid();
  auto pid = ::fork();
  if (pid < 0) throw std::runtime_error("cannot start " + std::string(program));
  if (pid > 0) return pid;
  // Other threads may have held locks when this one was copied: nothing but system calls from here on.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  int to_out = ::open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  int to_err = ::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (::getppid() == parent && ::chdir(LORICA_SOURCE_DIR) == 0 && ::dup2(to_out, 1) == 1 &&
      ::dup2(to_err, 2) == 2)
    ::execve(program, argv.data(), envp.data());
  ::_exit(127);
}

/// Exit code once the process has ended by itself, -1 when a signal ended it, nothing while it runs.
std::optional<int> ended(pid_t pid) {
  int status = 0;
  if (::waitpid(pid, &status, WNOHANG) != pid) return std::nullopt;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

bool eventually(const std::function<bool()>& condition) {
  auto end = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    ::poll(nullptr, 0, 5);
  }
  return true;
}

process_end run_program(const char* program, const std::vector<std::string>& arguments,
                        const environment& variables) {
  auto out = temporary_path("out"), err = temporary_path("err");
  auto pid = start(program, arguments, variables, out, err);
  std::optional<int> code;
  if (!eventually([&] { return (code = ended(pid)).has_value(); })) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
  }
  process_end end{code.value_or(-1), read_file(out), read_file(err)};
  fs::remove(out);
  fs::remove(err);
  return end;
}

process_end run_lorica(const std::vector<std::string>& arguments, const environment& variables) {
  return run_program(LORICA_BINARY, arguments, variables);
}

process_end run_admin(const std::vector<std::string>& arguments, const environment& variables) {
  return run_program(LORICA_ADMIN_BINARY, arguments, variables);
}

server_process::server_process(std::vector<std::string> arguments, const environment& variables)
    : log_path_(temporary_path("server")) {
  arguments.insert(arguments.begin(), "serve");
  if (!variables.contains("PORT")) arguments.insert(arguments.end(), {"--port", "0"});
  pid_ = start(LORICA_BINARY, arguments, variables, log_path_ + ".out", log_path_ + ".err");
  std::optional<int> code;
  bool ready = eventually([&] {
    auto text = read_file(log_path_ + ".out");
    auto at = text.find("ready on http");
    if (at != std::string::npos) at = text.find("://", at);
    if (at != std::string::npos && text.find('\n', at) != std::string::npos)
      port_ = static_cast<std::uint16_t>(std::stoi(text.substr(text.find(':', at + 3) + 1)));
    return port_ != 0 || (code = ended(pid_)).has_value();
  });
  if (ready && port_ != 0) return;
  if (!code) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_ = -1;
  throw std::runtime_error("the server did not get ready:\n" + log());
}

server_process::~server_process() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  fs::remove(log_path_ + ".out");
  fs::remove(log_path_ + ".err");
}

void server_process::signal(int number) const {
  ::kill(pid_, number);
}

int server_process::wait() {
  std::optional<int> code;
  if (!eventually([&] { return (code = ended(pid_)).has_value(); })) return -1;
  pid_ = -1;
  return *code;
}

std::string server_process::stop() {
  signal(SIGTERM);
  auto code = wait();
  return code == 0 ? std::string() : "exit code " + std::to_string(code) + ", log:\n" + log();
}

std::size_t server_process::descriptors() const {
  auto folder = fs::directory_iterator("/proc/" + std::to_string(pid_) + "/fd");
  return static_cast<std::size_t>(std::distance(fs::begin(folder), fs::end(folder)));
}

std::uint64_t server_process::memory() const {
  std::ifstream file("/proc/" + std::to_string(pid_) + "/statm");
  std::uint64_t all = 0, resident = 0;
  file >> all >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::optional<double> server_process::metric(const std::string& name) const {
  auto text = exchange(port_, "GET", "/metrics").body;
  auto at = text.find("\n" + name + " ");
  if (at == std::string::npos) return std::nullopt;
  return std::stod(text.substr(at + name.size() + 2));
}

std::string server_process::log() const {
  return read_file(log_path_ + ".out") + read_file(log_path_ + ".err");
}

std::optional<std::string> default_model() {
  std::string path = LORICA_SOURCE_DIR "/models/SmolLM2-135M-Instruct.Q4_1.gguf";
  if (!fs::exists(path)) return std::nullopt;
  return path;
}

std::string demonstration_adapters() {
  std::string out;
  for (auto& entry : fs::directory_iterator(LORICA_SOURCE_DIR "/examples/adapters"))
    if (fs::exists(entry.path() / "adapter_config.json"))
      out += (out.empty() ? "" : ",") + entry.path().filename().string() + "=" + entry.path().string();
  return out;
}

}  // namespace lorica::testing
