#include "actors/adapter_finding.hpp"

#include <algorithm>

#include "files/hub_cache.hpp"

namespace lorica {
namespace {

constexpr auto between_scans = std::chrono::seconds(5);

}  // namespace

bool adapter_finding::on_hub(std::string_view name) const {
  if (options_.mode != dynamic_mode::hub || !is_repository_id(name)) return false;
  auto slash = name.find('/');
  if (slash == std::string_view::npos) return false;
  return std::ranges::find(options_.hub_organisations, name.substr(0, slash)) !=
         options_.hub_organisations.end();
}

adapter_finding::answer adapter_finding::find(const std::string& name, time_point now) {
  if (options_.mode == dynamic_mode::off) return {};
  if (index_)
    if (auto place = index_->find(name))
      return {verdict::found, adapter_origin{adapter_origin::kind::root, *place}};
  if (scanning_) return {verdict::wait, {}};
  if (options_.has_roots && (!last_scan_ || now - *last_scan_ >= between_scans)) {
    scanning_ = true;
    return {verdict::scan, {}};
  }
  if (on_hub(name)) return {verdict::found, adapter_origin{adapter_origin::kind::hub, name + "@main"}};
  return {};
}

void adapter_finding::scanned(std::shared_ptr<const root_index> index, time_point now) {
  if (index) index_ = std::move(index);
  last_scan_ = now;
  scanning_ = false;
}

}  // namespace lorica
