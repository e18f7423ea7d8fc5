#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/admin/top_state.hpp"

namespace lorica::admin {

enum class line_style : std::uint8_t { plain, title, selected, alert, faint };

struct screen_line {
  std::string text;  ///< printable ASCII, at most as wide as the screen
  line_style style = line_style::plain;
};

struct screen_size {
  int rows = 0;
  int columns = 0;
};

/// The whole screen: at most `size.rows` lines. Pure.
std::vector<screen_line> draw_top(const top_state& state, screen_size size);

/// Rows of the table that a screen of this size shows.
int table_rows(screen_size size);

/// The figures above the table.
std::vector<std::string> top_figures(const top_state& state);

/// Titles and rows of the table.
std::vector<std::string> top_table(const top_state& state);

/// What is shown, for programs.
value top_document(const top_state& state);

}  // namespace lorica::admin
