#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "actors/best_choices.hpp"
#include "actors/choice_output.hpp"
#include "actors/payloads.hpp"
#include "actors/prompt_report.hpp"
#include "core/metrics.hpp"
#include "core/response_sink.hpp"

namespace lorica {

/// What the tokens of a submitted request become for its sink: the texts of its choices, their ends, the
/// report of the prompt. Tells the sink `started`, chunks and `finished`; `done` and `failed` are its
/// owner's. Owned by one session; no locks.
class request_output {
 public:
  /// What it works with. `inter_token` outlives it.
  struct parts {
    std::shared_ptr<const tokenizer> vocabulary;
    std::shared_ptr<response_sink> sink;
    metrics::histogram& inter_token;  ///< seconds between the chunks of one request
  };

  /// `facts` is what the sink is told first, without the prompts' tokens: those come from `prompts`. `first`
  /// is the first sequence of the request.
  request_output(parts with, const generation_request& request, generation_started facts,
                 const std::vector<encoded_prompt>& prompts, sequence_id first);

  /// Takes what a step gave. The answer holds the choices that ended here before their sequences did.
  std::vector<std::uint32_t> take(const token_chunk_ptr& chunk);

  /// All choices have ended.
  bool complete() const noexcept { return ended_ == choices_.size(); }

  /// After the last token: shows what was kept back until then.
  void finish();

  /// Choices that have not ended.
  std::vector<std::uint32_t> running() const;

  std::uint32_t generated_tokens() const noexcept;

  /// When the first token came, the first choice left the queue, and the latest token came.
  struct pace {
    time_point first, admitted, last;
  };
  const std::optional<pace>& times() const noexcept { return times_; }

 private:
  void show(const token_chunk& chunk, std::vector<std::uint32_t>& stopped);
  void show(const token_event& event, std::vector<std::uint32_t>& stopped);
  void keep_pace(const token_chunk& chunk);
  void finish_choice(std::uint32_t number);
  bool prompts_complete() const;

  parts with_;
  generation_started facts_;
  std::vector<prompt_report> prompts_;
  std::vector<choice_output> choices_;
  std::vector<best_choices> best_;      // one per prompt where only the best are answered
  std::vector<token_chunk_ptr> early_;  // tokens that came before the prompt's log-probabilities
  std::optional<token_id> end_of_turn_;
  std::uint64_t seed_;
  std::uint32_t sequences_;  // of each prompt
  bool sampled_;
  std::uint32_t answered_;  // of each prompt
  sequence_id first_;
  std::size_t ended_ = 0;
  std::optional<pace> times_;
};

}  // namespace lorica
