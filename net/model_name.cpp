#include "net/model_name.hpp"

#include <algorithm>

namespace lorica {

bool means_base(std::string_view name, const server_info& info) {
  if (name.empty() || name == "tgi" || name == "dummy" || name == info.model_id) return true;
  if (name.starts_with("http://") || name.starts_with("https://")) return true;
  auto& served = info.served_model_names;
  return std::find(served.begin(), served.end(), name) != served.end();
}

std::string adapter_of(std::string_view name, const server_info& info) {
  return means_base(name, info) ? std::string() : std::string(name);
}

}  // namespace lorica
