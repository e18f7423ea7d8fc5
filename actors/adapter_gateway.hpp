#pragma once

#include <atomic>
#include <caf/actor_addr.hpp>
#include <cstdint>
#include <memory>

#include "actors/adapter_command.hpp"
#include "actors/protocol.hpp"
#include "core/adapter_service.hpp"

namespace lorica {

/// The way of operators to `adapters`: every call is one message. A plain class; any thread. Knows the actor
/// without keeping it alive.
class adapter_gateway final : public adapter_service {
 public:
  explicit adapter_gateway(const adapters_actor& adapters) : adapters_(adapters.address()) {}

  void load(adapter_load what, answer_when when, answer<adapter_job> done) override;
  void preview(adapter_load what, answer<adapter_preview> done) override;
  void unload(adapter_unload what, answer_when when, answer<adapter_job> done) override;
  void set_alias(std::string alias, std::string target, answer<adapter_status> done) override;
  void act(std::string name, adapter_action what, answer<adapter_status> done) override;
  void show(std::string name, answer<adapter_detail> done) override;
  void show_job(std::string id, answer<adapter_job> done) override;
  void cancel_job(std::string id, answer<adapter_job> done) override;
  void list_jobs(answer<std::vector<adapter_job>> done) override;
  void declare(std::vector<adapter_load> wanted, declare_mode mode,
               answer<std::vector<adapter_change>> done) override;
  std::shared_ptr<adapter_watch> watch(std::function<void(const adapter_event&)> tell) override;

 private:
  void send(adapter_command::any what);

  caf::actor_addr adapters_;
  std::atomic<std::uint64_t> last_watcher_{0};
  std::shared_ptr<std::atomic<std::uint32_t>> watchers_ = std::make_shared<std::atomic<std::uint32_t>>(0);
};

}  // namespace lorica
