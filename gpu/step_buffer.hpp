#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>

#include "core/error.hpp"
#include "gpu/arena.hpp"
#include "gpu/pinned.hpp"
#include "gpu/stream.hpp"

namespace lorica::gpu {

/// Where a table of `count` elements lies in a step's buffer.
template <class T>
struct step_section {
  std::uint64_t offset = 0;  ///< bytes
  std::uint32_t count = 0;
};

/// What a step's buffer will hold, added up before there is one: tables of a fixed number of elements, then
/// the words of all who write there, of which a step uses as many as it needs.
class step_layout {
 public:
  template <class T>
  step_section<T> add(std::uint32_t count) {
    static_assert(std::is_trivially_copyable_v<T>);
    const step_section<T> out{bytes_, count};
    bytes_ = (bytes_ + std::uint64_t{count} * sizeof(T) + alignment - 1) / alignment * alignment;
    return out;
  }

  /// Room for `count` more words.
  void add_words(std::uint64_t count) noexcept { words_ += count; }

  std::uint64_t table_bytes() const noexcept { return bytes_; }
  std::uint64_t words() const noexcept { return words_; }
  std::uint64_t bytes() const noexcept { return bytes_ + words_ * sizeof(std::uint32_t); }

 private:
  static constexpr std::uint64_t alignment = 16;

  std::uint64_t bytes_ = 0;
  std::uint64_t words_ = 0;
};

/// All that the device is told of one step: written here by the host, copied to fixed addresses on the device
/// in one copy. The host writes the next step's only after `upload`'s copy is done. Owned by the executor;
/// whoever has tables or words in it (step_plan, step_sampler, known_tokens) refers to it.
class step_buffer {
 public:
  /// Pinned host memory, and as much of the arena (`memory_part::workspace`).
  static result<step_buffer> allocate(arena& memory, const step_layout& layout);

  /// A table to be written by the host; what is not written keeps its value from the step before.
  template <class T>
  std::span<T> host(step_section<T> s) const noexcept {
    return {reinterpret_cast<T*>(pinned_.data() + s.offset), s.count};
  }

  /// The same table for kernels.
  template <class T>
  const T* device(step_section<T> s) const noexcept {
    return reinterpret_cast<const T*>(device_ + s.offset);
  }

  /// Keeps the first `words` words and forgets the others; 0: a new step.
  void keep(std::uint64_t words) noexcept { used_ = words; }

  std::uint64_t used() const noexcept { return used_; }
  std::uint64_t room() const noexcept { return layout_.words() - used_; }

  /// The place of the first of `count` more words, for the host to write; nothing when they do not fit.
  std::optional<std::uint32_t> take(std::uint64_t count) noexcept;

  /// Puts words behind those that are there and tells the place of the first; nothing when they do not fit.
  std::optional<std::uint32_t> append(std::span<const std::uint32_t> words) noexcept;

  /// Words that were taken, from place `first` on, for the host.
  std::uint32_t* host_words(std::uint32_t first) const noexcept {
    return reinterpret_cast<std::uint32_t*>(pinned_.data() + layout_.table_bytes()) + first;
  }

  /// The words for kernels.
  const std::uint32_t* words() const noexcept {
    return reinterpret_cast<const std::uint32_t*>(device_ + layout_.table_bytes());
  }

  /// One copy of all tables and of the words in use.
  result<void> upload(const stream& s) const;

  std::uint64_t bytes() const noexcept { return layout_.bytes(); }

 private:
  step_buffer(step_layout layout, pinned_buffer pinned, std::byte* device)
      : layout_(layout), pinned_(std::move(pinned)), device_(device) {}

  step_layout layout_;
  pinned_buffer pinned_;
  std::byte* device_;
  std::uint64_t used_ = 0;
};

}  // namespace lorica::gpu
