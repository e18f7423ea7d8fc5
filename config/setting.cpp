#include "config/setting.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

namespace lorica {
namespace {

/// Insertions, deletions and replacements between two words.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    auto diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      auto replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

std::string bounds(const setting& row) {
  return std::to_string(row.least) + " to " + std::to_string(row.most);
}

}  // namespace

std::string_view nearest_setting(std::string_view name) {
  constexpr std::size_t longest = 64;
  if (name.size() > longest) return {};
  std::string_view best;
  auto least = std::max<std::size_t>(name.size() / 3, 2) + 1;
  auto compare = [&](std::string_view candidate) {
    if (candidate.empty()) return;
    auto distance = edit_distance(name, candidate);
    if (distance >= least) return;
    least = distance;
    best = candidate;
  };
  for (auto& row : serve_settings_table()) {
    compare(row.flag);
    compare(row.alias);
  }
  return best;
}

std::string allowed_values(const setting& row) {
  switch (row.kind) {
    case setting_kind::integer: return "a whole number from " + bounds(row);
    case setting_kind::bytes: return "bytes from " + bounds(row) + ", such as 512M or 4G";
    case setting_kind::flag: return "true or false";
    case setting_kind::choice: return "one of " + spelled_choices(row.choices);
    case setting_kind::list: return "texts separated by commas, none of them empty";
    case setting_kind::numbers:
      return "whole numbers from " + bounds(row) + " separated by commas, or 0 alone";
    case setting_kind::text: break;
  }
  return row.flag == "hostname" ? "an IP address or localhost" : "a text";
}

std::string spelled_choices(std::string_view choices) {
  std::string out;
  for (char c : choices)
    out += c == '|' ? std::string(", ") : std::string(1, c);
  return out;
}

}  // namespace lorica
