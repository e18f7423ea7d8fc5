#include "model/hf_rope.hpp"

#include <optional>
#include <string>

#include "model/config_checks.hpp"
#include "model/json_fields.hpp"

namespace lorica {
namespace {

constexpr double largest = 1e12;

// `rope_type`, or `type` in files from before the field was renamed.
std::string type_of(json_fields& in) {
  return in.text("rope_type", in.text("type", "default"));
}

void read_scaling(json_fields& in, std::uint32_t max_positions, rope_config& out) {
  auto type = type_of(in);
  if (type == "default") return;
  if (type == "linear") {
    out.kind = rope_config::scaling::linear;
    out.factor = in.real("factor", 1e-6, largest);
    return;
  }
  if (type != "llama3")
    return in.refuse("rope_type \"" + type + "\" is not served; default, linear and llama3 are");
  out.kind = rope_config::scaling::llama3;
  out.factor = in.real("factor", 1e-6, largest);
  out.low_freq_factor = in.real("low_freq_factor", 1e-6, largest);
  out.high_freq_factor = in.real("high_freq_factor", 1e-6, largest);
  out.original_max_positions =
      in.size("original_max_position_embeddings", config_bounds::positions, max_positions);
}

}  // namespace

result<rope_config> read_hf_rope(const value& config, std::uint32_t max_positions) {
  rope_config out;
  json_fields top(config, "config.json");
  out.theta = top.real("rope_theta", 1, largest, out.theta);
  if (top.real("partial_rotary_factor", 0, largest, 1) != 1)
    top.refuse("partial_rotary_factor other than 1 is not served");
  if (top.failure()) return *top.failure();

  const bool current = top.has("rope_parameters");
  const std::string key = current ? "rope_parameters" : "rope_scaling";
  auto parameters = top.find(key);
  if (!parameters) return out;
  json_fields in(*parameters, "config.json: " + key);
  if (!parameters->as_object()) in.refuse("is a " + std::string(parameters->kind()) + ", not an object");
  // A dictionary per layer type: {"full_attention": {...}}.
  for (auto nested : {"full_attention", "sliding_attention"})
    if (in.has(nested)) in.refuse("parameters per layer type are not served");
  out.theta = in.real("rope_theta", 1, largest, out.theta);
  if (in.real("partial_rotary_factor", 0, largest, 1) != 1)
    in.refuse("partial_rotary_factor other than 1 is not served");
  read_scaling(in, max_positions, out);
  if (in.failure()) return *in.failure();
  return out;
}

}  // namespace lorica
