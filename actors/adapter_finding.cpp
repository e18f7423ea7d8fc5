#include "actors/adapter_finding.hpp"

#include <algorithm>

#include "files/hub_cache.hpp"

namespace lorica {

bool adapter_finding::on_hub(std::string_view name) const {
  if (options_.mode != dynamic_mode::hub || !is_repository_id(name)) return false;
  auto slash = name.find('/');
  if (slash == std::string_view::npos) return false;
  return std::ranges::find(options_.hub_organisations, name.substr(0, slash)) !=
         options_.hub_organisations.end();
}

adapter_finding::answer adapter_finding::find(const std::string& name, time_point now) {
  using enum adapter_origin::kind;
  if (options_.mode == dynamic_mode::off) return {};
  if (index_)
    if (auto place = index_->find(name))
      return {verdict::found, adapter_origin{found, std::to_string(place->root) + ":" + place->path}};
  if (!options_.has_roots && !on_hub(name)) return {};
  switch (rescans_.missed(name, now)) {
    case missed_name::rescan: return {verdict::scan, {}};
    case missed_name::wait: return {verdict::wait, {}};
    case missed_name::unknown: return {};
    case missed_name::elsewhere: break;
  }
  if (!on_hub(name)) return {};
  return {verdict::found, adapter_origin{hub, name + "@main"}};
}

void adapter_finding::scanned(std::shared_ptr<const root_index> index, time_point now) {
  if (index) index_ = std::move(index);
  rescans_.finish(now);
}

}  // namespace lorica
