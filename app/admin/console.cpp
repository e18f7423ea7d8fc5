#include "app/admin/console.hpp"

#include <ostream>

#include "app/admin/json_text.hpp"
#include "app/admin/wording.hpp"
#include "core/json.hpp"

namespace lorica::admin {

void console::answer(const value& document, const std::string& text) {
  print(json() ? json_text(document) + "\n" : text);
}

void console::print(std::string_view text) {
  clear();
  out_ << text << std::flush;
}

bool console::is_read() const {
  return out_.good();
}

void console::remark(std::string_view text) {
  clear();
  err_ << printable(text) << std::endl;
}

void console::progress(std::string_view text) {
  if (!live_) return;
  err_ << "\r\x1b[K" << printable(text) << std::flush;
  drawn_ = true;
}

void console::clear() {
  if (!drawn_) return;
  err_ << "\r\x1b[K" << std::flush;
  drawn_ = false;
}

exit_code console::refuse(const error& why) {
  auto code = exit_code_of(why);
  remark("lorica-admin: " + why.text + (why.reason.empty() ? "" : " (" + why.reason + ")"));
  if (!json()) return code;
  json_writer w;
  w.begin_object().key("error").string(why.text).key("error_type");
  if (why.reason.empty())
    w.null();
  else
    w.string(why.reason);
  w.key("exit_code").integer(static_cast<int>(code)).end_object();
  print(w.take() + "\n");
  return code;
}

}  // namespace lorica::admin
