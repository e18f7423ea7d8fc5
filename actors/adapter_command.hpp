#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/adapter_service.hpp"

namespace lorica {

/// Something an operator wants of the adapters. Its callback is called exactly once, with
/// `errc::unavailable` if nobody gets to it.
struct adapter_command {
  struct load {
    adapter_load what;
    answer_when when;
    adapter_service::answer<adapter_job> done;
  };
  struct preview {
    adapter_load what;
    adapter_service::answer<adapter_preview> done;
  };
  struct unload {
    adapter_unload what;
    answer_when when;
    adapter_service::answer<adapter_job> done;
  };
  struct alias {
    std::string name, target;
    adapter_service::answer<adapter_status> done;
  };
  struct act {
    std::string name;
    adapter_action what;
    adapter_service::answer<adapter_status> done;
  };
  struct show {
    std::string name;
    adapter_service::answer<adapter_detail> done;
  };
  struct show_job {
    std::string id;
    adapter_service::answer<adapter_job> done;
  };
  struct cancel_job {
    std::string id;
    adapter_service::answer<adapter_job> done;
  };
  struct list_jobs {
    adapter_service::answer<std::vector<adapter_job>> done;
  };
  struct declare {
    std::vector<adapter_load> wanted;
    declare_mode mode;
    adapter_service::answer<std::vector<adapter_change>> done;
  };
  struct watch {
    std::uint64_t watcher;
    std::function<void(const adapter_event&)> tell;  ///< empty: the watch ends
  };
  using any =
      std::variant<load, preview, unload, alias, act, show, show_job, cancel_job, list_jobs, declare, watch>;

  explicit adapter_command(any what) : what_(std::move(what)) {}
  adapter_command(const adapter_command&) = delete;
  adapter_command& operator=(const adapter_command&) = delete;
  ~adapter_command();

  /// The command, for the one who carries it out.
  any take() const {
    taken_ = true;
    return std::move(what_);
  }

 private:
  mutable any what_;
  mutable bool taken_ = false;
};

}  // namespace lorica
