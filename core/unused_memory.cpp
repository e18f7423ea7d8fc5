#include "core/unused_memory.hpp"

#include <malloc.h>
#include <sys/mman.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>

namespace lorica {
namespace {

/// A line without what is behind it.
std::string_view take_line(std::string_view& rest) noexcept {
  const auto line = rest.substr(0, rest.find('\n'));
  rest.remove_prefix(std::min(line.size() + 1, rest.size()));
  return line;
}

/// What stands before the next space.
std::string_view take_word(std::string_view& rest) noexcept {
  rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
  const auto word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(word.size());
  return word;
}

std::optional<std::uintptr_t> hexadecimal(std::string_view digits) noexcept {
  std::uintptr_t out = 0;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), out, 16);
  if (problem != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return out;
}

/// `BEGIN-END rwxp OFFSET DEVICE INODE NAME` of a private mapping of a file that cannot be written.
std::optional<mapped_range> read_only_file(std::string_view line) noexcept {
  const auto place = take_word(line), rights = take_word(line);
  take_word(line);
  take_word(line);
  const auto inode = take_word(line);
  const auto dash = place.find('-');
  if (dash == place.npos || rights.size() != 4 || rights[1] == 'w' || rights[3] != 'p') return std::nullopt;
  if (inode.empty() || inode == "0") return std::nullopt;
  const auto begin = hexadecimal(place.substr(0, dash)), end = hexadecimal(place.substr(dash + 1));
  if (!begin || !end) return std::nullopt;
  return mapped_range{*begin, *end};
}

/// A field of a mapping begins with its name and a colon.
bool begins_mapping(std::string_view line) noexcept {
  const auto word = take_word(line);
  return !word.empty() && word.back() != ':';
}

std::string read_smaps() {
  std::ifstream file("/proc/self/smaps");
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

std::vector<mapped_range> unchanged_mappings(std::string_view smaps) {
  std::vector<mapped_range> out;
  std::optional<mapped_range> at;
  while (!smaps.empty()) {
    auto line = take_line(smaps);
    if (begins_mapping(line)) {
      at = read_only_file(line);
    } else if (at && take_word(line) == "Anonymous:" && take_word(line) == "0") {
      out.push_back(*at);
    }
  }
  return out;
}

void give_back_unused_memory() {
  for (auto& range : unchanged_mappings(read_smaps()))
    ::madvise(reinterpret_cast<void*>(range.begin), range.end - range.begin, MADV_DONTNEED);
#ifdef __GLIBC__
  ::malloc_trim(0);  // last: the text above was in the heap
#endif
}

}  // namespace lorica
