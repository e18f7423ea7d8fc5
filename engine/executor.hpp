#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "core/device_report.hpp"
#include "core/error.hpp"
#include "engine/adapter_packer.hpp"
#include "engine/batch.hpp"

namespace lorica {

/// What an executor can hold; fixed after construction.
struct executor_limits {
  std::uint32_t block_tokens = 16;  ///< tokens per KV block
  std::uint32_t blocks = 0;         ///< KV blocks in the pool
  std::uint32_t max_sequences = 0;  ///< slots
  std::uint32_t max_rows = 0;       ///< rows per step
  std::uint32_t max_positions = 0;  ///< longest sequence
  std::uint32_t max_adapters = 0;   ///< attached at once; 0: as many as memory holds
  std::uint64_t weight_bytes = 0;
  std::uint64_t kv_bytes = 0;
  std::uint64_t workspace_bytes = 0;
};

/// The seam between scheduling and computing: raw handles, flat arrays, no mailbox. One thread calls
/// `execute`, `attach` and `detach`; `packer` may be used from others. The executor owns the KV pool and, per
/// slot, the tokens it has seen (for penalties) and the last one sampled. Invariant: a row's result depends
/// only on its own sequence, never on the other rows, the chunking or the number of threads.
class executor {
 public:
  virtual ~executor() = default;

  virtual const executor_limits& limits() const noexcept = 0;

  /// `float32 (avx512)` or the like, for logs and `/info`.
  virtual std::string description() const = 0;

  /// The device that computes; nothing where the processor does.
  virtual std::optional<device_report> device() const { return std::nullopt; }

  virtual const adapter_packer& packer() const noexcept = 0;

  /// Computes one step. A batch that breaks its contract is `errc::internal`; a device failure is
  /// `errc::generation_failed`. Either way the KV content at the positions of the batch's rows is undefined
  /// afterwards; what lies before them stays, which other sequences may share.
  virtual result<step_output> execute(const batch& step) = 0;

  /// Nothing can be computed any more in this process: the device is gone, or what the driver keeps of it is
  /// broken. Told after `execute` or `attach` has failed.
  virtual bool lost() const noexcept { return false; }

  /// Makes an adapter usable in later steps (a copy to the device where there is one; nothing on a CPU).
  /// `errc::out_of_memory` where it has room only once others were detached.
  virtual result<void> attach(const std::shared_ptr<const packed_adapter>& adapter) = 0;

  /// Takes an adapter out; no later step names it.
  virtual void detach(const packed_adapter& adapter) noexcept = 0;

  /// No sequence is here: gives memory back that the next step takes again, and that of `empty` KV blocks
  /// (ascending), whose content nobody wants.
  virtual void rest(std::span<const std::uint32_t> empty) noexcept = 0;
};

}  // namespace lorica
