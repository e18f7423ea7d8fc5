#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "files/gguf.hpp"
#include "files/gguf_reader.hpp"
#include "tests/files/file_bytes.hpp"

namespace lorica {

/// Bytes of a value of that kind at the reader's place, or of one item of an array.
inline std::uint64_t value_bytes(gguf_reader in, std::uint32_t kind) {
  static constexpr std::uint8_t widths[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  if (kind >= std::size(widths)) throw std::runtime_error("unknown kind of value");
  if (widths[kind] != 0) return widths[kind];
  const auto start = in.position();
  if (kind == 8) return in.string().value().size() + sizeof(std::uint64_t);
  const auto items = in.number<std::uint32_t>().value();
  const auto count = in.number<std::uint64_t>().value();
  for (std::uint64_t i = 0; i < count; ++i)
    in.take(value_bytes(in, items)).value();
  return in.position() - start;
}

/// A whole, sound GGUF file taken apart, so that a test can change it field by field and build it again.
inline gguf_file copy_gguf(std::string_view bytes) {
  auto header = parse_gguf(bytes_of(bytes));
  if (!header) throw std::runtime_error(header.error().text);
  gguf_file out;
  out.version = header->version;
  out.alignment = header->alignment;
  gguf_reader in(bytes_of(bytes));
  in.take(16).value();
  const auto keys = in.number<std::uint64_t>().value();
  for (std::uint64_t i = 0; i < keys; ++i) {
    const std::string key(in.string().value());
    const auto kind = in.number<std::uint32_t>().value();
    const auto value = in.take(value_bytes(in, kind)).value();
    out.entries.push_back({key, kind, {reinterpret_cast<const char*>(value.data()), value.size()}});
  }
  for (auto& t : header->tensors) {
    in.string().value();
    in.take(sizeof(std::uint32_t) + t.dimensions * sizeof(std::uint64_t)).value();
    const auto type = in.number<std::uint32_t>().value();
    in.number<std::uint64_t>().value();
    const auto data = bytes.substr(static_cast<std::size_t>(t.offset), static_cast<std::size_t>(t.bytes));
    out.tensors.push_back(
        {std::string(t.name), {t.extent.begin(), t.extent.begin() + t.dimensions}, type, std::string(data)});
  }
  return out;
}

}  // namespace lorica
