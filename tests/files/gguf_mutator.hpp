#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "files/tensor_type.hpp"
#include "tests/files/byte_mutator.hpp"
#include "tests/files/file_bytes.hpp"

namespace lorica {

/// Changes a GGUF file field by field, so that what it becomes is still a GGUF file with one or two lies.
class gguf_mutator {
 public:
  /// `words` are keys, names and values of the format.
  gguf_mutator(std::uint32_t seed, std::vector<std::string> words)
      : random_(seed), words_(std::move(words)) {}

  std::size_t below(std::size_t limit) { return random_.below(limit); }

  gguf_file mutate(gguf_file file, std::size_t most_changes = 2) {
    for (auto changes = 1 + below(most_changes); changes > 0; --changes) {
      switch (below(8)) {
        case 0: change_counts(file); break;
        case 1:
        case 2:
        case 3: change_entries(file); break;
        default: change_tensors(file); break;
      }
    }
    return file;
  }

 private:
  template <class T>
  T& any(std::vector<T>& from) {
    return from[below(from.size())];
  }
  const std::string& word() { return any(words_); }

  // ggml's numbers of the served types, in the order of `tensor_type`.
  static constexpr std::uint32_t served[] = {0, 1, 30, 8, 2, 3, 6, 7, 12, 13, 14};

  void change_counts(gguf_file& file) {
    switch (below(5)) {
      case 0: file.version = static_cast<std::uint32_t>(below(5)); return;
      case 1: file.extra_tensors = random_.number(); return;
      case 2: file.extra_keys = random_.number(); return;
      case 3: {
        // The layout alone, or the key that names it as well.
        static constexpr std::uint32_t alignments[] = {1, 8, 16, 24, 64, 4'096};
        file.alignment = alignments[below(std::size(alignments))];
        if (below(2) == 0) file.add_u32("general.alignment", file.alignment);
        return;
      }
      default: std::reverse(file.tensors.begin(), file.tensors.end()); return;
    }
  }

  void change_entries(gguf_file& file) {
    if (file.entries.empty()) return file.add_u32(word(), 1);
    auto& e = any(file.entries);
    switch (below(9)) {
      case 0: e.kind = static_cast<std::uint32_t>(below(15)); return;
      case 1: e = {e.key, 4, raw(static_cast<std::uint32_t>(random_.number()))}; return;
      case 2: e = {e.key, 10, raw(random_.number())}; return;
      case 3: e = {e.key, 8, gguf_file::text(word())}; return;
      case 4: change_value(e.value); return;
      case 5: std::swap(e, file.entries.back()), file.entries.pop_back(); return;
      case 6: file.entries.push_back(gguf_file::entry(e)); return;
      case 7: std::swap(e.key, any(file.entries).key); return;
      default: e.key = below(2) == 0 ? word() : e.key + word(); return;
    }
  }

  // Lengths of strings, kinds and counts of arrays, numbers: whatever is there.
  void change_value(std::string& value) {
    if (value.empty()) return;
    const auto bytes = raw(random_.number());
    switch (below(4)) {
      case 0: value.resize(below(value.size())); return;
      case 1: value.append(1 + below(12), static_cast<char>(below(256))); return;
      case 2: value.replace(0, std::min<std::size_t>(value.size(), 8), bytes); return;
      default:
        if (value.size() >= 12) value.replace(4, 8, bytes);
        return;
    }
  }

  void change_tensors(gguf_file& file) {
    if (file.tensors.empty()) return file.add_f32_tensor(word(), {1}, {1});
    auto& t = any(file.tensors);
    switch (below(11)) {
      case 0: t.type = static_cast<std::uint32_t>(below(46)); return;
      case 1: retype(t); return;
      case 2: any(t.extent) = random_.number(); return;
      case 3: any(t.extent) += below(3) - 1; return;
      case 4: std::swap(t.extent.front(), t.extent.back()); return;
      case 5:
        if (below(2) == 0 && t.extent.size() > 1)
          t.extent.pop_back();
        else
          t.extent.push_back(1 + below(2));
        return;
      case 6: t.name = below(2) == 0 ? word() : std::string(any(file.tensors).name); return;
      case 7: t.data.resize(below(2 * t.data.size() + 1)); return;
      case 8: t.offset_error = below(2) == 0 ? random_.number() : 32; return;
      case 9: std::swap(t, file.tensors.back()), file.tensors.pop_back(); return;
      default: file.tensors.push_back(gguf_file::tensor(t)); return;
    }
  }

  // Another type, with bytes for it: what comes of it may well be sound.
  void retype(gguf_file::tensor& t) {
    const auto index = below(std::size(served));
    const auto type = static_cast<tensor_type>(index);
    std::uint64_t rows = 1;
    for (std::size_t i = 1; i < t.extent.size(); ++i)
      rows *= std::min<std::uint64_t>(t.extent[i], 64);
    const auto bytes =
        std::min<std::uint64_t>(t.extent.front(), 4'096) / block_elements(type) * block_bytes(type) * rows;
    t.type = served[index];
    t.data.assign(static_cast<std::size_t>(bytes % 100'000), static_cast<char>(below(256)));
  }

  byte_mutator random_;
  std::vector<std::string> words_;
};

}  // namespace lorica
