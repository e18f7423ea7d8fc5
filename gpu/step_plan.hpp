#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/error.hpp"
#include "engine/batch.hpp"
#include "engine/executor.hpp"
#include "gpu/adapter_slots.hpp"
#include "gpu/lora_tiling.hpp"
#include "gpu/step_buffer.hpp"
#include "gpu/step_tables.hpp"
#include "gpu/token_history.hpp"

namespace lorica::gpu {

/// What adapters add to rows of a step, for `lora_args`. No tiles: nothing.
struct adapters_of_rows {
  const lora_segment* segments = nullptr;
  const lora_use* uses = nullptr;
  lora_tiles tiles;
  lora_grid grid;
};

/// What a step's low-rank inputs have room for; fixed for a life.
struct low_rank_room {
  std::uint32_t width = 0;    ///< ranks of a composition in its widest group
  std::uint32_t deepest = 0;  ///< most inputs of any map
  std::uint32_t few = 64;     ///< rows whose sums are in planes

  std::uint64_t floats(std::uint32_t rows) const noexcept {
    return lora_input_floats(rows, few, width, deepest);
  }
};

/// Neighbouring readings whose logits come from the same matrix.
struct head_run {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  const bfloat* matrix = nullptr;  ///< null: the base's head
};

/// A batch that kept its contract as tables for the device, and what the host decides by. Owned by the
/// executor and used again; no step allocates device memory. Whoever adds words of a step to the buffer does
/// so after `prepare`.
class step_plan {
 public:
  /// Tables of the segments of rows, or of readings.
  struct adapter_sections {
    step_section<std::uint32_t> segment_of;
    step_section<lora_segment> segments;
    step_section<std::uint32_t> count;
    step_section<lora_tile> few, many;
    step_section<std::uint32_t> tile_counts;

    adapter_sections(step_layout& to, const executor_limits& limits);
  };

  /// All tables of a plan; adds them to what a step's buffer holds, and the words of its block tables.
  struct sections {
    step_section<token_id> tokens;
    step_section<std::uint32_t> positions, slots, first_block, single, read_rows;
    step_section<row_tile> tiles;
    step_section<lora_use> uses;
    adapter_sections of_rows, of_readings;

    sections(step_layout& to, const executor_limits& limits);
  };

  /// Writes where `at` says in `buffer`, which outlives the plan.
  step_plan(const executor_limits& limits, const low_rank_room& room, const sections& at,
            step_buffer& buffer);

  /// Begins a step in the buffer: writes the tables, and `history` on the host. `rows` beyond those of the
  /// batch are idle; at least as many as it has. `errc::internal` where a table has too little room. The step
  /// outlives the plan's use.
  result<void> prepare(const batch& step, std::uint32_t rows, const adapter_slots& adapters,
                       token_history& history);

  /// What adapters do to readings [first, first + count) alone, counted from `first`; after a step was
  /// prepared it is that of all of them. The tables are to be uploaded again, once the copy before is done.
  result<void> choose_readings(std::uint32_t first, std::uint32_t count);

  /// A step of `rows` idle rows, to be recorded or to warm up with.
  result<void> prepare_idle(std::uint32_t rows);

  const batch& step() const noexcept { return *step_; }
  std::uint32_t rows() const noexcept { return rows_; }
  row_tables tables() const noexcept;
  const row_tile* tiles() const noexcept { return buffer_->device(at_.tiles); }
  std::uint32_t tile_count() const noexcept { return tile_count_; }

  /// Rows of sequences with one row: [count] numbers, or null where these are all rows.
  const std::uint32_t* single_rows() const noexcept;
  std::uint32_t single_count() const noexcept { return single_count_; }

  /// Rows whose logits are read, in order.
  std::span<const step_reading> readings() const noexcept { return readings_; }
  std::uint32_t sampled() const noexcept { return sampled_; }

  /// Row numbers of the readings; null where all rows are read.
  const std::uint32_t* read_rows() const noexcept;

  /// Every row is the only one of its sequence and samples.
  bool decodes_only() const noexcept { return decodes_only_; }

  bool has_adapters() const noexcept { return has_adapters_; }
  bool changes_embedding() const noexcept { return changes_embedding_; }
  bool changes_head() const noexcept { return changes_head_; }
  /// Slots of the adapters in use, each once.
  std::span<const std::uint32_t> slots() const noexcept { return slots_; }
  adapters_of_rows row_adapters() const noexcept { return row_adapters_; }
  adapters_of_rows read_adapters() const noexcept { return read_adapters_; }
  segment_tables segments() const noexcept;

  /// Readings in runs of the same head.
  std::span<const head_run> head_runs() const noexcept { return head_runs_; }

  const low_rank_room& room() const noexcept { return room_; }

  /// How segments of later steps are cut; before that, as by default.
  void choose(const lora_choice& choice) noexcept { choice_ = choice; }
  const lora_choice& choice() const noexcept { return choice_; }

 private:
  result<void> fill_sequences(token_history& history);
  void read(const sequence_rows& s, std::uint32_t number);
  void fill_idle_rows(std::uint32_t first);
  result<void> fill_uses(const adapter_slots& adapters);
  result<adapters_of_rows> fill_segments(std::span<const segment> segments, std::uint32_t rows,
                                         const adapter_sections& to);
  std::vector<segment> narrowed(std::uint32_t first_reading, std::uint32_t count) const;
  void fill_head_runs(std::span<const segment> narrow, std::uint32_t count);
  void clear();

  executor_limits limits_;
  low_rank_room room_;
  lora_choice choice_;
  sections at_;
  step_buffer* buffer_;
  const batch* step_ = nullptr;
  const adapter_slots* adapters_ = nullptr;  // of the step
  std::uint32_t rows_ = 0, tile_count_ = 0, single_count_ = 0, sampled_ = 0;
  bool decodes_only_ = false, has_adapters_ = false, changes_embedding_ = false, changes_head_ = false;
  adapters_of_rows row_adapters_, read_adapters_;
  std::vector<step_reading> readings_;
  std::vector<std::uint32_t> slots_, widths_;
  std::vector<head_run> head_runs_;
};

}  // namespace lorica::gpu
