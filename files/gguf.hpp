#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/error.hpp"
#include "files/tensor_type.hpp"

namespace lorica {

/// Types of metadata values, numbered as in the file.
enum class gguf_kind : std::uint32_t {
  u8,
  i8,
  u16,
  i16,
  u32,
  i32,
  f32,
  boolean,
  string,
  array,
  u64,
  i64,
  f64
};

/// `u32`, `string`, …: for error texts.
std::string_view to_string(gguf_kind kind) noexcept;

/// An array as it lies in the file; every item was checked to be inside. Its accessors decode on demand, so
/// that parsing costs no memory. Nothing comes back when the items are of another kind.
struct gguf_array {
  gguf_kind element = gguf_kind::u8;
  std::uint64_t count = 0;
  std::span<const std::byte> bytes;

  std::optional<std::vector<std::string_view>> strings() const;
  /// Any integer kind; nothing when a u64 item is above 2^63 - 1.
  std::optional<std::vector<std::int64_t>> integers() const;
  /// f32 and f64.
  std::optional<std::vector<double>> floats() const;
};

/// One metadata value. Integers are widened to the kind of their sign, f32 to double. Strings are bytes of
/// the file, not always UTF-8.
using gguf_value = std::variant<bool, std::int64_t, std::uint64_t, double, std::string_view, gguf_array>;

/// One tensor's place and form.
struct gguf_tensor {
  std::string_view name;
  tensor_type type = tensor_type::f32;
  std::uint32_t dimensions = 0;
  std::array<std::uint64_t, 4> extent = {1, 1, 1, 1};  ///< fastest first: a matrix [out, in] is {in, out}
  std::uint64_t offset = 0;                            ///< bytes from the start of the file
  std::uint64_t bytes = 0;                             ///< offset + bytes <= file size
};

/// Metadata and tensor table of a GGUF file. All views point into the bytes that were parsed and live as long
/// as those.
struct gguf_header {
  std::uint32_t version = 0;
  std::uint32_t alignment = 32;
  std::uint64_t data_start = 0;
  std::vector<std::pair<std::string_view, gguf_value>> metadata;  ///< sorted by key
  std::vector<gguf_tensor> tensors;                               ///< in the file's order

  /// Value of a key, or null.
  const gguf_value* find(std::string_view key) const noexcept;
  /// Value of a key if it is of that kind; a wrong kind reads as absent, so use it after `find` or where both
  /// mean the same.
  const std::string_view* find_string(std::string_view key) const noexcept;
  const bool* find_bool(std::string_view key) const noexcept;
  const gguf_array* find_array(std::string_view key) const noexcept;
  /// Any integer kind >= 0.
  std::optional<std::uint64_t> find_unsigned(std::string_view key) const noexcept;
};

/// Reads the header of a whole file (version 2 or 3) and checks that every tensor, the last one too, lies
/// inside it. Failures are `errc::malformed` (`errc::unsupported` for tensor types that are known but not
/// served) with the reason `bad_gguf`.
result<gguf_header> parse_gguf(std::span<const std::byte> file);

}  // namespace lorica
