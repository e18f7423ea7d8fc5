#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>

#include "app/admin/exit_code.hpp"
#include "core/value.hpp"

namespace lorica::admin {

/// Whether answers are tables for people or JSON for programs.
enum class output_form : std::uint8_t { text, json };

/// Where a command's words go: answers to `out`, everything else to `err`. In the JSON form `out` gets one
/// document per command, also when it fails. Used by the thread of the command.
class console {
 public:
  /// `live`: `err` is a terminal, so progress may be drawn there.
  console(std::ostream& out, std::ostream& err, output_form form, bool live)
      : out_(out), err_(err), form_(form), live_(live) {}

  bool json() const noexcept { return form_ == output_form::json; }

  /// An answer, in the form that is asked for.
  void answer(const value& document, const std::string& text);

  /// Lines of an answer.
  void print(std::string_view text);

  /// False once nobody reads the answers any more.
  bool is_read() const;

  /// A remark for people.
  void remark(std::string_view text);

  /// A line that the next one writes over; nothing without a terminal.
  void progress(std::string_view text);

  /// Says why the command failed. Returns how the program ends.
  exit_code refuse(const error& why);

 private:
  void clear();

  std::ostream& out_;
  std::ostream& err_;
  output_form form_;
  bool live_;
  bool drawn_ = false;
};

}  // namespace lorica::admin
