#include "actors/adapter_gateway.hpp"

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>
#include <utility>

#include "actors/payloads.hpp"

namespace lorica {
namespace {

constexpr std::uint32_t most_watchers = 64;

/// To the actor if it lives; else the command answers for itself.
void post(const caf::actor_addr& address, adapter_command::any what) {
  auto command = std::make_shared<const adapter_command>(std::move(what));
  auto adapters = caf::actor_cast<adapters_actor>(address);
  if (adapters) caf::anon_send(adapters, atom::command::value, adapter_command_ptr(std::move(command)));
}

class posted_watch final : public adapter_watch {
 public:
  posted_watch(caf::actor_addr adapters, std::uint64_t number,
               std::shared_ptr<std::atomic<std::uint32_t>> watchers)
      : adapters_(std::move(adapters)), number_(number), watchers_(std::move(watchers)) {}
  posted_watch(const posted_watch&) = delete;
  posted_watch& operator=(const posted_watch&) = delete;
  ~posted_watch() override {
    post(adapters_, adapter_command::watch{number_, nullptr});
    --*watchers_;
  }

 private:
  caf::actor_addr adapters_;
  std::uint64_t number_;
  std::shared_ptr<std::atomic<std::uint32_t>> watchers_;
};

}  // namespace

void adapter_gateway::send(adapter_command::any what) {
  post(adapters_, std::move(what));
}

void adapter_gateway::load(adapter_load what, answer_when when, answer<adapter_job> done) {
  send(adapter_command::load{std::move(what), when, std::move(done)});
}

void adapter_gateway::preview(adapter_load what, answer<adapter_preview> done) {
  send(adapter_command::preview{std::move(what), std::move(done)});
}

void adapter_gateway::unload(adapter_unload what, answer_when when, answer<adapter_job> done) {
  send(adapter_command::unload{std::move(what), when, std::move(done)});
}

void adapter_gateway::set_alias(std::string alias, std::string target, answer<adapter_status> done) {
  send(adapter_command::alias{std::move(alias), std::move(target), std::move(done)});
}

void adapter_gateway::act(std::string name, adapter_action what, answer<adapter_status> done) {
  send(adapter_command::act{std::move(name), what, std::move(done)});
}

void adapter_gateway::show(std::string name, answer<adapter_detail> done) {
  send(adapter_command::show{std::move(name), std::move(done)});
}

void adapter_gateway::show_job(std::string id, answer<adapter_job> done) {
  send(adapter_command::show_job{std::move(id), std::move(done)});
}

void adapter_gateway::cancel_job(std::string id, answer<adapter_job> done) {
  send(adapter_command::cancel_job{std::move(id), std::move(done)});
}

void adapter_gateway::list_jobs(answer<std::vector<adapter_job>> done) {
  send(adapter_command::list_jobs{std::move(done)});
}

void adapter_gateway::declare(std::vector<adapter_load> wanted, declare_mode mode,
                              answer<std::vector<adapter_change>> done) {
  send(adapter_command::declare{std::move(wanted), mode, std::move(done)});
}

std::shared_ptr<adapter_watch> adapter_gateway::watch(std::function<void(const adapter_event&)> tell) {
  if (++*watchers_ > most_watchers) {
    --*watchers_;
    return nullptr;
  }
  auto number = ++last_watcher_;
  send(adapter_command::watch{number, std::move(tell)});
  return std::make_shared<posted_watch>(adapters_, number, watchers_);
}

}  // namespace lorica
