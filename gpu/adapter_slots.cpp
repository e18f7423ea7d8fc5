#include "gpu/adapter_slots.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "gpu/copy_pace.hpp"
#include "gpu/event.hpp"
#include "gpu/pinned.hpp"

namespace lorica::gpu {
namespace {

constexpr std::uint32_t spare_rows = 2;      // so that the row used next was left some time ago
constexpr std::size_t remembered_steps = 8;  // at most so many are in flight

/// What of an adapter lies in one piece.
struct piece_place {
  std::byte* device = nullptr;
  std::uint64_t offset = 0;  // in the adapter's bytes
};

/// The device's address of what is at `host` there.
template <class T>
const T* on_device(const T* host, const std::byte* data, const piece_place& p) noexcept {
  if (!host) return nullptr;
  const auto at = static_cast<std::uint64_t>(reinterpret_cast<const std::byte*>(host) - data) - p.offset;
  return reinterpret_cast<const T*>(p.device + at);
}

adapter_group moved(adapter_group g, const std::byte* data, const piece_place& p) noexcept {
  g.a = on_device(g.a, data, p);
  for (auto& part : g.part) {
    part.b = on_device(part.b, data, p);
    part.gain = on_device(part.gain, data, p);
    part.offset = on_device(part.offset, data, p);
  }
  return g;
}

adapter_embedding moved(adapter_embedding e, const std::byte* data, const piece_place& p) noexcept {
  e.a = on_device(e.a, data, p);
  e.b = on_device(e.b, data, p);
  e.table = on_device(e.table, data, p);
  return e;
}

/// Which steps are done, by their numbers from 1 on.
class step_marks {
 public:
  static result<step_marks> create() {
    step_marks out;
    for (std::size_t i = 0; i < remembered_steps; ++i) {
      auto e = event::create();
      if (!e) return std::move(e).error();
      out.ends_.push_back(*std::move(e));
    }
    return out;
  }

  /// The step in `s` is the last one from now on.
  result<void> end(const stream& s) {
    ++last_;
    return ends_[last_ % ends_.size()].record(s);
  }

  std::uint64_t last() const noexcept { return last_; }

  result<bool> is_done(std::uint64_t step) {
    for (auto n = last_; n > done_ && n + ends_.size() > last_; --n) {
      auto reached = ends_[n % ends_.size()].reached();
      if (!reached) return std::move(reached).error();
      if (*reached) done_ = n;
    }
    return step <= done_;
  }

  /// Lets `s` wait for a step; for a later one where its mark is gone.
  result<void> wait_for(const stream& s, std::uint64_t step) const {
    const auto oldest = last_ < ends_.size() ? 1 : last_ - ends_.size() + 1;
    return s.wait_for(ends_[std::max(step, oldest) % ends_.size()]);
  }

 private:
  std::vector<event> ends_;  // of step n: n modulo their number
  std::uint64_t last_ = 0;
  std::uint64_t done_ = 0;
};

/// An adapter in a row of the table.
struct resident {
  std::shared_ptr<const gpu_packed_adapter> host;  // until it has arrived
  std::vector<piece_place> pieces;
  std::vector<std::uint64_t> offsets;         // in the memory, of the pieces that are not empty
  std::vector<std::optional<event>> arrival;  // of the pieces; empty once all have arrived
  const bfloat* head = nullptr;
};

/// What a detached adapter leaves.
struct remains {
  std::uint64_t step = 0;  // the last that may read it
  std::vector<std::uint64_t> offsets;
};

}  // namespace

struct adapter_slots::state {
  state(const adapter_slots_options& o, stream c, copy_pace p, step_marks m)
      : options(o),
        copies(std::move(c)),
        pace(std::move(p)),
        steps(std::move(m)),
        memory(o.bytes, o.slab_bytes),
        residents(rows()) {
    for (std::uint32_t row = 0; row < rows(); ++row)
      free_rows.push_back(row);
  }

  std::uint32_t rows() const noexcept { return options.slots + spare_rows; }
  std::uint32_t groups() const noexcept { return groups_of(options.layers); }

