#pragma once

#include <atomic>
#include <caf/fwd.hpp>
#include <memory>

#include "actors/session.hpp"
#include "actors/session_roster.hpp"
#include "core/generation_service.hpp"
#include "core/tokenize_service.hpp"

namespace lorica {

/// The way from the outside to the actors: one session per request. A plain class; any thread.
class gateway final : public generation_service, public tokenize_service {
 public:
  gateway(caf::actor_system& system, std::shared_ptr<const session_world> world,
          std::shared_ptr<session_roster> roster);

  std::shared_ptr<generation_handle> start(generation_request request,
                                           std::shared_ptr<response_sink> sink) override;
  void tokenize(std::string text, bool add_special_tokens, answer<std::vector<token_span>> done) override;
  void tokenize_chat(conversation_ptr what, answer<tokenized_chat> done) override;

 private:
  caf::actor_system& system_;
  std::shared_ptr<const session_world> world_;
  std::shared_ptr<session_roster> roster_;
  std::atomic<sequence_id> next_sequence_{1};
};

}  // namespace lorica
