#include "app/stop_signals.hpp"

#include <csignal>

namespace lorica {
namespace {

sigset_t awaited() {
  sigset_t out;
  sigemptyset(&out);
  sigaddset(&out, SIGTERM);
  sigaddset(&out, SIGINT);
  return out;
}

}  // namespace

void block_stop_signals() {
  auto set = awaited();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

stop_listener::stop_listener(std::function<void(int)> on_signal)
    : waiting_([this, on_signal = std::move(on_signal)] {
        auto set = awaited();
        for (int count = 1;; ++count) {
          int number = 0;
          while (sigwait(&set, &number) != 0) {
          }
          if (ended_) return;
          on_signal(count);
        }
      }) {}

stop_listener::~stop_listener() {
  ended_ = true;
  pthread_kill(waiting_.native_handle(), SIGTERM);
  waiting_.join();
}

}  // namespace lorica