  result<void> take_table(arena& from);
  result<std::uint64_t> take(std::uint64_t bytes);
  result<void> take_pieces(const gpu_packed_adapter& adapter, resident& to);
  result<event> take_event();
  result<void> copy_pieces(const gpu_packed_adapter& adapter, resident& to);
  result<void> write_row(const gpu_packed_adapter& adapter, const resident& r, std::uint32_t row,
                         const stream& compute);
  result<void> forget_arrived();
  result<bool> arrived(resident& r);
  static result<std::uint64_t> bytes_to_come(const resident& r);
  result<std::uint64_t> all_bytes_to_come();

  adapter_slots_options options;
  stream copies;
  copy_pace pace;
  step_marks steps;
  slab_allocator memory;
  std::byte* data = nullptr;
  adapter_group* device_groups = nullptr;          // [rows][groups]
  adapter_embedding* device_embeddings = nullptr;  // [rows]
  std::optional<pinned_buffer> host_groups;        // the same
  std::optional<pinned_buffer> host_embeddings;
  std::vector<event> row_written;                  // that the copy of a row is done
  std::vector<std::optional<resident>> residents;  // by row
  std::deque<std::uint32_t> free_rows;             // the one that was left first in front
  std::unordered_map<const packed_adapter*, std::uint32_t> row_of;
  std::deque<remains> left;       // in the order of their steps
  std::vector<resident> leaving;  // detached before they had arrived
  std::vector<event> events;      // unused
};

result<void> adapter_slots::state::take_table(arena& from) {
  const auto count = std::uint64_t{rows()} * groups();
  auto g = from.take<adapter_group>(memory_part::adapters, "table of adapters", count);
  if (!g) return g.error();
  auto e = from.take<adapter_embedding>(memory_part::adapters, "table of adapted embeddings", rows());
  if (!e) return e.error();
  auto d = from.take(memory_part::adapters, "adapters", options.bytes);
  if (!d) return d.error();
  auto host_g = pinned_buffer::allocate(count * sizeof(adapter_group));
  if (!host_g) return std::move(host_g).error();
  auto host_e = pinned_buffer::allocate(rows() * sizeof(adapter_embedding));
  if (!host_e) return std::move(host_e).error();
  device_groups = *g;
  device_embeddings = *e;
  data = *d;
  host_groups = *std::move(host_g);
  host_embeddings = *std::move(host_e);
  for (std::uint32_t row = 0; row < rows(); ++row) {
    auto written = event::create();
    if (!written) return std::move(written).error();
    row_written.push_back(*std::move(written));
  }
  return {};
}

/// Memory that no step reads, or that one will have read before the stream of copies goes on.
result<std::uint64_t> adapter_slots::state::take(std::uint64_t bytes) {
  const auto give_back_first = [&] {
    for (auto offset : left.front().offsets)
      memory.give_back(offset);
    left.pop_front();
  };
  while (!left.empty()) {
    auto done = steps.is_done(left.front().step);
    if (!done) return std::move(done).error();
    if (!*done) break;
    give_back_first();
  }
  while (true) {
    if (auto offset = memory.take(bytes)) return *offset;
    if (left.empty()) break;
    if (auto ok = steps.wait_for(copies, left.front().step); !ok) return ok.error();
    give_back_first();
  }
  return fail(errc::out_of_memory, "a piece of an adapter needs " + std::to_string(bytes) +
                                       " bytes of device memory; " + std::to_string(memory.used()) + " of " +
                                       std::to_string(options.bytes) + " bytes for adapters are in use");
}

result<void> adapter_slots::state::take_pieces(const gpu_packed_adapter& adapter, resident& to) {
  for (auto& piece : adapter.pieces()) {
    to.pieces.push_back({nullptr, piece.offset});
    if (piece.bytes == 0) continue;
    auto offset = take(piece.bytes);
    if (!offset) {
      for (auto taken : to.offsets)
        memory.give_back(taken);
      return std::move(offset).error();
    }
    to.offsets.push_back(*offset);
    to.pieces.back().device = data + *offset;
  }
  return {};
}

result<event> adapter_slots::state::take_event() {
  if (events.empty()) return event::create();
  auto out = std::move(events.back());
  events.pop_back();
  return out;
}

result<void> adapter_slots::state::copy_pieces(const gpu_packed_adapter& adapter, resident& to) {
  if (auto ok = pace.begin(copies); !ok) return ok;
  for (std::size_t i = 0; i < adapter.pieces().size(); ++i) {
    auto& piece = adapter.pieces()[i];
    auto& arrival = to.arrival.emplace_back();
    if (piece.bytes == 0) continue;
    if (auto ok = copies.to_device(to.pieces[i].device, adapter.data() + piece.offset, piece.bytes); !ok)
      return ok;
    auto e = take_event();
    if (!e) return std::move(e).error();
    if (auto ok = e->record(copies); !ok) return ok;
    arrival = *std::move(e);
  }
  return pace.end(copies, adapter.copied_bytes());
}

/// In `compute`'s order, so that steps before see the row as it was.
result<void> adapter_slots::state::write_row(const gpu_packed_adapter& adapter, const resident& r,
                                             std::uint32_t row, const stream& compute) {
  if (auto ok = row_written[row].wait(); !ok) return ok;  // long ago: rows are used in turn
  const auto per_row = groups();
  auto to = host_groups->as<adapter_group>().subspan(std::size_t{row} * per_row, per_row);
  for (std::uint32_t i = 0; i < per_row; ++i)
    to[i] = moved(adapter.groups()[i], adapter.data(), r.pieces[1 + i / lora_group_count]);
  auto* embedding = host_embeddings->as<adapter_embedding>().data() + row;
  *embedding = moved(adapter.embedding(), adapter.data(), r.pieces.front());
  if (auto ok = compute.to_device(device_groups + std::size_t{row} * per_row, to.data(), to.size_bytes());
      !ok)
    return ok;
  if (auto ok = compute.to_device(device_embeddings + row, embedding, sizeof *embedding); !ok) return ok;
  return row_written[row].record(compute);
}

/// Whether all pieces are there; then its events and its host memory are let go.
result<bool> adapter_slots::state::arrived(resident& r) {
  for (auto e = r.arrival.rbegin(); e != r.arrival.rend(); ++e) {
    if (!*e) continue;
    auto reached = (*e)->reached();
    if (!reached) return std::move(reached).error();
    if (!*reached) return false;
    break;  // pieces arrive in order
  }
  for (auto& e : r.arrival)
    if (e) events.push_back(*std::move(e));
  r.arrival.clear();
  if (r.host) r.host->expect_in(0);
  r.host.reset();
  if (auto ok = pace.look(); !ok) return ok.error();
  return true;
}

result<std::uint64_t> adapter_slots::state::bytes_to_come(const resident& r) {
  std::uint64_t out = 0;
  for (auto i = r.arrival.size(); i-- > 0;) {
    if (!r.arrival[i]) continue;
    auto reached = r.arrival[i]->reached();
    if (!reached) return std::move(reached).error();
    if (*reached) break;
    out += r.host->pieces()[i].bytes;
  }
  return out;
}

/// Of all that copies are under way of. Lets go of what has arrived.
result<std::uint64_t> adapter_slots::state::all_bytes_to_come() {
  if (auto ok = forget_arrived(); !ok) return ok.error();
  std::uint64_t out = 0;
  const auto add = [&](resident& r) -> result<void> {
    if (r.arrival.empty()) return {};
    auto left = bytes_to_come(r);
    if (!left) return std::move(left).error();
    out += *left;
    if (*left != 0) return {};
    auto here = arrived(r);
    return here ? result<void>() : std::move(here).error();
  };
  for (auto& r : residents)
    if (r)
      if (auto ok = add(*r); !ok) return ok.error();
  for (auto& r : leaving)
    if (auto ok = add(r); !ok) return ok.error();
  return out;
}

result<void> adapter_slots::state::forget_arrived() {
  for (auto r = leaving.begin(); r != leaving.end();) {
    auto there = arrived(*r);
    if (!there) return std::move(there).error();
    r = *there ? leaving.erase(r) : r + 1;
  }
  return {};
}

adapter_slots::adapter_slots(std::unique_ptr<state> s) : state_(std::move(s)) {}
adapter_slots::adapter_slots(adapter_slots&&) noexcept = default;
adapter_slots& adapter_slots::operator=(adapter_slots&&) noexcept = default;

/// Copies read host memory that is let go here.
adapter_slots::~adapter_slots() {
  if (state_) static_cast<void>(state_->copies.synchronise());
}

result<adapter_slots> adapter_slots::create(arena& memory, const adapter_slots_options& options) {
  auto copies = stream::create();
  if (!copies) return std::move(copies).error();
  auto steps = step_marks::create();
  if (!steps) return std::move(steps).error();
  auto pace = copy_pace::create();
  if (!pace) return std::move(pace).error();
  auto s = std::make_unique<state>(options, *std::move(copies), *std::move(pace), *std::move(steps));
  if (auto ok = s->take_table(memory); !ok) return ok.error();
  return adapter_slots(std::move(s));
}

result<void> adapter_slots::attach(std::shared_ptr<const gpu_packed_adapter> adapter, const stream& compute) {
  auto& s = *state_;
  if (s.row_of.contains(adapter.get())) return fail(errc::internal, "an adapter is attached twice");
  if (adapter->groups().size() != s.groups())
    return fail(errc::internal, "an adapter is of a model with another number of layers");
  if (s.row_of.size() == s.options.slots)
    return fail(errc::out_of_memory,
                "all " + std::to_string(s.options.slots) + " slots for adapters on the device are in use");
  auto before = s.all_bytes_to_come();
  if (!before) return std::move(before).error();
  resident r;
  if (auto ok = s.take_pieces(*adapter, r); !ok) return ok;
  const auto row = s.free_rows.front();
  if (auto ok = s.write_row(*adapter, r, row, compute); !ok) return ok;
  r.head = on_device(adapter->head_matrix().weights, adapter->data(), r.pieces.back());
  r.host = adapter;
  const auto copied = s.copy_pieces(*adapter, r);
  adapter->expect_in(s.pace.seconds(*before + adapter->copied_bytes()));
  s.free_rows.pop_front();
  s.residents[row] = std::move(r);
  s.row_of[adapter.get()] = row;
  return copied;
}

void adapter_slots::detach(const packed_adapter& adapter) noexcept {
  auto& s = *state_;
  const auto found = s.row_of.find(&adapter);
  if (found == s.row_of.end()) return;
  const auto row = found->second;
  s.row_of.erase(found);
  auto& r = *s.residents[row];
  s.left.push_back({s.steps.last(), std::move(r.offsets)});
  if (r.host) s.leaving.push_back(std::move(r));
  s.residents[row].reset();
  s.free_rows.push_back(row);
}

result<void> adapter_slots::step_ended(const stream& compute) {
  return state_->steps.end(compute);
}

std::optional<std::uint32_t> adapter_slots::slot_of(const packed_adapter& adapter) const noexcept {
  const auto found = state_->row_of.find(&adapter);
  if (found == state_->row_of.end()) return std::nullopt;
  return found->second;
}

result<bool> adapter_slots::arrived(std::uint32_t slot) {
  return state_->arrived(*state_->residents[slot]);
}

result<std::uint64_t> adapter_slots::bytes_to_come(std::uint32_t slot) {
  return state::bytes_to_come(*state_->residents[slot]);
}

result<void> adapter_slots::wait_for(const stream& s, std::span<const std::uint32_t> slots,
                                     adapter_arrival what, std::uint32_t layer) {
  for (auto slot : slots) {
    auto& arrival = state_->residents[slot]->arrival;
    if (arrival.empty()) continue;
    const auto piece = what == adapter_arrival::embedding ? 0
                       : what == adapter_arrival::head    ? arrival.size() - 1
                                                          : std::size_t{layer} + 1;
    if (arrival[piece])
      if (auto ok = s.wait_for(*arrival[piece]); !ok) return ok;
  }
  return {};
}

const bfloat* adapter_slots::head_matrix(std::uint32_t slot) const noexcept {
  return state_->residents[slot]->head;
}

adapter_table adapter_slots::table() const noexcept {
  return {state_->device_groups, state_->device_embeddings, state_->groups()};
}

std::span<std::byte> adapter_slots::memory() const noexcept {
  return {state_->data, state_->options.bytes};
}

std::uint64_t adapter_slots::used_bytes() const noexcept {
  return state_->memory.used();
}

std::uint64_t adapter_slots::table_bytes() const noexcept {
  return arena::charged(std::uint64_t{state_->rows()} * state_->groups() * sizeof(adapter_group)) +
         arena::charged(state_->rows() * sizeof(adapter_embedding));
}

}  // namespace lorica::gpu
