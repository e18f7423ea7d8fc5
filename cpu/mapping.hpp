#pragma once

#include <cstddef>

#include "core/error.hpp"

namespace lorica {

/// Zeroed memory of its own mapping, so that freeing gives the bytes back to the system. Move-only.
class mapping {
 public:
  mapping() = default;
  static result<mapping> make(std::size_t bytes);
  mapping(mapping&& other) noexcept;
  mapping& operator=(mapping&& other) noexcept;
  ~mapping();

  std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace lorica
