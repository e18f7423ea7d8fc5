#include "net/extra_routes.hpp"

#include <algorithm>
#include <utility>

#include "core/shown.hpp"
#include "net/router.hpp"

namespace lorica {
namespace {

constexpr std::string_view predict_meaning = "/vertex";
constexpr std::string_view health_meaning = "/health";
constexpr std::size_t longest = 1024;

/// Characters of a path as they come over the wire, without those that stand for something in the table.
bool is_path(std::string_view text) {
  if (!text.starts_with('/') || text.size() > longest) return false;
  return std::ranges::all_of(text, [](char c) {
    return c > ' ' && c <= '~' && std::string_view("?#{}%\"<>\\^`|").find(c) == std::string_view::npos;
  });
}

error refused(std::string_view setting, std::string_view path, std::string_view why) {
  return fail(errc::bad_config, "--" + std::string(setting) + ": '" + shown(path) + "' " + std::string(why));
}

/// Empty for a path that means the same without our help.
result<std::string> checked(std::string_view setting, std::string path, bool is_meant) {
  if (path.empty() || is_meant) return std::string();
  if (!is_path(path)) return refused(setting, path, "is not allowed; expected a path such as /predict");
  if (!allowed_methods(path).empty())
    return refused(setting, path, "is the path of another route; choose another one");
  return path;
}

}  // namespace

result<extra_routes> extra_routes::make(std::string predict, std::string health) {
  bool healthy = health == health_meaning || health == "/ping" || health == "/";
  auto first = checked("predict-route", predict, predict == predict_meaning);
  if (!first) return first.error();
  auto second = checked("health-route", health, healthy);
  if (!second) return second.error();
  if (!first->empty() && *first == *second)
    return refused("health-route", health, "is the predict-route too; choose another one");
  extra_routes out;
  out.predict_ = *std::move(first);
  out.health_ = *std::move(second);
  return out;
}

std::string_view extra_routes::meant(std::string_view path) const noexcept {
  if (!predict_.empty() && path == predict_) return predict_meaning;
  if (!health_.empty() && path == health_) return health_meaning;
  return path;
}

}  // namespace lorica
