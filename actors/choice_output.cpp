#include "actors/choice_output.hpp"

#include <utility>

#include "core/utf8.hpp"

namespace lorica {

choice_output::choice_output(std::shared_ptr<const tokenizer> vocabulary, const generation_request& request,
                             std::span<const token_id> prompt)
    : vocabulary_(std::move(vocabulary)),
      skip_special_(request.skip_special_tokens),
      decoder_(vocabulary_, request.skip_special_tokens, prompt),
      stops_(request.stop, request.include_stop),
      include_stop_(request.include_stop),
      min_tokens_(request.sampling.min_tokens) {}

std::string choice_output::show(std::string_view piece) {
  if (ended_) return {};
  auto step = stops_.push(
      piece, tokens_ <= min_tokens_ ? stop_matcher::matching::passes : stop_matcher::matching::counts);
  if (step.stopped) ended_ = finish_reason::stop_sequence;
  return std::move(step.text);
}

/// The scheduler's `stop_sequence` is a stop token.
bool choice_output::hides(token_id id, std::optional<finish_reason> end) const {
  if (end == finish_reason::stop_sequence && !include_stop_) return true;
  return vocabulary_->is_special(id) && (skip_special_ || end == finish_reason::eos_token);
}

generated_token choice_output::push(token_id id, float logprob, std::optional<finish_reason> end) {
  ++tokens_;
  generated_token out{
      .id = id, .text = {}, .logprob = logprob, .special = vocabulary_->is_special(id), .hidden_text = {}};
  out.bytes = vocabulary_->bytes(id);
  if (hides(id, end))
    out.hidden_text = utf8_repaired(out.bytes);
  else
    out.text = show(decoder_.push(id));
  if (end) out.text += show(decoder_.flush());
  if (end && !ended_) {
    out.text += stops_.flush();
    ended_ = stops_.stopped() ? finish_reason::stop_sequence : *end;
  }
  if (stops_.stopped())
    cause_ = stops_.matched();
  else if (end == finish_reason::stop_sequence)
    cause_ = id;
  text_ += out.text;
  return out;
}

}  // namespace lorica
