#include "gpu/step_sampler.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "engine/philox.hpp"
#include "engine/watermark.hpp"
#include "gpu/adjustment.hpp"
#include "gpu/sampling.hpp"

namespace lorica::gpu {
namespace {

bool penalises(const sampling_params& p) {
  return p.repetition_penalty != 1.0f || p.frequency_penalty != 0.0f || p.presence_penalty != 0.0f;
}

bool ends_with(std::span<const token_id> text, std::span<const token_id> end) {
  return end.size() <= text.size() && std::ranges::equal(text.last(end.size()), end);
}

/// What `filter_tokens` masks besides what is not allowed.
void find_banned(const token_rules& rules, std::span<const token_id> generated, std::uint32_t min_tokens,
                 std::vector<token_id>& out) {
  out.clear();
  for (auto& word : rules.bad_words)
    if (!word.empty() && ends_with(generated, std::span(word).first(word.size() - 1)))
      out.push_back(word.back());
  if (generated.size() < min_tokens) out.insert(out.end(), rules.late.begin(), rules.late.end());
}

sampling_row row_of(const sequence_rows& s, std::span<const token_id> history) {
  auto& p = s.sampling;
  sampling_row r;
  r.kind = reading_kind::choose;
  r.slot = s.slot;
  r.history = static_cast<std::uint32_t>(history.size());
  r.prompt_tokens = std::min(s.prompt_tokens, r.history);
  r.top = s.top;
  r.sample = p.sample ? 1 : 0;
  r.draw = p.sample ? uniform_draw(p.seed, s.choice, r.history) : 0;
  r.temperature = p.temperature;
  r.top_k = p.top_k;
  r.top_p = p.top_p;
  r.typical_p = p.typical_p;
  r.min_p = p.min_p;
  r.repetition_penalty = p.repetition_penalty;
  r.frequency_penalty = p.frequency_penalty;
  r.presence_penalty = p.presence_penalty;
  r.adjusted = penalises(p) ? 1 : 0;
  return r;
}

}  // namespace

step_sampler::sections::sections(step_layout& to, const sampler_limits& l)
    : rows(to.add<sampling_row>(l.readings)) {
  to.add_words(l.words);
}

std::uint64_t step_sampler::device_bytes(const sampler_limits& l) noexcept {
  return arena::charged(std::uint64_t{l.logits_rows} * l.vocab * sizeof(float)) +
         arena::charged(std::uint64_t{l.logits_rows} * summary_pieces(l.vocab) * sizeof(logit_piece)) +
         arena::charged(l.readings * sizeof(sampling_result));
}

result<step_sampler> step_sampler::create(const sampler_limits& l, const sections& at, step_buffer& buffer,
                                          arena& memory) {
  if (l.readings == 0 || l.logits_rows == 0) return fail(errc::bad_config, "a sampler without rows");
  if (l.vocab == 0 || l.vocab > most_vocab || l.token_ids > l.vocab)
    return fail(errc::bad_model, "a vocabulary of " + std::to_string(l.vocab) + " with " +
                                     std::to_string(l.token_ids) + " ids cannot be sampled on the device");
  constexpr auto part = memory_part::workspace;
  auto logits = memory.take<float>(part, "adjusted logits", std::uint64_t{l.logits_rows} * l.vocab);
  if (!logits) return logits.error();
  auto pieces =
      memory.take<logit_piece>(part, "logit pieces", std::uint64_t{l.logits_rows} * summary_pieces(l.vocab));
  if (!pieces) return pieces.error();
  auto results = memory.take<sampling_result>(part, "sampled tokens", l.readings);
  if (!results) return results.error();
  auto host_results = pinned_buffer::allocate(l.readings * sizeof(sampling_result));
  if (!host_results) return host_results.error();
  auto host_logits = pinned_buffer::allocate(l.vocab * sizeof(float));
  if (!host_logits) return host_logits.error();
  return step_sampler(l, at, buffer, {*logits, *pieces, *results},
                      {*std::move(host_results), *std::move(host_logits)});
}

step_sampler::step_sampler(const sampler_limits& limits, const sections& at, step_buffer& buffer,
                           const device_memory& device, host_memory host)
    : limits_(limits), at_(at), buffer_(&buffer), device_(device), host_(std::move(host)) {
  std::ranges::fill(rows(), sampling_row{});
}

void step_sampler::begin() noexcept {
  std::ranges::fill(rows().first(count_), sampling_row{});
  count_ = 0;
  used_words_ = 0;
  on_host_.clear();
  chosen_on_host_.clear();
}

void step_sampler::add(const sequence_rows& s, token_id scored, std::span<const token_id> history) {
  auto& r = rows()[count_];
  if (scored != no_token) {
    r = sampling_row{};
    r.kind = reading_kind::score;
    r.scored = scored;
    r.top = s.scored_top;
  } else {
    r = row_of(s, history);
    if (s.sampling.rules) {
      const auto before = used_words_;
      const auto kept = buffer_->used();
      if (!add_rules(r, s.sampling, history)) {
        used_words_ = before;
        buffer_->keep(kept);
        r.kind = reading_kind::read_back;
        on_host_.push_back(count_);
      }
    }
  }
  ++count_;
}

std::optional<std::uint32_t> step_sampler::take_words(std::size_t count) {
  if (count > limits_.words - used_words_) return std::nullopt;
  const auto first = buffer_->take(count);
  if (first) used_words_ += static_cast<std::uint32_t>(count);
  return first;
}

/// A mask of those of the ids that lie in the vocabulary.
std::optional<std::uint32_t> step_sampler::take_mask(std::span<const token_id> ids) {
  const auto first = take_words(mask_words(limits_.vocab));
  if (!first) return std::nullopt;
  auto* mask = buffer_->host_words(*first);
  std::fill_n(mask, mask_words(limits_.vocab), 0u);
  for (auto token : ids) {
    const auto id = static_cast<std::uint32_t>(token);
    if (id < limits_.vocab) mask[id / 32] |= 1u << (id % 32);
  }
  return first;
}

/// False where the words have no room.
bool step_sampler::add_rules(sampling_row& r, const sampling_params& p, std::span<const token_id> history) {
  auto& rules = *p.rules;
  r.adjusted = 1;
  if (rules.allowed) {
    const auto mask = take_mask(*rules.allowed);
    if (!mask) return false;
    r.allowed = *mask;
  }
  find_banned(rules, history.subspan(r.prompt_tokens), p.min_tokens, banned_);
  const auto banned = take_words(banned_.size());
  const auto biases = banned ? take_words(2 * rules.biases.size()) : std::nullopt;
  if (!biases) return false;
  r.first_banned = *banned;
  r.banned = static_cast<std::uint32_t>(banned_.size());
  r.first_bias = *biases;
  r.biases = static_cast<std::uint32_t>(rules.biases.size());
  auto* to = buffer_->host_words(*banned);
  for (auto token : banned_)
    *to++ = static_cast<std::uint32_t>(token);
  for (auto& b : rules.biases) {
    *to++ = static_cast<std::uint32_t>(b.token);
    *to++ = std::bit_cast<std::uint32_t>(b.bias);
  }
  if (!rules.mark || history.empty()) return true;
  marks_.assign(limits_.vocab, 0.0f);
  add_watermark(marks_, {rules.mark->gamma, 1.0f}, history.back(), permutation_);
  const auto mask = take_mask({});
  if (!mask) return false;
  auto* marked = buffer_->host_words(*mask);
  for (std::uint32_t id = 0; id < limits_.vocab; ++id)
    if (marks_[id] != 0) marked[id / 32] |= 1u << (id % 32);
  r.marked = *mask;
  r.delta = rules.mark->delta;
  return true;
}

result<void> step_sampler::sample(const float* x, std::size_t x_stride, std::uint32_t first,
                                  std::uint32_t rows, const token_history& history, const stream& s) const {
  const auto* readings = buffer_->device(at_.rows) + first;
  const auto* words = buffer_->words();
  const auto vocab = limits_.vocab, ids = limits_.token_ids;
  if (auto ok = summarise({x, x_stride, rows, vocab, ids, device_.pieces}, s); !ok) return ok;
  if (auto ok = adjust({x, x_stride, rows, vocab, ids, readings, history.device(), history.stride(), words,
                        device_.logits, vocab, device_.pieces},
                       s);
      !ok)
    return ok;
  return gpu::sample({x, x_stride, rows, vocab, ids, readings, device_.logits, vocab, device_.pieces,
                      device_.results + first},
                     s);
}

result<void> step_sampler::download(const stream& s) const {
  return s.to_host(host_.results.data(), device_.results, count_ * sizeof(sampling_result));
}

result<void> step_sampler::choose_on_host(std::uint32_t i, const float* x, const sequence_rows& s,
                                          std::span<const token_id> history, const stream& stream) {
  if (auto ok = stream.to_host(host_.logits.data(), x, limits_.vocab * sizeof(float)); !ok) return ok;
  if (auto ok = stream.synchronise(); !ok) return ok;
  auto chosen =
      host_sampler_.choose(host_.logits.as<float>().first(limits_.vocab),
                           {history, s.prompt_tokens, s.sampling, s.choice, limits_.token_ids, s.top});
  chosen_on_host_.emplace_back(i, std::move(chosen));
  return {};
}

token_choice step_sampler::told(std::uint32_t i) const {
  for (auto& [reading, choice] : chosen_on_host_)
    if (reading == i) return choice;
  const auto& r = host_.results.as<sampling_result>()[i];
  return {r.token, r.logprob, r.rank, {r.top, r.top + r.tops}};
}

}  // namespace lorica::gpu
