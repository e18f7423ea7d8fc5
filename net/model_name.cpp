#include "net/model_name.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/shown.hpp"
#include "net/http_error.hpp"

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

// Names of adapters have no colon, those of the base may: the last one parts them.
result<std::string> adapter_of_model(std::string_view model, const server_info& info) {
  auto colon = model.rfind(':');
  if (colon == std::string_view::npos || means_base(model, info)) return adapter_of(model, info);
  auto base = model.substr(0, colon);
  if (base.ends_with(':') && !means_base(base, info)) base.remove_suffix(1);
  if (base.empty() || !means_base(base, info)) return std::string(model);
  auto adapter = model.substr(colon + 1);
  if (!adapter.empty()) return std::string(adapter);
  return invalid_field(
      fmt::format("`model` names no adapter behind the colon of `{}`; write `{}` for the base "
                  "or `{}:` and the adapter's name",
                  shown(model), shown(base), shown(base)),
      "model");
}

}  // namespace lorica
