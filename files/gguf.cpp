#include "files/gguf.hpp"

#include <algorithm>
#include <bit>
#include <string>

#include "core/checked.hpp"
#include "core/shown.hpp"
#include "files/gguf_reader.hpp"
#include "files/gguf_tensors.hpp"

namespace lorica {
namespace {

constexpr std::uint64_t most_entries = 65'536;  // of keys, and of tensors
constexpr std::size_t longest_key = 65'535;
constexpr std::uint64_t longest_string = std::uint64_t{1} << 30;

error broken(const std::string& text) {
  return fail(errc::malformed, "GGUF: " + text, "bad_gguf");
}

error cut_off(std::string_view key) {
  return broken("the value of " + shown(key) + " runs over the end of the file");
}

bool is_plain(std::string_view key) {
  return !key.empty() && key.size() <= longest_key &&
         std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

/// Bytes of one item; 0 for strings and arrays, which tell themselves.
constexpr std::uint64_t item_bytes(gguf_kind kind) {
  switch (kind) {
    case gguf_kind::u8:
    case gguf_kind::i8:
    case gguf_kind::boolean: return 1;
    case gguf_kind::u16:
    case gguf_kind::i16: return 2;
    case gguf_kind::u32:
    case gguf_kind::i32:
    case gguf_kind::f32: return 4;
    case gguf_kind::u64:
    case gguf_kind::i64:
    case gguf_kind::f64: return 8;
    default: return 0;
  }
}

std::optional<gguf_kind> read_kind(gguf_reader& in) {
  auto id = in.number<std::uint32_t>();
  if (!id || *id > static_cast<std::uint32_t>(gguf_kind::f64)) return std::nullopt;
  return static_cast<gguf_kind>(*id);
}

result<gguf_value> read_array(gguf_reader& in, std::string_view key) {
  auto kind = read_kind(in);
  if (!kind || *kind == gguf_kind::array)
    return broken("the array " + shown(key) + " has items of an unknown kind, or arrays");
  auto count = in.number<std::uint64_t>();
  if (!count) return cut_off(key);
  if (*kind != gguf_kind::string) {
    auto size = checked_mul(*count, item_bytes(*kind));
    auto bytes = size ? in.take(*size) : std::nullopt;
    if (!bytes) return cut_off(key);
    return gguf_value(gguf_array{*kind, *count, *bytes});
  }
  // A false count ends at the end of the file: nothing is allocated for it.
  auto rest = in;
  for (std::uint64_t i = 0; i < *count; ++i) {
    auto text = in.string();
    if (!text || text->size() > longest_string) return cut_off(key);
  }
  return gguf_value(gguf_array{*kind, *count, *rest.take(in.position() - rest.position())});
}

template <class Stored, class Wide>
result<gguf_value> read_number(gguf_reader& in, std::string_view key) {
  auto number = in.number<Stored>();
  if (!number) return cut_off(key);
  return gguf_value(static_cast<Wide>(*number));
}

result<gguf_value> read_value(gguf_reader& in, std::string_view key) {
  auto kind = read_kind(in);
  if (!kind) return broken("the value of " + shown(key) + " is of an unknown kind");
  switch (*kind) {
    case gguf_kind::u8: return read_number<std::uint8_t, std::uint64_t>(in, key);
    case gguf_kind::u16: return read_number<std::uint16_t, std::uint64_t>(in, key);
    case gguf_kind::u32: return read_number<std::uint32_t, std::uint64_t>(in, key);
    case gguf_kind::u64: return read_number<std::uint64_t, std::uint64_t>(in, key);
    case gguf_kind::i8: return read_number<std::int8_t, std::int64_t>(in, key);
    case gguf_kind::i16: return read_number<std::int16_t, std::int64_t>(in, key);
    case gguf_kind::i32: return read_number<std::int32_t, std::int64_t>(in, key);
    case gguf_kind::i64: return read_number<std::int64_t, std::int64_t>(in, key);
    case gguf_kind::f32: return read_number<float, double>(in, key);
    case gguf_kind::f64: return read_number<double, double>(in, key);
    case gguf_kind::array: return read_array(in, key);
    case gguf_kind::boolean: break;
    case gguf_kind::string: {
      auto text = in.string();
      if (!text || text->size() > longest_string) return cut_off(key);
      return gguf_value(*text);
    }
  }
  auto byte = in.number<std::uint8_t>();
  if (!byte) return cut_off(key);
  if (*byte > 1) return broken("the bool " + shown(key) + " is neither 0 nor 1");
  return gguf_value(*byte == 1);
}

result<void> read_metadata(gguf_reader& in, std::uint64_t count, gguf_header& out) {
  for (std::uint64_t i = 0; i < count; ++i) {
    auto key = in.string();
    if (!key) return broken("the metadata runs over the end of the file");
    if (!is_plain(*key)) return broken("a key is not 1 to 65535 printable ASCII characters");
    auto v = read_value(in, *key);
    if (!v) return v.error();
    out.metadata.emplace_back(*key, *v);
  }
  std::sort(out.metadata.begin(), out.metadata.end(), [](auto& a, auto& b) { return a.first < b.first; });
  auto twice = std::adjacent_find(out.metadata.begin(), out.metadata.end(),
                                  [](auto& a, auto& b) { return a.first == b.first; });
  if (twice != out.metadata.end()) return broken("the key " + shown(twice->first) + " is there twice");
  return {};
}

result<std::uint32_t> read_alignment(const gguf_header& header) {
  constexpr std::string_view key = "general.alignment";
  auto v = header.find(key);
  if (!v) return std::uint32_t{32};
  auto number = std::get_if<std::uint64_t>(v);
  if (!number || *number > 65'536 || *number % 8 != 0 || !std::has_single_bit(*number))
    return broken("general.alignment is not a power of two from 8 to 65536");
  return static_cast<std::uint32_t>(*number);
}

result<void> check_version(std::optional<std::uint32_t> version) {
  if (!version) return broken("the file ends within its first fields");
  if (*version == 2 || *version == 3) return {};
  // 3 read on a machine of the other byte order.
  if (*version == 0x03000000u || *version == 0x02000000u)
    return broken("the file is big-endian; little-endian is read");
  return broken("version " + std::to_string(*version) + " is not read; 2 and 3 are");
}

}  // namespace

const gguf_value* gguf_header::find(std::string_view key) const noexcept {
  auto at = std::lower_bound(metadata.begin(), metadata.end(), key,
                             [](auto& entry, std::string_view k) { return entry.first < k; });
  return at != metadata.end() && at->first == key ? &at->second : nullptr;
}

const std::string_view* gguf_header::find_string(std::string_view key) const noexcept {
  return std::get_if<std::string_view>(find(key));
}

const bool* gguf_header::find_bool(std::string_view key) const noexcept {
  return std::get_if<bool>(find(key));
}

const gguf_array* gguf_header::find_array(std::string_view key) const noexcept {
  return std::get_if<gguf_array>(find(key));
}

std::optional<std::uint64_t> gguf_header::find_unsigned(std::string_view key) const noexcept {
  auto v = find(key);
  if (auto u = std::get_if<std::uint64_t>(v)) return *u;
  if (auto i = std::get_if<std::int64_t>(v); i && *i >= 0) return static_cast<std::uint64_t>(*i);
  return std::nullopt;
}

result<gguf_header> parse_gguf(std::span<const std::byte> file) {
  gguf_reader in(file);
  constexpr std::array magic = {std::byte{'G'}, std::byte{'G'}, std::byte{'U'}, std::byte{'F'}};
  auto first = in.take(magic.size());
  if (!first || !std::equal(magic.begin(), magic.end(), first->begin()))
    return broken("the file does not begin with GGUF");
  gguf_header out;
  auto version = in.number<std::uint32_t>();
  if (auto known = check_version(version); !known) return known.error();
  out.version = *version;
  auto tensors = in.number<std::uint64_t>();
  auto keys = in.number<std::uint64_t>();
  if (!tensors || !keys) return broken("the file ends within its first fields");
  if (*tensors > most_entries) return broken(std::to_string(*tensors) + " tensors; at most 65536 are read");
  if (*keys > most_entries) return broken(std::to_string(*keys) + " keys; at most 65536 are read");

  if (auto read = read_metadata(in, *keys, out); !read) return read.error();
  auto alignment = read_alignment(out);
  if (!alignment) return alignment.error();
  out.alignment = *alignment;
  for (std::uint64_t i = 0; i < *tensors; ++i) {
    auto tensor = read_gguf_tensor(in);
    if (!tensor) return tensor.error();
    out.tensors.push_back(*tensor);
  }
  auto data_start = checked_align(in.position(), out.alignment);
  if (!data_start) return broken("the header is too long");
  out.data_start = *data_start;
  if (auto placed = place_gguf_tensors(out, file.size()); !placed) return placed.error();
  return out;
}

}  // namespace lorica
