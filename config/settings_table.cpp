#include <vector>

#include "config/setting.hpp"
#include "config/setting_groups.hpp"

namespace lorica {
namespace {

std::vector<setting> all_groups() {
  std::vector<setting> out;
  for (auto group : {model_settings(), adapter_settings(), schedule_settings(), compute_settings(),
                     request_settings(), server_settings(), tgi_settings()})
    out.insert(out.end(), group.begin(), group.end());
  return out;
}

}  // namespace

std::span<const setting> serve_settings_table() {
  static const auto table = all_groups();
  return table;
}

const setting* find_setting(std::string_view name) {
  for (auto& row : serve_settings_table())
    if (row.flag == name || (!row.alias.empty() && row.alias == name)) return &row;
  return nullptr;
}

}  // namespace lorica
