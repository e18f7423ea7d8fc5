#include "bench/gpu/child_process.hpp"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <exception>

namespace lorica::bench {
namespace {

using clock = std::chrono::steady_clock;

constexpr int threw = 70;

void write_all(int to, std::string_view text) {
  while (!text.empty()) {
    const auto done = write(to, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) _exit(threw);  // nobody reads any more
    text.remove_prefix(static_cast<std::size_t>(done));
  }
}

/// Never returns: what the parent would do at its end is not done twice.
[[noreturn]] void be_child(int to, pid_t parent, const std::function<void(const line_sender&)>& body) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(threw);
  int code = 0;
  try {
    body([to](std::string_view line) { write_all(to, std::string(line) + "\n"); });
  } catch (const std::exception& e) {
    write_all(to, std::string("!") + e.what() + "\n");
    code = threw;
  }
  _exit(code);
}

/// Complete lines of what comes through a pipe.
class line_reader {
 public:
  line_reader(int from, const std::function<void(std::string_view)>& take) : from_(from), take_(take) {}

  /// Until the other end is closed, or `until` has come: then false.
  bool read_until(clock::time_point until) {
    while (true) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - clock::now()).count();
      if (left <= 0) return false;
      pollfd wanted{from_, POLLIN, 0};
      const int ready = poll(&wanted, 1, static_cast<int>(std::min<long long>(left, 60'000)));
      if (ready <= 0) continue;
      char piece[4096];
      const auto got = read(from_, piece, sizeof piece);
      if (got == 0) return true;
      if (got > 0) add({piece, static_cast<std::size_t>(got)});
    }
  }

  const std::string& thrown() const noexcept { return thrown_; }

 private:
  void add(std::string_view piece) {
    rest_.append(piece);
    std::size_t begin = 0;
    for (auto end = rest_.find('\n'); end != std::string::npos; end = rest_.find('\n', begin)) {
      const std::string_view line(rest_.data() + begin, end - begin);
      if (line.starts_with('!'))
        thrown_ = line.substr(1);
      else
        take_(line);
      begin = end + 1;
    }
    rest_.erase(0, begin);
  }

  int from_;
  const std::function<void(std::string_view)>& take_;
  std::string rest_, thrown_;
};

std::string why_of(int status, const std::string& thrown) {
  if (WIFSIGNALED(status)) return std::string("its process was ended: ") + strsignal(WTERMSIG(status));
  if (WEXITSTATUS(status) == 0) return {};
  return thrown.empty() ? "its process ended with " + std::to_string(WEXITSTATUS(status)) : thrown;
}

}  // namespace

result<child_end> run_in_child(const std::function<void(const line_sender&)>& body,
                               const std::function<void(std::string_view)>& take, double limit) {
  const auto begin = clock::now();
  int ends[2];
  if (pipe(ends) != 0) return fail(errc::io, "no pipe for a case's process");
  const pid_t parent = getpid(), child = fork();
  if (child < 0) {
    close(ends[0]), close(ends[1]);
    return fail(errc::io, "no process for a case");
  }
  if (child == 0) {
    close(ends[0]);
    be_child(ends[1], parent, body);
  }
  close(ends[1]);
  line_reader lines(ends[0], take);
  const auto until =
      begin + std::chrono::duration_cast<clock::duration>(std::chrono::duration<double>(limit));
  child_end out;
  out.too_late = !lines.read_until(until);
  if (out.too_late) {
    kill(child, SIGKILL);
    lines.read_until(clock::now() + std::chrono::seconds(2));  // what it had sent
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  close(ends[0]);
  out.seconds = std::chrono::duration<double>(clock::now() - begin).count();
  out.why = out.too_late ? "its process was ended after " + std::to_string(std::lround(limit)) + " s"
                         : why_of(status, lines.thrown());
  return out;
}

}  // namespace lorica::bench
