#pragma once

#include <cstdint>
#include <span>

namespace lorica {

/// Who can be behind an address.
enum class address_kind : std::uint8_t {
  open,         ///< anybody on the internet
  loopback,     ///< this machine
  link_local,   ///< this wire; also where clouds serve the credentials of a machine
  private_use,  ///< this site, also shared and unique-local ranges
  reserved,     ///< nobody that could be asked: unspecified, multicast, documentation, future use
};

/// Kind of an IPv4 (4 bytes) or IPv6 (16 bytes) address in network order; other lengths are `reserved`. IPv6
/// addresses that stand for an IPv4 one (mapped, compatible, translated, 6to4) have its kind. Ranges: the
/// IANA special-purpose address registries.
address_kind kind_of_address(std::span<const std::uint8_t> address) noexcept;

}  // namespace lorica
