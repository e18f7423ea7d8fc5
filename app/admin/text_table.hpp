#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lorica::admin {

enum class alignment : std::uint8_t { left, right };

struct column {
  std::string title;
  alignment align = alignment::left;
};

/// Rows under titles, each column as wide as its widest cell. Cells are made printable; widths count code
/// points.
class text_table {
 public:
  explicit text_table(std::vector<column> columns) : columns_(std::move(columns)) {}

  /// As many cells as there are columns.
  void add(std::vector<std::string> cells);

  std::size_t rows() const noexcept { return rows_.size(); }

  /// A line for the titles, then one per row; none ends in blanks.
  std::vector<std::string> lines() const;

  /// The lines, each with its end.
  std::string text() const;

 private:
  std::vector<column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace lorica::admin
