#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "app/admin/top_screen.hpp"
#include "core/error.hpp"

namespace lorica::admin {

struct terminal_key {
  top_key key = top_key::character;
  char character = 0;
};

/// The terminal in full-screen mode; the destructor gives it back as it was. At most one at a time, used by
/// the main thread. It learns of another size by the system's signal.
class terminal {
 public:
  /// `errc::bad_config` when the terminal of the environment (TERM) is not known.
  static result<std::unique_ptr<terminal>> open();
  ~terminal();
  terminal(const terminal&) = delete;
  terminal& operator=(const terminal&) = delete;

  screen_size size() const;
  void draw(const std::vector<screen_line>& lines);

  /// The next key; nothing when none comes in that time, or when the size changed.
  std::optional<terminal_key> key(std::chrono::milliseconds patience);

 private:
  struct handle;
  explicit terminal(std::unique_ptr<handle> made);
  std::unique_ptr<handle> here_;
};

}  // namespace lorica::admin
