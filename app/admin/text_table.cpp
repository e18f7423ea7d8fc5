#include "app/admin/text_table.hpp"

#include <algorithm>

#include "app/admin/wording.hpp"

namespace lorica::admin {
namespace {

std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

void text_table::add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (auto& cell : cells)
    cell = printable(cell);
  rows_.push_back(std::move(cells));
}

std::vector<std::string> text_table::lines() const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    auto widest = width(columns_[c].title);
    for (auto& row : rows_)
      widest = std::max(widest, width(row[c]));
    widths.push_back(widest);
  }
  auto line = [&](auto&& cell) {
    std::string out;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      std::string text = cell(c);
      std::string blanks(widths[c] - width(text), ' ');
      if (c > 0) out += "  ";
      out += columns_[c].align == alignment::right ? blanks + text : text + blanks;
    }
    out.erase(out.find_last_not_of(' ') + 1);
    return out;
  };
  std::vector<std::string> out{line([&](std::size_t c) { return columns_[c].title; })};
  for (auto& row : rows_)
    out.push_back(line([&](std::size_t c) { return row[c]; }));
  return out;
}

std::string text_table::text() const {
  std::string out;
  for (auto& one : lines())
    out += one + "\n";
  return out;
}

}  // namespace lorica::admin
