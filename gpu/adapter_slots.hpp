#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "core/error.hpp"
#include "gpu/adapter_table.hpp"
#include "gpu/arena.hpp"
#include "gpu/packed_adapter.hpp"
#include "gpu/slab_allocator.hpp"
#include "gpu/stream.hpp"

namespace lorica::gpu {

/// How much there is of what adapters need on the device; fixed for a life.
struct adapter_slots_options {
  std::uint32_t layers = 0;  ///< of the model
  std::uint32_t slots = 0;   ///< adapters at once; two more rows of the table are made
  std::uint64_t bytes = 0;   ///< for A and B
  std::uint64_t slab_bytes = slab_allocator::page_bytes;  ///< slabs are multiples of this, a multiple of 256
};

/// What a step waits for before it reads a piece of an adapter.
enum class adapter_arrival : std::uint8_t { embedding, layer, head };

/// The adapters on the device. Attaching and detaching change a row of the table and start copies; they wait
/// for nothing. Copies go piece by piece on a stream of their own; a step that names an adapter before it has
/// arrived waits on the device, before each piece, with `wait_for`. Memory and rows are used again when the
/// last step that may read them is done. Owned by the executor, used by its thread.
class adapter_slots {
 public:
  adapter_slots(adapter_slots&&) noexcept;
  adapter_slots& operator=(adapter_slots&&) noexcept;
  ~adapter_slots();

  /// Takes the table and the memory from the arena (`memory_part::adapters`).
  static result<adapter_slots> create(arena& memory, const adapter_slots_options& options);

  /// Starts to copy an adapter, tells it when it will have arrived, and puts it into the table, in
  /// `compute`'s order. Keeps its host memory until it has arrived. `errc::out_of_memory` names what is
  /// missing; `errc::internal`: it is there already.
  result<void> attach(std::shared_ptr<const gpu_packed_adapter> adapter, const stream& compute);

  /// No later step names it.
  void detach(const packed_adapter& adapter) noexcept;

  /// To be called behind the last work of every step.
  result<void> step_ended(const stream& compute);

  /// The row of the table; nothing when it is not attached.
  std::optional<std::uint32_t> slot_of(const packed_adapter& adapter) const noexcept;

  /// All of the adapter in a slot is on the device: nobody need wait for it. Lets go of its host memory then.
  result<bool> arrived(std::uint32_t slot);

  /// Bytes of it that are not known to have arrived, for estimates.
  result<std::uint64_t> bytes_to_come(std::uint32_t slot);

  /// Lets `s` wait for a piece of every adapter in `slots`; nothing for those that have arrived. Not while a
  /// graph is recorded.
  result<void> wait_for(const stream& s, std::span<const std::uint32_t> slots, adapter_arrival what,
                        std::uint32_t layer = 0);

  /// The device's address of its own head; null: the base's.
  const bfloat* head_matrix(std::uint32_t slot) const noexcept;

  adapter_table table() const noexcept;

  /// Where A and B lie, on the device; anybody's while nothing is attached and no copy is under way.
  std::span<std::byte> memory() const noexcept;
  std::uint64_t used_bytes() const noexcept;  ///< of A and B, as charged
  std::uint64_t table_bytes() const noexcept;

 private:
  struct state;
  explicit adapter_slots(std::unique_ptr<state> s);

  std::unique_ptr<state> state_;
};

}  // namespace lorica::gpu
