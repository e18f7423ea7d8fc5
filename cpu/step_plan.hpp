#pragma once

#include <cstdint>
#include <unordered_set>
#include <vector>

#include "core/error.hpp"
#include "cpu/packed_adapter.hpp"
#include "cpu/token_history.hpp"
#include "engine/batch.hpp"
#include "engine/batch_contract.hpp"
#include "engine/executor.hpp"

namespace lorica {

/// A row and a head, in that order: where a thread's part of attention begins.
struct attention_item {
  std::uint32_t row = 0;
  std::uint32_t head = 0;

  auto operator<=>(const attention_item&) const = default;
};

/// A row whose logits are read.
struct reading {
  std::uint32_t row = 0;
  std::uint32_t sequence = 0;  ///< index into `batch::sequences`
  std::uint32_t place = 0;     ///< in `step_output::tokens`, or in `scored`
  token_id scored = no_token;  ///< the prompt token that is told; `no_token`: one is chosen
};

/// A batch that kept its contract, with what the kernels ask per row. Owned by the executor and used again,
/// so that no step allocates.
class step_plan {
 public:
  step_plan(const executor_limits& limits, const model_config& model, unsigned members);

  /// Checks every rule of batch.hpp, then fills the tables and writes `history`. A broken rule is
  /// `errc::internal`, the text names it, and nothing was written. `members` of the team will work on it.
  result<void> prepare(const batch& step, const std::unordered_set<const packed_adapter*>& attached,
                       token_history& history, unsigned members);

  /// What is left of `whole` once its keys and values are written: of each sequence the rows from the first
  /// that is read to the last one. Valid while `whole` is and its step lives.
  void narrow(const step_plan& whole, unsigned members);

  /// The row of `whole` that row `row` of a narrowed plan was.
  std::uint32_t whole_row(std::uint32_t row) const noexcept { return kept_[row]; }

  const batch& step() const noexcept { return *step_; }
  std::uint32_t rows() const noexcept { return static_cast<std::uint32_t>(tokens_.size()); }
  token_id token(std::uint32_t row) const noexcept { return tokens_[row]; }
  std::uint32_t position(std::uint32_t row) const noexcept { return positions_[row]; }
  const std::uint32_t* blocks(std::uint32_t row) const noexcept {
    return step_->block_table.data() + step_->sequences[sequence_[row]].first_block;
  }

  /// The first row of its sequence in this step: the rows behind it read what it has just read, and more.
  bool begins_sequence(std::uint32_t row) const noexcept {
    return step_->sequences[sequence_[row]].first_row == row;
  }

  /// Rows whose logits are read, in order; `sampled()` of them choose a token.
  const std::vector<reading>& readings() const noexcept { return readings_; }
  std::uint32_t sampled() const noexcept { return sampled_; }

  /// An adapter in use, by the number of the use.
  const cpu_packed_adapter& adapter(std::uint32_t use) const noexcept {
    return static_cast<const cpu_packed_adapter&>(*step_->uses[use].adapter);
  }

  /// What a merged segment scales by: all modules of its first adapter have this scaling.
  float merge_scaling(const segment& s) const noexcept {
    return adapter(s.first_use).shape().scaling.value_or(0.0f);
  }

  /// A segment of this step is merged.
  bool merges() const noexcept { return merges_; }

  /// The segment of a row; null for base rows.
  const segment* segment_of(std::uint32_t row) const noexcept;

  /// The segment of a row whose adapters change the head; null for the others.
  const segment* head_segment_of(std::uint32_t row) const noexcept;

  /// An adapter of this step changes the head.
  bool changes_head() const noexcept { return changes_head_; }

  /// Elements of low-rank input that the widest composition of this step needs per row.
  std::uint32_t low_rank_width() const noexcept { return low_rank_width_; }

  /// Where member `m`'s part of attention begins; it ends where that of `m + 1` begins. Parts cost the same.
  attention_item attention_begin(unsigned m) const noexcept { return attention_[m]; }

 private:
  bool changes_head(const segment& s) const noexcept;
  void fill(const batch& step, token_history& history);
  void read(const sequence_rows& s, std::uint32_t number);
  void keep(const sequence_rows& s, std::uint32_t first, std::uint32_t last);
  void share_attention(unsigned members);

  model_config model_;
  batch_contract contract_;
  const batch* step_ = nullptr;
  std::vector<token_id> tokens_;
  std::vector<std::uint32_t> positions_;
  std::vector<std::uint32_t> sequence_;
  std::vector<reading> readings_;
  std::uint32_t sampled_ = 0;
  std::vector<attention_item> attention_;
  std::uint32_t low_rank_width_ = 0;
  bool changes_head_ = false;
  bool merges_ = false;
  batch own_;                        // of a narrowed plan
  std::vector<std::uint32_t> kept_;  // likewise
};

}  // namespace lorica
