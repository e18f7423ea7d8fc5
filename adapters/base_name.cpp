#include "adapters/base_name.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <string>
#include <utility>

namespace lorica {
namespace {

using words = std::set<std::string>;

constexpr bool digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

words split(std::string_view name) {
  if (auto slash = name.find_last_of("/\\"); slash != std::string_view::npos) name.remove_prefix(slash + 1);
  words out;
  std::string word;
  for (char c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    bool part = digit(c) || (c >= 'a' && c <= 'z');
    if (part) word += c;
    if (!part && !word.empty()) out.insert(std::exchange(word, {}));
  }
  if (!word.empty()) out.insert(word);
  return out;
}

bool is_size(const std::string& word) {
  auto number = std::string_view(word).substr(0, word.size() - 1);
  return !number.empty() && (word.back() == 'b' || word.back() == 'm') &&
         std::all_of(number.begin(), number.end(), digit);
}

words sizes(const words& from) {
  words out;
  std::copy_if(from.begin(), from.end(), std::inserter(out, out.end()), is_size);
  return out;
}

bool share(const words& one, const words& other) {
  return std::any_of(one.begin(), one.end(), [&](const auto& word) { return other.contains(word); });
}

}  // namespace

bool may_be_same_base(std::string_view one, std::string_view other) {
  auto a = split(one);
  auto b = split(other);
  if (a.empty() || b.empty()) return true;
  auto a_sizes = sizes(a);
  auto b_sizes = sizes(b);
  bool sizes_differ = !a_sizes.empty() && !b_sizes.empty() && !share(a_sizes, b_sizes);
  return share(a, b) && !sizes_differ;
}

}  // namespace lorica
