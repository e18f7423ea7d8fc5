#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace lorica::testing {

/// How a finished `lorica` process ended.
struct process_end {
  int exit_code = -1;  ///< -1: by a signal
  std::string out;
  std::string err;
};

/// Environment variables that a process gets beside those of the test.
using environment = std::map<std::string, std::string>;

/// Runs `lorica` in the root of the repository with arguments to its end; killed when that does not come
/// within `patience`.
process_end run_lorica(const std::vector<std::string>& arguments, const environment& variables = {});

/// The same for any program, by its path, and for `lorica-admin`.
process_end run_program(const char* program, const std::vector<std::string>& arguments,
                        const environment& variables = {});
process_end run_admin(const std::vector<std::string>& arguments, const environment& variables = {});

/// A running `lorica serve` on a free port of 127.0.0.1, unless `PORT` and `HOSTNAME` say something else.
/// Owned by one test; killed by the destructor.
class server_process {
 public:
  /// Starts it in the root of the repository and waits for the ready line; throws std::runtime_error with its
  /// log when it ends first.
  explicit server_process(std::vector<std::string> arguments, const environment& variables = {});
  ~server_process();
  server_process(const server_process&) = delete;
  server_process& operator=(const server_process&) = delete;

  std::uint16_t port() const noexcept { return port_; }
  void signal(int number) const;

  /// Exit code once it ended by itself; -1 when it does not or when a signal ended it.
  int wait();

  /// Asks it to end (SIGTERM) and waits. Empty when it did with 0; else its exit code and log, which tell too
  /// what a sanitizer found.
  std::string stop();

  /// Open descriptors now.
  std::size_t descriptors() const;

  /// Bytes of it that are in memory now.
  std::uint64_t memory() const;

  /// Value of a series from /metrics; labels as they are written there.
  std::optional<double> metric(const std::string& name) const;

  /// Everything it has logged so far.
  std::string log() const;

 private:
  pid_t pid_ = -1;
  std::uint16_t port_ = 0;
  std::string log_path_;
};

/// Polls until `condition` holds or `patience` is over; true when it held.
bool eventually(const std::function<bool()>& condition);

/// Path of the default model, or nothing when it is not fetched.
std::optional<std::string> default_model();

/// `--lora-adapters` value with the four demonstration adapters.
std::string demonstration_adapters();

}  // namespace lorica::testing
