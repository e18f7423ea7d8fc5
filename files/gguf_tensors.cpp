#include "files/gguf_tensors.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "core/checked.hpp"

namespace lorica {
namespace {

constexpr std::size_t longest_name = 63;
constexpr std::uint32_t most_dimensions = 4;

// Index = type number of the file; empty: never assigned, or taken out of the format.
constexpr std::array<std::string_view, 43> type_names = {
    "F32",   "F16",    "Q4_0",  "Q4_1", "",     "",        "Q5_0",   "Q5_1",    "Q8_0",  "Q8_1",   "Q2_K",
    "Q3_K",  "Q4_K",   "Q5_K",  "Q6_K", "Q8_K", "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S", "IQ4_NL", "IQ3_S",
    "IQ2_S", "IQ4_XS", "I8",    "I16",  "I32",  "I64",     "F64",    "IQ1_M",   "BF16",  "",       "",
    "",      "TQ1_0",  "TQ2_0", "",     "",     "",        "MXFP4",  "NVFP4",   "Q1_0",  "Q2_0"};

error broken(const std::string& text) {
  return fail(errc::malformed, "GGUF: " + text, "bad_gguf");
}

// `F32, F16 and Q8_0`.
std::string served_names() {
  std::string out;
  for (std::size_t i = 0; i < tensor_layouts.size(); ++i) {
    if (i > 0) out += i + 1 < tensor_layouts.size() ? ", " : " and ";
    out += tensor_layouts[i].name;
  }
  return out;
}

result<tensor_type> served_type(std::uint32_t id, const std::string& tensor) {
  if (id >= type_names.size() || type_names[id].empty())
    return broken("tensor " + tensor + " has the unknown type " + std::to_string(id));
  // Served types bear the names of the format.
  for (std::size_t i = 0; i < tensor_layouts.size(); ++i)
    if (tensor_layouts[i].name == type_names[id]) return static_cast<tensor_type>(i);
  return fail(errc::unsupported,
              "GGUF: tensor " + tensor + " is stored as " + std::string(type_names[id]) + "; served are " +
                  served_names(),
              "bad_gguf");
}

// Bytes of all elements, whole blocks per row.
result<std::uint64_t> stored_bytes(const gguf_tensor& t, const std::string& name) {
  auto block = block_elements(t.type);
  if (t.extent[0] % block != 0)
    return broken("rows of tensor " + name + " have " + std::to_string(t.extent[0]) +
                  " elements, no multiple of the block of " + std::to_string(block));
  std::optional<std::uint64_t> total = t.extent[0] / block;
  for (std::uint32_t i = 1; i < t.dimensions; ++i)
    if (total) total = checked_mul(*total, t.extent[i]);
  if (total) total = checked_mul<std::uint64_t>(*total, block_bytes(t.type));
  // ggml counts elements in int64; nothing larger can be in a file.
  if (!total || *total > std::uint64_t{1} << 62) return broken("the size of tensor " + name + " overflows");
  return *total;
}

bool is_plain(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

}  // namespace

result<gguf_tensor> read_gguf_tensor(gguf_reader& in) {
  gguf_tensor out;
  auto text = in.string();
  if (!text) return broken("the tensor table runs over the end of the file");
  if (text->size() > longest_name || !is_plain(*text))
    return broken("a tensor's name is not 1 to 63 printable ASCII characters");
  out.name = *text;
  std::string name(*text);
  auto dimensions = in.number<std::uint32_t>();
  if (!dimensions) return broken("the tensor table runs over the end of the file");
  if (*dimensions == 0 || *dimensions > most_dimensions)
    return broken("tensor " + name + " has " + std::to_string(*dimensions) + " dimensions; 1 to 4 are read");
  out.dimensions = *dimensions;
  for (std::uint32_t i = 0; i < out.dimensions; ++i) {
    auto extent = in.number<std::uint64_t>();
    if (!extent) return broken("the tensor table runs over the end of the file");
    if (*extent == 0 || *extent >> 63)
      return broken("tensor " + name + " has a dimension that is 0 or negative");
    out.extent[i] = *extent;
  }
  auto id = in.number<std::uint32_t>();
  auto offset = in.number<std::uint64_t>();
  if (!id || !offset) return broken("the tensor table runs over the end of the file");
  auto type = served_type(*id, name);
  if (!type) return type.error();
  out.type = *type;
  auto bytes = stored_bytes(out, name);
  if (!bytes) return bytes.error();
  out.bytes = *bytes;
  out.offset = *offset;
  return out;
}

result<void> place_gguf_tensors(gguf_header& header, std::uint64_t file_bytes) {
  std::vector<std::string_view> names;
  names.reserve(header.tensors.size());
  std::uint64_t end = header.data_start;
  for (auto& t : header.tensors) {
    names.push_back(t.name);
    auto begin = checked_align(end, header.alignment);
    // Both are at or after data_start, so the difference is the offset the file must name.
    if (!begin || t.offset != *begin - header.data_start)
      return broken("tensor " + std::string(t.name) + " does not begin where the one before it ends");
    auto stop = checked_add(*begin, t.bytes);
    if (!stop || *stop > file_bytes)
      return broken("tensor " + std::string(t.name) + " ends after the end of the file (" +
                    std::to_string(file_bytes) + " bytes); the file is cut off");
    t.offset = *begin;
    end = *stop;
  }
  // Writers pad the last tensor or do not; anything longer is not part of the model.
  auto padded = checked_align(end, header.alignment);
  if (padded && file_bytes > *padded)
    return broken(std::to_string(file_bytes - end) + " bytes follow the last tensor");
  std::sort(names.begin(), names.end());
  auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) return broken("tensor " + std::string(*twice) + " is there twice");
  return {};
}

}  // namespace lorica
