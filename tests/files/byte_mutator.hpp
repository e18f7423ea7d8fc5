#pragma once

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "tests/files/file_bytes.hpp"

namespace lorica {

/// Changes a file the way damage does: bits, bytes, lengths, pieces, and whole numbers at places that
/// `fields` names.
class byte_mutator {
 public:
  explicit byte_mutator(std::uint32_t seed) : random_(seed) {}

  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_);
  }

  std::string mutate(std::string file, const std::vector<std::size_t>& fields) {
    const std::size_t changes = 1 + below(3);
    for (std::size_t i = 0; i < changes && !file.empty(); ++i)
      change(file, fields);
    return file;
  }

  /// A number that means something to some format.
  std::uint64_t number() {
    static constexpr std::array<std::uint64_t, 16> numbers = {0,
                                                              1,
                                                              2,
                                                              3,
                                                              5,
                                                              31,
                                                              33,
                                                              255,
                                                              65'537,
                                                              0x7fffffff,
                                                              0xffffffff,
                                                              std::uint64_t{1} << 32,
                                                              std::uint64_t{1} << 61,
                                                              std::uint64_t{1} << 62,
                                                              std::uint64_t{1} << 63,
                                                              ~std::uint64_t{0}};
    return numbers[below(numbers.size())];
  }

 private:
  void change(std::string& file, const std::vector<std::size_t>& fields) {
    switch (below(6)) {
      case 0: file[below(file.size())] = static_cast<char>(below(256)); return;
      case 1: file[below(file.size())] ^= static_cast<char>(1 << below(8)); return;
      case 2: file.resize(below(file.size() + 1)); return;
      case 3:
        file.insert(below(file.size() + 1), std::string(1 + below(40), static_cast<char>(below(256))));
        return;
      case 4: file.erase(below(file.size()), 1 + below(16)); return;
      default: write_number(file, fields); return;
    }
  }

  void write_number(std::string& file, const std::vector<std::size_t>& fields) {
    const auto bytes = raw(number());
    const std::size_t at = fields[below(fields.size())];
    const std::size_t width = below(2) == 0 ? 4 : 8;
    if (at + width <= file.size()) file.replace(at, width, bytes.substr(0, width));
  }

  std::mt19937 random_;
};

}  // namespace lorica
