#include "net/adapter_choice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/shown.hpp"
#include "net/http_error.hpp"
#include "net/model_name.hpp"

namespace lorica {
namespace {

constexpr const char* none_named = "at least one adapter ID must be provided when setting `adapters`";

std::string in_lower_case(std::string text) {
  for (auto& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

void check_count(field_reader& fields, std::string_view field, std::size_t count) {
  fields.demand(count <= most_adapters, field,
                fmt::format("`{}` takes up to {} adapters. Given: {}", field, most_adapters, count));
}

/// What is wrong with names, few of them, whichever field gave them; `field` is that one.
void check_names(field_reader& fields, std::string_view field, const std::vector<named_adapter>& named,
                 const server_info& info) {
  fields.demand(!named.empty(), field, none_named);
  for (auto& adapter : named) {
    fields.demand(
        !means_base(adapter.name, info), field,
        fmt::format("`{}` names `{}`, which means the base; name adapters only", field, shown(adapter.name)));
    auto same = std::ranges::count(named, adapter.name, &named_adapter::name);
    fields.demand(
        same == 1, field,
        fmt::format("`{}` names `{}` more than once; name each adapter once", field, shown(adapter.name)));
  }
}

result<named_adapter> read_weighted(const value& entry) {
  field_reader fields(&entry);
  fields.demand(
      entry.as_object() != nullptr, "id",
      "each of `adapters` must be an object with `id` and `weight`. Given: " + std::string(entry.kind()));
  fields.only({"id", "weight"});
  named_adapter out;
  out.name = fields.text("id").value_or("");
  fields.demand(!out.name.empty(), "id", "`id` is missing; it must be the name of an adapter");
  out.weight = fields.number("weight").value_or(1.0f);
  if (fields.refusal()) return *fields.refusal();
  return out;
}

error in_entry(error why, std::size_t index) {
  why.text += fmt::format(" (adapters[{}])", index);
  why.param = fmt::format("adapters[{}].{}", index, why.param);
  return why;
}

void read_adapters(field_reader& fields, const server_info& info, generation_request& into) {
  auto given = fields.raw("adapters");
  auto list = given->as_array();
  fields.demand(
      list != nullptr, "adapters",
      "`adapters` must be a list of objects with `id` and `weight`. Given: " + std::string(given->kind()));
  for (std::size_t i = 0; list && i < std::min(list->size(), most_adapters); ++i) {
    auto one = read_weighted((*list)[i]);
    if (!one) return fields.refuse(in_entry(one.error(), i));
    into.adapters.push_back(*std::move(one));
  }
  if (!list) return;
  check_count(fields, "adapters", list->size());
  check_names(fields, "adapters", into.adapters, info);
}

/// Density and sign method change nothing where the strategy is `linear`, but are checked all the same.
void check_merge(field_reader& merge) {
  auto strategy = merge.text("merge_strategy").value_or("linear");
  merge.demand(
      in_lower_case(strategy) == "linear", "merge_strategy",
      fmt::format("`merge_strategy` must be `linear`, the only one that is served. Given: {}; `adapters` "
                  "gives the weighted sum of the adapters' updates",
                  shown(strategy)));
  auto density = merge.number("density").value_or(0.0f);
  merge.demand(density >= 0 && density <= 1, "density", "`density` must be >= 0.0 and <= 1.0");
  auto method = in_lower_case(merge.text("majority_sign_method").value_or("total"));
  merge.demand(method == "total" || method == "frequency", "majority_sign_method",
               "`majority_sign_method` must be `total` or `frequency`");
}

void read_merged(field_reader& fields, const server_info& info, generation_request& into) {
  auto given = fields.raw("merged_adapters");
  if (!given->as_object())
    return fields.demand(
        false, "merged_adapters",
        "`merged_adapters` must be an object with `ids` and `weights`. Given: " + std::string(given->kind()));
  field_reader merge(given);
  merge.only({"ids", "weights", "merge_strategy", "density", "majority_sign_method"});
  auto ids = merge.texts("ids").value_or(std::vector<std::string>{});
  auto weights = merge.numbers("weights").value_or(std::vector<float>{});
  merge.demand(!ids.empty(), "ids", none_named);
  merge.demand(ids.size() == weights.size(), "weights",
               "number of adapter IDs must match number of adapter weights");
  check_merge(merge);
  if (auto why = merge.refusal()) {
    auto inside = *why;
    inside.param = "merged_adapters." + inside.param;
    return fields.refuse(std::move(inside));
  }
  check_count(fields, "merged_adapters", ids.size());
  for (std::size_t i = 0; i < std::min(ids.size(), most_adapters); ++i)
    into.adapters.push_back({ids[i], weights[i]});
  check_names(fields, "merged_adapters", into.adapters, info);
  into.combine = combination::linear;
  // LoRAX serves a single one as it is, whatever its weight.
  if (into.adapters.size() == 1) {
    into.adapters.front().weight = 1.0f;
    into.combine = combination::sum;
  }
}

/// LoRAX's words for where an adapter comes from. A name means one adapter here wherever it was loaded from,
/// so they choose nothing; what is never loaded by its name is refused.
void check_source(field_reader& fields) {
  auto source = fields.text("adapter_source").value_or("local");
  fields.demand(
      source == "hub" || source == "local", "adapter_source",
      fmt::format("`adapter_source` must be `hub` or `local`. Given: {}; an adapter from elsewhere is "
                  "loaded by the administration and then has a name",
                  shown(source)));
  // Not used and not kept: what one client's token opens would answer all others too.
  static_cast<void>(fields.text("api_token"));
}

}  // namespace

void choose_adapters(field_reader& fields, std::string one, const server_info& info,
                     generation_request& into) {
  check_source(fields);
  auto weighted = fields.raw("adapters") != nullptr;
  auto merged = fields.raw("merged_adapters") != nullptr;
  auto fields_given = (one.empty() ? 0 : 1) + (weighted ? 1 : 0) + (merged ? 1 : 0);
  fields.demand(fields_given <= 1, weighted ? "adapters" : "merged_adapters",
                "at most one of `adapter_id` or `adapters` may be provided");
  if (fields.refusal()) return;
  if (weighted) return read_adapters(fields, info, into);
  if (merged) return read_merged(fields, info, into);
  if (!one.empty()) into.adapters.push_back({std::move(one), 1.0f});
}

}  // namespace lorica
