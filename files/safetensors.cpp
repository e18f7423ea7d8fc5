#include "files/safetensors.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "core/checked.hpp"
#include "core/json.hpp"

namespace lorica {
namespace {

constexpr std::uint64_t length_bytes = 8;
constexpr std::uint64_t longest_header = 100'000'000;
// The root, a tensor, its shape, a number.
constexpr std::size_t header_depth = 5;

struct dtype_width {
  std::string_view name;
  std::uint32_t bits;
};
constexpr std::array widths = {
    dtype_width{"BOOL", 8},        dtype_width{"U8", 8},          dtype_width{"I8", 8},
    dtype_width{"F8_E5M2", 8},     dtype_width{"F8_E4M3", 8},     dtype_width{"F8_E8M0", 8},
    dtype_width{"F8_E4M3FNUZ", 8}, dtype_width{"F8_E5M2FNUZ", 8}, dtype_width{"F4", 4},
    dtype_width{"F6_E2M3", 6},     dtype_width{"F6_E3M2", 6},     dtype_width{"I16", 16},
    dtype_width{"U16", 16},        dtype_width{"F16", 16},        dtype_width{"BF16", 16},
    dtype_width{"I32", 32},        dtype_width{"U32", 32},        dtype_width{"F32", 32},
    dtype_width{"I64", 64},        dtype_width{"U64", 64},        dtype_width{"F64", 64},
    dtype_width{"C64", 64},
};

error broken(int rule, const std::string& text) {
  return fail(errc::malformed, "safetensors rule " + std::to_string(rule) + ": " + text, "bad_safetensors");
}

std::optional<std::uint32_t> bits_of(std::string_view dtype) {
  for (auto& width : widths)
    if (width.name == dtype) return width.bits;
  return std::nullopt;
}

std::optional<std::uint64_t> unsigned_number(const value& v) {
  if (auto u = v.as_uint()) return *u;
  if (auto i = v.as_int(); i && *i >= 0) return static_cast<std::uint64_t>(*i);
  return std::nullopt;
}

bool is_plain_name(std::string_view name, std::size_t max_bytes) {
  auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  return name.size() <= max_bytes && std::none_of(name.begin(), name.end(), control);
}

// Rules 8 and 9: the byte range holds exactly the elements of the shape.
result<void> check_size(const safetensors_tensor& t) {
  auto bits = bits_of(t.dtype);
  if (!bits)
    return broken(8, "tensor " + t.name + " has an unknown dtype" +
                         (is_plain_name(t.dtype, 32) ? ", \"" + t.dtype + "\"" : std::string()));
  std::optional<std::uint64_t> total = *bits;
  // A zero must not hide an overflow of the other dimensions: the reference multiplies in order and fails.
  for (auto dimension : t.shape)
    if (total) total = checked_mul(*total, dimension);
  if (!total) return broken(8, "the shape of tensor " + t.name + " overflows");
  if (*total % 8 != 0) return broken(8, "tensor " + t.name + " does not end on a byte");
  if (*total / 8 != t.end - t.begin)
    return broken(8, "tensor " + t.name + " needs " + std::to_string(*total / 8) +
                         " bytes, its offsets span " + std::to_string(t.end - t.begin));
  return {};
}

// Offsets stay relative to the data section here.
result<safetensors_tensor> read_tensor(const std::string& name, const value& entry,
                                       const safetensors_limits& limits) {
  if (!is_plain_name(name, limits.max_name_bytes))
    return broken(3, "a tensor's name has control characters or more than " +
                         std::to_string(limits.max_name_bytes) + " bytes");
  if (!entry.as_object()) return broken(3, "tensor " + name + " is not described by an object");
  auto dtype = entry.find("dtype");
  if (!dtype || !dtype->as_string()) return broken(3, "dtype of tensor " + name + " is not a string");
  auto shape = entry.find("shape");
  if (!shape || !shape->as_array()) return broken(3, "shape of tensor " + name + " is not an array");
  auto offsets = entry.find("data_offsets");
  if (!offsets || !offsets->as_array() || offsets->as_array()->size() != 2)
    return broken(3, "data_offsets of tensor " + name + " is not an array of two numbers");

  safetensors_tensor out{name, *dtype->as_string(), {}, 0, 0};
  if (shape->as_array()->size() > limits.max_dimensions)
    return broken(3, "tensor " + name + " has " + std::to_string(shape->as_array()->size()) +
                         " dimensions; at most " + std::to_string(limits.max_dimensions) + " are read");
  for (auto& item : *shape->as_array()) {
    auto dimension = unsigned_number(item);
    if (!dimension)
      return broken(3, "shape of tensor " + name + " holds something else than whole numbers >= 0");
    out.shape.push_back(*dimension);
  }
  auto begin = unsigned_number(offsets->as_array()->front());
  auto end = unsigned_number(offsets->as_array()->back());
  if (!begin || !end)
    return broken(3, "data_offsets of tensor " + name + " holds something else than whole numbers >= 0");
  if (*begin > *end) return broken(6, "tensor " + name + " begins after its end");
  out.begin = *begin;
  out.end = *end;
  return out;
}

result<void> read_metadata(const value& entry, safetensors_header& out) {
  if (!entry.as_object()) return broken(5, "__metadata__ is not an object");
  for (auto& [key, item] : *entry.as_object()) {
    if (!item.as_string()) return broken(5, "a value in __metadata__ is not a string");
    out.metadata.emplace_back(key, *item.as_string());
  }
  return {};
}

// Rules 6 and 7: sorted by offset, the tensors tile the data section.
result<void> check_tiling(const std::vector<safetensors_tensor>& tensors, std::uint64_t data_bytes) {
  std::vector<const safetensors_tensor*> order;
  order.reserve(tensors.size());
  for (auto& t : tensors)
    order.push_back(&t);
  std::sort(order.begin(), order.end(),
            [](auto* a, auto* b) { return std::pair(a->begin, a->end) < std::pair(b->begin, b->end); });
  std::uint64_t at = 0;
  for (auto* t : order) {
    if (t->begin != at)
      return broken(6, "tensor " + t->name + " begins at " + std::to_string(t->begin) + " instead of " +
                           std::to_string(at));
    at = t->end;
  }
  if (at != data_bytes)
    return broken(7,
                  "the tensors end at " + std::to_string(at) + ", the data at " + std::to_string(data_bytes));
  return {};
}

}  // namespace

const safetensors_tensor* safetensors_header::find(std::string_view name) const noexcept {
  auto at = std::lower_bound(tensors.begin(), tensors.end(), name,
                             [](const safetensors_tensor& t, std::string_view n) { return t.name < n; });
  return at != tensors.end() && at->name == name ? &*at : nullptr;
}

result<std::uint64_t> safetensors_head_bytes(std::span<const std::byte> first_bytes, std::uint64_t file_bytes,
                                             const safetensors_limits& limits) {
  if (file_bytes < length_bytes || first_bytes.size() < length_bytes)
    return broken(1, "the file has " + std::to_string(file_bytes) + " bytes, fewer than 8");
  std::uint64_t n = 0;
  for (std::size_t i = 0; i < length_bytes; ++i)
    n |= std::to_integer<std::uint64_t>(first_bytes[i]) << (8 * i);
  if (n > longest_header || n > limits.max_header_bytes)
    return broken(2, "the header has " + std::to_string(n) + " bytes; at most " +
                         std::to_string(std::min<std::uint64_t>(longest_header, limits.max_header_bytes)) +
                         " are read");
  if (n > file_bytes - length_bytes)
    return broken(2, "the header has " + std::to_string(n) + " bytes, the file only " +
                         std::to_string(file_bytes - length_bytes) + " after its length");
  return length_bytes + n;
}

result<safetensors_header> parse_safetensors(std::span<const std::byte> head, std::uint64_t file_bytes,
                                             const safetensors_limits& limits) {
  auto head_bytes = safetensors_head_bytes(head, file_bytes, limits);
  if (!head_bytes) return head_bytes.error();
  if (head.size() < *head_bytes)
    return broken(2, "only " + std::to_string(head.size()) + " bytes of the header could be read");
  std::string_view text(reinterpret_cast<const char*>(head.data()) + length_bytes,
                        static_cast<std::size_t>(*head_bytes - length_bytes));
  if (text.empty() || text.front() != '{') return broken(4, "the header does not begin with {");
  // simdjson takes any white space at the end; the format only spaces.
  auto last = text.find_last_not_of(' ');
  if (text[last] != '}') return broken(4, "the header does not end with } and spaces");

  // Per tensor: its object, dtype, two arrays, two offsets and the dimensions.
  auto max_values = limits.max_tensors * (6 + limits.max_dimensions) + 65'536;
  auto root = parse_json(text, {limits.max_header_bytes, header_depth, max_values});
  if (!root) return broken(3, "the header is refused: " + root.error().text);
  if (!root->as_object()) return broken(3, "the header is not an object");
  safetensors_header out;
  out.data_start = *head_bytes;
  for (auto& [name, entry] : *root->as_object()) {
    if (name == "__metadata__") {
      if (auto read = read_metadata(entry, out); !read) return read.error();
      continue;
    }
    if (out.tensors.size() == limits.max_tensors)
      return broken(2, "more than " + std::to_string(limits.max_tensors) + " tensors");
    auto tensor = read_tensor(name, entry, limits);
    if (!tensor) return tensor.error();
    if (auto size = check_size(*tensor); !size) return size.error();
    out.tensors.push_back(*std::move(tensor));
  }
  if (auto tiled = check_tiling(out.tensors, file_bytes - out.data_start); !tiled) return tiled.error();
  // Within the file now, so the sums fit.
  for (auto& t : out.tensors) {
    t.begin += out.data_start;
    t.end += out.data_start;
  }
  std::sort(out.tensors.begin(), out.tensors.end(), [](auto& a, auto& b) { return a.name < b.name; });
  return out;
}

}  // namespace lorica
