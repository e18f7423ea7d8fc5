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

sigset_t only_hangup() {
  sigset_t out;
  sigemptyset(&out);
  sigaddset(&out, SIGHUP);
  return out;
}

}  // namespace

void block_stop_signals() {
  auto set = awaited();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

void block_hangup() {
  auto set = only_hangup();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

stop_listener::stop_listener(std::function<void(int)> on_signal, std::function<void()> on_hangup)
    : waiting_([this, on_signal = std::move(on_signal), on_hangup = std::move(on_hangup)] {
        auto set = awaited();
        if (on_hangup) sigaddset(&set, SIGHUP);
        for (int count = 1;;) {
          int number = 0;
          while (sigwait(&set, &number) != 0) {
          }
          if (ended_) return;
          number == SIGHUP ? on_hangup() : on_signal(count++);
        }
      }) {}

stop_listener::~stop_listener() {
  ended_ = true;
  pthread_kill(waiting_.native_handle(), SIGTERM);
  waiting_.join();
}

}  // namespace lorica
