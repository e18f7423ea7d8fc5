#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lorica {

/// The bytes of a text as parsers take them; the text must outlive the span.
inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

/// A number as it lies in a little-endian file.
template <class T>
std::string raw(T number) {
  std::string out(sizeof number, '\0');
  std::memcpy(out.data(), &number, sizeof number);
  return out;
}

/// Lower-case hex digits of a digest.
template <class Digest>
std::string hex_of(const Digest& digest) {
  std::string out;
  for (std::uint8_t byte : digest) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 15];
  }
  return out;
}

/// A safetensors file: its length, `header` as it is, `data_bytes` zeros.
inline std::string safetensors_file(const std::string& header, std::size_t data_bytes) {
  return raw<std::uint64_t>(header.size()) + header + std::string(data_bytes, '\0');
}

/// A GGUF file, built field by field. Everything can be made wrong by changing a public member.
struct gguf_file {
  struct entry {
    std::string key;
    std::uint32_t kind = 0;
    std::string value;  ///< as in the file, without its kind
  };
  struct tensor {
    std::string name;
    std::vector<std::uint64_t> extent;  ///< fastest first
    std::uint32_t type = 0;
    std::string data;
    std::uint64_t offset_error = 0;  ///< added to the right offset
  };

  std::uint32_t version = 3;
  std::uint32_t alignment = 32;
  std::uint64_t extra_tensors = 0;  ///< added to the count the file names
  std::uint64_t extra_keys = 0;
  std::vector<entry> entries;
  std::vector<tensor> tensors;

  static std::string text(std::string_view s) { return raw<std::uint64_t>(s.size()) + std::string(s); }

  void add_u32(const std::string& key, std::uint32_t v) { entries.push_back({key, 4, raw(v)}); }
  void add_f32(const std::string& key, float v) { entries.push_back({key, 6, raw(v)}); }
  void add_bool(const std::string& key, std::uint8_t v) { entries.push_back({key, 7, raw(v)}); }
  void add_text(const std::string& key, std::string_view v) { entries.push_back({key, 8, text(v)}); }
  void add_array(const std::string& key, std::uint32_t item_kind, std::uint64_t count,
                 const std::string& items) {
    entries.push_back({key, 9, raw(item_kind) + raw(count) + items});
  }
  void add_f32_tensor(const std::string& name, std::vector<std::uint64_t> extent,
                      const std::vector<float>& values) {
    std::string data(values.size() * sizeof(float), '\0');
    std::memcpy(data.data(), values.data(), data.size());
    tensors.push_back({name, std::move(extent), 0, std::move(data)});
  }

  std::string build() const {
    std::string out = "GGUF" + raw(version) + raw<std::uint64_t>(tensors.size() + extra_tensors) +
                      raw<std::uint64_t>(entries.size() + extra_keys);
    for (auto& e : entries)
      out += text(e.key) + raw(e.kind) + e.value;
    std::uint64_t offset = 0;
    for (auto& t : tensors) {
      out += text(t.name) + raw(static_cast<std::uint32_t>(t.extent.size()));
      for (auto extent : t.extent)
        out += raw(extent);
      out += raw(t.type) + raw(offset + t.offset_error);
      offset += (t.data.size() + alignment - 1) / alignment * alignment;
    }
    for (auto& t : tensors) {
      pad(out);
      out += t.data;
    }
    pad(out);
    return out;
  }

 private:
  void pad(std::string& out) const { out.resize((out.size() + alignment - 1) / alignment * alignment, '\0'); }
};

}  // namespace lorica
