#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/error.hpp"
#include "engine/batch.hpp"
#include "engine/sampler.hpp"
#include "gpu/arena.hpp"
#include "gpu/pinned.hpp"
#include "gpu/sampling_row.hpp"
#include "gpu/step_buffer.hpp"
#include "gpu/stream.hpp"
#include "gpu/summary.hpp"
#include "gpu/token_history.hpp"

namespace lorica::gpu {

/// How much a sampler can hold; fixed for its life.
struct sampler_limits {
  std::uint32_t readings = 0;     ///< rows of a step whose logits are read
  std::uint32_t logits_rows = 0;  ///< of these, how many logits are held at once, at least 1
  std::uint32_t vocab = 0;        ///< <= most_vocab
  std::uint32_t token_ids = 0;    ///< as in `sampling_context`
  /// For the rules of all readings of a step: vocab / 32 for `allowed` ids and as many for a watermark, one
  /// for a banned id, two for a bias.
  std::uint32_t words = std::uint32_t{1} << 19;
};

/// Chooses the tokens of a step on the device, from logits that never leave it. Order of a step:
///
///   begin; add for every reading, in order                        (host)
///   the step's buffer goes to the device                          (one copy)
///   sample for every part of the logits                           (may be recorded)
///   behind each part `choose_on_host` for its readings that `needs_host`
///   download; a wait for the stream; told
///
/// Where a step's rules outgrow the tables, the readings that found no room are chosen by the host from a
/// copy of their logits, with the same arithmetic. Used by the thread of the executor.
class step_sampler {
 public:
  /// All tables of a sampler; adds them to what a step's buffer holds, and the words of its rules.
  struct sections {
    step_section<sampling_row> rows;

    sections(step_layout& to, const sampler_limits& limits);
  };

  /// Takes its device memory from the arena, `device_bytes` at most. Writes where `at` says in `buffer`,
  /// which outlives the sampler.
  static result<step_sampler> create(const sampler_limits& limits, const sections& at, step_buffer& buffer,
                                     arena& memory);
  static std::uint64_t device_bytes(const sampler_limits& limits) noexcept;

  /// A new step, which the buffer has begun.
  void begin() noexcept;

  /// The next reading; readings behind the last one are idle. `scored` as in `step_reading`. `history` are
  /// the slot's tokens up to and including the row's own. References last for the call.
  void add(const sequence_rows& s, token_id scored, std::span<const token_id> history);

  /// Chooses for readings [first, first + rows), whose logits are float32 [rows, vocab], rows `x_stride`
  /// elements apart; rows <= logits_rows. Idle ones may be among them. `history`: the device's half.
  result<void> sample(const float* x, std::size_t x_stride, std::uint32_t first, std::uint32_t rows,
                      const token_history& history, const stream& s) const;

  /// Results of all readings that were added; there when the stream was waited for.
  result<void> download(const stream& s) const;

  std::uint32_t readings() const noexcept { return count_; }

  /// Readings that the host chooses for, ascending; usually none.
  std::span<const std::uint32_t> needs_host() const noexcept { return on_host_; }

  /// Copies the logits x [vocab] of reading `i` from the device, waits, and chooses, as the CPU does; while
  /// they are there. What `download` brings for the reading does not count.
  result<void> choose_on_host(std::uint32_t i, const float* x, const sequence_rows& s,
                              std::span<const token_id> history, const stream& stream);

  /// What was chosen or told for reading `i`; valid after the wait.
  token_choice told(std::uint32_t i) const;

 private:
  struct device_memory {
    float* logits = nullptr;
    logit_piece* pieces = nullptr;
    sampling_result* results = nullptr;
  };
  struct host_memory {
    pinned_buffer results;
    pinned_buffer logits;
  };

  step_sampler(const sampler_limits& limits, const sections& at, step_buffer& buffer,
               const device_memory& device, host_memory host);

  std::span<sampling_row> rows() const noexcept { return buffer_->host(at_.rows); }
  bool add_rules(sampling_row& r, const sampling_params& p, std::span<const token_id> history);
  std::optional<std::uint32_t> take_words(std::size_t count);
  std::optional<std::uint32_t> take_mask(std::span<const token_id> ids);

  sampler_limits limits_;
  sections at_;
  step_buffer* buffer_;
  device_memory device_;
  host_memory host_;
  std::uint32_t count_ = 0;
  std::uint32_t used_words_ = 0;  // of `limits_.words`
  std::vector<std::uint32_t> on_host_;
  std::vector<std::pair<std::uint32_t, token_choice>> chosen_on_host_;  // by reading
  sampler host_sampler_;
  std::vector<token_id> banned_;            // scratch
  std::vector<float> marks_;                // likewise [vocab], zero between calls
  std::vector<std::uint32_t> permutation_;  // likewise
};

}  // namespace lorica::gpu
