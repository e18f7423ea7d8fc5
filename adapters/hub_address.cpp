#include "adapters/hub_address.hpp"

#include <algorithm>
#include <array>

namespace lorica {
namespace {

struct range_of_four {
  std::uint32_t first;
  int bits;
  address_kind kind;
};

constexpr std::uint32_t at(std::uint32_t a, std::uint32_t b, std::uint32_t c, std::uint32_t d) noexcept {
  return a << 24 | b << 16 | c << 8 | d;
}

constexpr range_of_four ranges[] = {
    {at(0, 0, 0, 0), 8, address_kind::reserved},         {at(10, 0, 0, 0), 8, address_kind::private_use},
    {at(100, 64, 0, 0), 10, address_kind::private_use},  {at(127, 0, 0, 0), 8, address_kind::loopback},
    {at(169, 254, 0, 0), 16, address_kind::link_local},  {at(172, 16, 0, 0), 12, address_kind::private_use},
    {at(192, 0, 0, 0), 24, address_kind::reserved},      {at(192, 0, 2, 0), 24, address_kind::reserved},
    {at(192, 168, 0, 0), 16, address_kind::private_use}, {at(198, 18, 0, 0), 15, address_kind::private_use},
    {at(198, 51, 100, 0), 24, address_kind::reserved},   {at(203, 0, 113, 0), 24, address_kind::reserved},
    {at(224, 0, 0, 0), 3, address_kind::reserved},
};

address_kind kind_of_four(std::span<const std::uint8_t> a) noexcept {
  auto value = at(a[0], a[1], a[2], a[3]);
  for (auto& range : ranges)
    if ((value ^ range.first) >> (32 - range.bits) == 0) return range.kind;
  return address_kind::open;
}

bool begins_with(std::span<const std::uint8_t> a, std::initializer_list<std::uint8_t> prefix) noexcept {
  return std::equal(prefix.begin(), prefix.end(), a.begin());
}

address_kind kind_of_six(std::span<const std::uint8_t> a) noexcept {
  bool zeros = std::all_of(a.begin(), a.begin() + 10, [](std::uint8_t b) { return b == 0; });
  if (zeros && a[10] == 0xff && a[11] == 0xff) return kind_of_four(a.subspan(12));
  if (zeros && a[10] == 0 && a[11] == 0) {
    bool one = a[12] == 0 && a[13] == 0 && a[14] == 0 && a[15] == 1;
    return one ? address_kind::loopback : kind_of_four(a.subspan(12));
  }
  if (begins_with(a, {0x00, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0})) return kind_of_four(a.subspan(12));
  if (begins_with(a, {0x00, 0x64, 0xff, 0x9b, 0x00, 0x01})) return address_kind::private_use;
  if (begins_with(a, {0x20, 0x02})) return kind_of_four(a.subspan(2, 4));
  if (begins_with(a, {0x20, 0x01, 0x0d, 0xb8})) return address_kind::reserved;
  if (begins_with(a, {0x20, 0x01, 0x00, 0x00})) return address_kind::reserved;
  if (a[0] == 0xfe && (a[1] & 0xc0) == 0x80) return address_kind::link_local;
  if (a[0] == 0xfe && (a[1] & 0xc0) == 0xc0) return address_kind::private_use;
  if ((a[0] & 0xfe) == 0xfc) return address_kind::private_use;
  // Everything that is given out today lies in 2000::/3.
  return (a[0] & 0xe0) == 0x20 ? address_kind::open : address_kind::reserved;
}

}  // namespace

address_kind kind_of_address(std::span<const std::uint8_t> address) noexcept {
  if (address.size() == 4) return kind_of_four(address);
  if (address.size() == 16) return kind_of_six(address);
  return address_kind::reserved;
}

}  // namespace lorica
