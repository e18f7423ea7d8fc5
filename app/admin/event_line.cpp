#include "app/admin/event_line.hpp"

#include <fmt/format.h>

#include "app/admin/wording.hpp"

namespace lorica::admin {

std::string event_line(const value& event) {
  if (event.find("missed")) return fmt::format("          missed    {} events", whole_of(event, "missed"));
  auto time = in_utc(whole_of(event, "at") / 1000);
  auto out = fmt::format("{} {:<9} {}", time.substr(time.find(' ') + 1), printable(text_of(event, "kind")),
                         printable(text_of(event, "name")));
  if (auto version = version_of(event); version != "-") out += "  " + printable(version);
  if (auto why = text_of(event, "because"); !why.empty()) out += "  " + printable(why);
  return out;
}

}  // namespace lorica::admin
