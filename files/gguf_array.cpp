#include <limits>

#include "files/gguf.hpp"
#include "files/gguf_reader.hpp"

namespace lorica {
namespace {

// The bytes were checked to hold `count` items, so reads here cannot fall short; a missing item still ends
// it.
template <class Stored, class Out>
std::optional<std::vector<Out>> widen(const gguf_array& array) {
  std::vector<Out> out;
  out.reserve(static_cast<std::size_t>(array.count));
  gguf_reader in(array.bytes);
  for (std::uint64_t i = 0; i < array.count; ++i) {
    auto item = in.number<Stored>();
    if (!item) return std::nullopt;
    if constexpr (std::is_same_v<Stored, std::uint64_t>)
      if (*item > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
    out.push_back(static_cast<Out>(*item));
  }
  return out;
}

}  // namespace

std::string_view to_string(gguf_kind kind) noexcept {
  constexpr std::string_view names[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                        "bool", "string", "array", "u64", "i64", "f64"};
  auto index = static_cast<std::uint32_t>(kind);
  return index < std::size(names) ? names[index] : "unknown";
}

std::optional<std::vector<std::string_view>> gguf_array::strings() const {
  if (element != gguf_kind::string) return std::nullopt;
  std::vector<std::string_view> out;
  out.reserve(static_cast<std::size_t>(count));
  gguf_reader in(bytes);
  for (std::uint64_t i = 0; i < count; ++i) {
    auto text = in.string();
    if (!text) return std::nullopt;
    out.push_back(*text);
  }
  return out;
}

std::optional<std::vector<std::int64_t>> gguf_array::integers() const {
  switch (element) {
    case gguf_kind::u8: return widen<std::uint8_t, std::int64_t>(*this);
    case gguf_kind::i8: return widen<std::int8_t, std::int64_t>(*this);
    case gguf_kind::u16: return widen<std::uint16_t, std::int64_t>(*this);
    case gguf_kind::i16: return widen<std::int16_t, std::int64_t>(*this);
    case gguf_kind::u32: return widen<std::uint32_t, std::int64_t>(*this);
    case gguf_kind::i32: return widen<std::int32_t, std::int64_t>(*this);
    case gguf_kind::u64: return widen<std::uint64_t, std::int64_t>(*this);
    case gguf_kind::i64: return widen<std::int64_t, std::int64_t>(*this);
    default: return std::nullopt;
  }
}

std::optional<std::vector<double>> gguf_array::floats() const {
  if (element == gguf_kind::f32) return widen<float, double>(*this);
  if (element == gguf_kind::f64) return widen<double, double>(*this);
  return std::nullopt;
}

}  // namespace lorica
