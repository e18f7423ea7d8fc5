#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "actors/adapter_loading.hpp"
#include "actors/adapter_unloading.hpp"
#include "actors/adapter_world.hpp"

namespace lorica {

/// Whether there is an allowed root.
enum class root_use : std::uint8_t { none, some };

/// What operators ask of adapters, each command answered through its callback. A plain class, owned by
/// `adapters`, on whose thread everything is called.
class adapter_commands {
 public:
  /// `settled` hears of names for which requests that wait may go on, or have to end.
  adapter_commands(adapter_world& world, adapter_loading& loading, adapter_unloading& unloading,
                   root_use roots, std::function<void(const std::string&)> settled)
      : world_(world),
        loading_(loading),
        unloading_(unloading),
        roots_(roots),
        settled_(std::move(settled)) {}

  void carry_out(adapter_command::any what);

 private:
  void run(adapter_command::load what);
  void run(adapter_command::preview what);
  void run(adapter_command::unload what);
  void run(adapter_command::alias what);
  void run(adapter_command::act what);
  void run(adapter_command::show what);
  void run(adapter_command::show_job what);
  void run(adapter_command::cancel_job what);
  void run(adapter_command::list_jobs what);
  void run(adapter_command::declare what);
  void run(adapter_command::watch what);

  result<adapter_job> unload(const adapter_unload& what, answer_when when, adapter_jobs::answer done);
  void preview(const adapter_load& what, result<packed_load> read,
               const adapter_service::answer<adapter_preview>& done);
  void pin(const std::string& name, bool pinned, const adapter_service::answer<adapter_status>& done);
  void evict(const std::string& name, const adapter_service::answer<adapter_status>& done);
  void keep(const std::string& name, const adapter_service::answer<adapter_status>& done);
  void answer_status(const std::string& name, const adapter_service::answer<adapter_status>& done);

  adapter_world& world_;
  adapter_loading& loading_;
  adapter_unloading& unloading_;
  root_use roots_;
  std::function<void(const std::string&)> settled_;
};

/// The places that a source may mean; `errc::invalid` when it means none. Without a root an id is one of the
/// Hub only.
result<adapter_loading::order> order_of(adapter_load what, root_use roots);

}  // namespace lorica
