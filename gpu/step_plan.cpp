#include "gpu/step_plan.hpp"

#include <algorithm>
#include <array>

#include "core/generation.hpp"
#include "gpu/packed_adapter.hpp"

namespace lorica::gpu {
namespace {

error too_small(const std::string& what) {
  return fail(errc::internal, "the tables of a step have too little room for its " + what);
}

const gpu_packed_adapter& packed(const adapter_use& use) noexcept {
  return static_cast<const gpu_packed_adapter&>(*use.adapter);
}

/// Words of the longest block table.
std::uint32_t blocks_of(const executor_limits& l) noexcept {
  return (l.max_positions + l.block_tokens - 1) / l.block_tokens;
}

}  // namespace

step_plan::adapter_sections::adapter_sections(step_layout& to, const executor_limits& l)
    : segment_of(to.add<std::uint32_t>(l.max_rows)),
      segments(to.add<lora_segment>(l.max_rows)),
      count(to.add<std::uint32_t>(1)),
      few(to.add<lora_tile>(most_lora_tiles(l.max_rows))),
      many(to.add<lora_tile>(most_lora_tiles(l.max_rows))),
      tile_counts(to.add<std::uint32_t>(2)) {}

step_plan::sections::sections(step_layout& to, const executor_limits& l)
    : tokens(to.add<token_id>(l.max_rows)),
      positions(to.add<std::uint32_t>(l.max_rows)),
      slots(to.add<std::uint32_t>(l.max_rows)),
      first_block(to.add<std::uint32_t>(l.max_rows)),
      single(to.add<std::uint32_t>(l.max_rows)),
      read_rows(to.add<std::uint32_t>(l.max_rows)),
      tiles(to.add<row_tile>(l.max_rows)),
      uses(to.add<lora_use>(l.max_sequences * static_cast<std::uint32_t>(most_adapters))),
      of_rows(to, l),
      of_readings(to, l) {
  to.add_words(1 + std::uint64_t{l.max_sequences} * blocks_of(l));
}

step_plan::step_plan(const executor_limits& limits, const low_rank_room& room, const sections& at,
                     step_buffer& buffer)
    : limits_(limits), room_(room), at_(at), buffer_(&buffer) {
  readings_.reserve(limits.max_rows);
  clear();
}

void step_plan::clear() {
  step_ = nullptr;
  rows_ = tile_count_ = single_count_ = sampled_ = 0;
  decodes_only_ = has_adapters_ = changes_embedding_ = changes_head_ = false;
  readings_.clear();
  slots_.clear();
  head_runs_.clear();
  row_adapters_ = read_adapters_ = {};
  buffer_->keep(0);
  // Word 0 is the block table of idle rows.
  static_cast<void>(buffer_->append(std::array{limits_.blocks}));
}

result<void> step_plan::prepare(const batch& step, std::uint32_t rows, const adapter_slots& adapters,
                                token_history& history) {
  clear();
  if (rows > limits_.max_rows || step.tokens.size() > rows) return too_small("rows");
  step_ = &step;
  adapters_ = &adapters;
  rows_ = rows;
  has_adapters_ = !step.segments.empty();
  if (auto ok = fill_uses(adapters); !ok) return ok;
  auto of_rows = fill_segments(step.segments, rows, at_.of_rows);
  if (!of_rows) return of_rows.error();
  row_adapters_ = *of_rows;
  if (auto ok = fill_sequences(history); !ok) return ok;
  const auto used = static_cast<std::uint32_t>(step.tokens.size());
  decodes_only_ = single_count_ == used && readings_.size() == used && sampled_ == used;
  if (decodes_only_) single_count_ = rows;
  fill_idle_rows(used);
  return choose_readings(0, static_cast<std::uint32_t>(readings_.size()));
}

result<void> step_plan::choose_readings(std::uint32_t first, std::uint32_t count) {
  const auto narrow = narrowed(first, count);
  auto of_readings = fill_segments(narrow, count, at_.of_readings);
  if (!of_readings) return of_readings.error();
  read_adapters_ = *of_readings;
  head_runs_.clear();
  fill_head_runs(narrow, count);
  return {};
}

result<void> step_plan::prepare_idle(std::uint32_t rows) {
  clear();
  if (rows > limits_.max_rows) return too_small("rows");
  rows_ = rows;
  decodes_only_ = true;
  single_count_ = rows;
  fill_idle_rows(0);
  auto none = fill_segments({}, rows, at_.of_rows);
  if (!none) return none.error();
  row_adapters_ = *none;
  return {};
}

result<void> step_plan::fill_sequences(token_history& history) {
  auto tokens = buffer_->host(at_.tokens);
  auto positions = buffer_->host(at_.positions), slots = buffer_->host(at_.slots),
       first_block = buffer_->host(at_.first_block), single = buffer_->host(at_.single);
  std::ranges::copy(step_->tokens, tokens.begin());
  for (std::uint32_t number = 0; number < step_->sequences.size(); ++number) {
    auto& s = step_->sequences[number];
    if (tokens[s.first_row] == sampled_last) tokens[s.first_row] = history.last_sampled(s.slot).value_or(0);
    const auto needed = (s.context + s.rows + limits_.block_tokens - 1) / limits_.block_tokens;
    const auto table = buffer_->append(std::span(step_->block_table).subspan(s.first_block, needed));
    if (!table) return too_small("block tables");
    for (std::uint32_t r = 0; r < s.rows; ++r) {
      positions[s.first_row + r] = s.context + r;
      slots[s.first_row + r] = s.slot;
      first_block[s.first_row + r] = *table;
    }
    if (s.rows == 1) single[single_count_++] = s.first_row;
    for (std::uint32_t r = 0; s.rows > 1 && r < s.rows; r += tile_rows)
      buffer_->host(at_.tiles)[tile_count_++] = {s.first_row + r, std::min(tile_rows, s.rows - r),
                                                 s.context + r, *table};
    if (s.known != 0)
      history.write(s.slot, s.context - s.known, std::span(step_->known).subspan(s.first_known, s.known));
    history.write(s.slot, s.context, tokens.subspan(s.first_row, s.rows));
    read(s, number);
  }
  return {};
}

/// Adds the rows of a sequence whose logits are read.
void step_plan::read(const sequence_rows& s, std::uint32_t number) {
  const auto tokens = buffer_->host(at_.tokens);
  auto rows = buffer_->host(at_.read_rows);
  const auto add = [&](std::uint32_t row, std::uint32_t place, token_id scored) {
    rows[readings_.size()] = row;
    readings_.push_back({row, number, s.slot, place, scored});
  };
  const auto last = s.first_row + s.rows - 1;
  for (auto row = s.first_row + s.first_scored; row < s.first_row + s.first_scored + s.scored; ++row)
    add(row, static_cast<std::uint32_t>(readings_.size()) - sampled_,
        row == last ? s.behind : tokens[row + 1]);
  if (s.sample) {
    add(last, sampled_, no_token);
    ++sampled_;
  }
}

void step_plan::fill_idle_rows(std::uint32_t first) {
  for (auto row = first; row < rows_; ++row) {
    buffer_->host(at_.tokens)[row] = 0;
    buffer_->host(at_.positions)[row] = 0;
    buffer_->host(at_.slots)[row] = limits_.max_sequences;
    buffer_->host(at_.first_block)[row] = 0;
    buffer_->host(at_.single)[row] = row;
  }
}

result<void> step_plan::fill_uses(const adapter_slots& adapters) {
  auto uses = buffer_->host(at_.uses);
  if (step_->uses.size() > uses.size()) return too_small("adapters");
  for (std::size_t i = 0; i < step_->uses.size(); ++i) {
    auto& use = step_->uses[i];
    const auto slot = adapters.slot_of(*use.adapter);
    if (!slot) return fail(errc::internal, "an adapter that is not on the device");
    uses[i] = {*slot, use.weight};
    if (std::ranges::find(slots_, *slot) == slots_.end()) slots_.push_back(*slot);
    changes_embedding_ |= packed(use).changes_embedding();
    changes_head_ |= packed(use).changes_head();
  }
  return {};
}

result<adapters_of_rows> step_plan::fill_segments(std::span<const segment> segments, std::uint32_t rows,
                                                  const adapter_sections& to) {
  auto out = buffer_->host(to.segments);
  auto segment_of = buffer_->host(to.segment_of);
  std::ranges::fill(segment_of.first(rows), no_segment);
  widths_.clear();
  for (std::uint32_t i = 0; i < segments.size(); ++i) {
    auto& s = segments[i];
    auto& first = packed(step_->uses[s.first_use]);
    out[i] = {s.first_row,
              s.rows,
              s.first_use,
              s.uses,
              s.combine == combination::linear ? 1u : 0u,
              first.shape().scaling.value_or(0.0f)};
    std::ranges::fill(segment_of.subspan(s.first_row, s.rows), i);
    std::uint32_t width = 0;
    for (auto use = s.first_use; use < s.first_use + s.uses; ++use)
      width += packed(step_->uses[use]).widest();
    if (width > room_.width)
      return fail(errc::generation_failed,
                  "adapters with " + std::to_string(width) +
                      " ranks together in one group of projections are used at once; there is room for " +
                      std::to_string(room_.width));
    widths_.push_back(width);
  }
  buffer_->host(to.count)[0] = static_cast<std::uint32_t>(segments.size());
  lora_tiling_args a;
  a.segments = out.first(segments.size());
  a.widths = widths_;
  a.deepest = room_.deepest;
  a.inputs = room_.floats(limits_.max_rows);
  a.choice = choice_;
  auto grid = cut_lora_tiles(a, buffer_->host(to.few), buffer_->host(to.many), buffer_->host(to.tile_counts));
  if (!grid) return grid.error();
  return adapters_of_rows{
      buffer_->device(to.segments),
      buffer_->device(at_.uses),
      {buffer_->device(to.few), buffer_->device(to.many), buffer_->device(to.tile_counts)},
      *grid};
}

/// The segments counted over readings [first_reading, first_reading + count).
std::vector<segment> step_plan::narrowed(std::uint32_t first_reading, std::uint32_t count) const {
  const auto read = readings().subspan(first_reading, count);
  std::vector<segment> out;
  for (auto s : step_->segments) {
    const auto place = [&](std::uint32_t row) {
      return static_cast<std::uint32_t>(std::ranges::lower_bound(read, row, {}, &step_reading::row) -
                                        read.begin());
    };
    const auto first = place(s.first_row), end = place(s.first_row + s.rows);
    s.first_row = first;
    s.rows = end - first;
    if (s.rows != 0) out.push_back(s);
  }
  return out;
}

void step_plan::fill_head_runs(std::span<const segment> narrow, std::uint32_t count) {
  const auto add = [&](std::uint32_t first, std::uint32_t end, const bfloat* matrix) {
    if (first == end) return;
    if (!head_runs_.empty() && head_runs_.back().matrix == matrix)
      head_runs_.back().count += end - first;
    else
      head_runs_.push_back({first, end - first, matrix});
  };
  std::uint32_t next = 0;
  for (auto& s : narrow) {
    add(next, s.first_row, nullptr);
    next = s.first_row + s.rows;
    add(s.first_row, next, adapters_->head_matrix(*adapters_->slot_of(*step_->uses[s.first_use].adapter)));
  }
  add(next, count, nullptr);
}

row_tables step_plan::tables() const noexcept {
  return {buffer_->device(at_.tokens), buffer_->device(at_.positions), buffer_->device(at_.slots),
          buffer_->device(at_.first_block), buffer_->words()};
}

const std::uint32_t* step_plan::single_rows() const noexcept {
  return single_count_ == rows_ ? nullptr : buffer_->device(at_.single);
}

const std::uint32_t* step_plan::read_rows() const noexcept {
  return decodes_only_ || readings_.size() == rows_ ? nullptr : buffer_->device(at_.read_rows);
}

segment_tables step_plan::segments() const noexcept {
  return {buffer_->device(at_.of_rows.segment_of), buffer_->device(at_.of_rows.segments),
          buffer_->device(at_.of_rows.count), buffer_->device(at_.uses)};
}

}  // namespace lorica::gpu
