#include "net/byte_budget.hpp"

namespace lorica {

byte_budget::hold& byte_budget::hold::operator=(hold&& other) noexcept {
  if (this == &other) return *this;
  release();
  used_ = std::move(other.used_);
  most_ = other.most_;
  bytes_ = std::exchange(other.bytes_, 0);
  return *this;
}

void byte_budget::hold::release() noexcept {
  if (used_) *used_ -= std::exchange(bytes_, 0);
}

bool byte_budget::hold::grow_to(std::uint64_t bytes) noexcept {
  if (bytes <= bytes_) return true;
  if (!used_) return false;
  auto more = bytes - bytes_;
  auto used = used_->load();
  do {
    if (more > most_ || used > most_ - more) return false;
  } while (!used_->compare_exchange_weak(used, used + more));
  bytes_ = bytes;
  return true;
}

}  // namespace lorica
