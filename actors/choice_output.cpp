#include "actors/choice_output.hpp"

#include <utility>

namespace lorica {

choice_output::choice_output(std::shared_ptr<const tokenizer> vocabulary, const generation_request& request,
                             std::span<const token_id> prompt)
    : vocabulary_(std::move(vocabulary)),
      skip_special_(request.skip_special_tokens),
      decoder_(vocabulary_, request.skip_special_tokens, prompt),
      stops_(request.stop, request.include_stop) {}

std::string choice_output::show(std::string_view piece) {
  if (ended_) return {};
  auto step = stops_.push(piece);
  if (step.stopped) ended_ = finish_reason::stop_sequence;
  return std::move(step.text);
}

generated_token choice_output::push(token_id id, float logprob, std::optional<finish_reason> end) {
  ++tokens_;
  generated_token out{
      .id = id, .text = {}, .logprob = logprob, .special = vocabulary_->is_special(id), .hidden_text = {}};
  bool hidden = out.special && (skip_special_ || end == finish_reason::eos_token);
  if (hidden) out.hidden_text = vocabulary_->bytes(id);
  if (!hidden) out.text = show(decoder_.push(id));
  if (end) out.text += show(decoder_.flush());
  if (end && !ended_) {
    out.text += stops_.flush();
    ended_ = stops_.stopped() ? finish_reason::stop_sequence : *end;
  }
  text_ += out.text;
  return out;
}

}  // namespace lorica
