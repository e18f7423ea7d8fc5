#include "model/hf_rope.hpp"

#include <cmath>
#include <optional>
#include <string>

#include "model/config_checks.hpp"
#include "model/json_fields.hpp"
#include "model/rope.hpp"

namespace lorica {
namespace {

constexpr double largest = 1e12;

// `rope_type`, or `type` in files from before the field was renamed.
std::string type_of(json_fields& in, architecture arch) {
  auto type = in.text("rope_type", in.text("type", "default"));
  // Phi-3 wrote longrope under two other words.
  const bool older = type == "su" || (type == "yarn" && arch == architecture::phi3);
  return older ? "longrope" : type;
}

// The length the model was trained for before it was stretched. Phi-3 has it outside the parameters, and that
// one counts.
std::uint32_t original_positions(json_fields& top, json_fields& in, const model_config& m) {
  const std::string key = "original_max_position_embeddings";
  if (top.has(key)) return top.size(key, config_bounds::positions);
  return in.size(key, config_bounds::positions, m.max_positions);
}

void read_llama3(json_fields& in, rope_config& out) {
  out.kind = rope_config::scaling::llama3;
  out.factor = in.real("factor", 1e-6, largest);
  out.low_freq_factor = in.real("low_freq_factor", 1e-6, largest);
  out.high_freq_factor = in.real("high_freq_factor", 1e-6, largest);
}

double stretched_by(json_fields& in, const model_config& m) {
  return in.real("factor", 1e-6, largest,
                 static_cast<double>(m.max_positions) / m.rope.original_max_positions);
}

// attention_factor, or what transformers infers from mscale and mscale_all_dim, or from the factor alone.
void read_yarn(json_fields& in, const model_config& m, rope_config& out) {
  out.kind = rope_config::scaling::yarn;
  out.factor = stretched_by(in, m);
  out.beta_fast = in.real("beta_fast", 1e-6, largest, 32);
  out.beta_slow = in.real("beta_slow", 1e-6, largest, 1);
  out.truncate = in.flag("truncate", true);
  const auto mscale = in.real("mscale", 0, largest, 0);
  const auto mscale_all = in.real("mscale_all_dim", 0, largest, 0);
  const auto inferred = mscale != 0 && mscale_all != 0 ? yarn_attention_factor(out.factor, mscale) /
                                                             yarn_attention_factor(out.factor, mscale_all)
                                                       : yarn_attention_factor(out.factor, 1);
  out.attention_factor = in.real("attention_factor", 1e-6, largest, inferred);
}

void read_longrope(json_fields& in, const model_config& m, rope_config& out) {
  out.kind = rope_config::scaling::longrope;
  const auto factor = stretched_by(in, m);
  const auto inferred =
      factor <= 1 ? 1 : std::sqrt(1 + std::log(factor) / std::log(out.original_max_positions));
  out.attention_factor = in.real("attention_factor", 1e-6, largest, inferred);
  out.short_factor = in.positive_list("short_factor", m.rotary_dim / 2);
  out.long_factor = in.positive_list("long_factor", m.rotary_dim / 2);
}

void read_scaling(json_fields& top, json_fields& in, model_config& m) {
  auto& out = m.rope;
  auto type = type_of(in, m.arch);
  if (type == "default") return;
  if (type == "linear") {
    out.kind = rope_config::scaling::linear;
    out.factor = in.real("factor", 1e-6, largest);
    return;
  }
  if (type != "llama3" && type != "yarn" && type != "longrope")
    return in.refuse("rope_type \"" + shown(type) +
                     "\" is not served; default, linear, llama3, yarn and longrope are");
  out.original_max_positions = original_positions(top, in, m);
  if (type == "llama3") return read_llama3(in, out);
  if (type == "yarn") return read_yarn(in, m, out);
  read_longrope(in, m, out);
}

// Only Phi-3 turns a part of a head.
void read_rotary_dim(json_fields& in, double part, model_config& m) {
  m.rotary_dim = static_cast<std::uint32_t>(m.head_dim * part);
  if (part == 1) return;
  if (m.arch != architecture::phi3) in.refuse("partial_rotary_factor other than 1 is not served");
  if (m.rotary_dim == 0 || m.rotary_dim % 2 != 0 || m.rotary_dim > m.head_dim)
    in.refuse("partial_rotary_factor leaves " + std::to_string(m.rotary_dim) + " dimensions of a head of " +
              std::to_string(m.head_dim) + "; rotary pairs need an even number");
}

}  // namespace

result<void> read_hf_rope(const value& config, model_config& m) {
  json_fields top(config, "config.json");
  m.rope.theta = top.real("rope_theta", 1, largest, m.rope.theta);
  const auto part = top.real("partial_rotary_factor", 0, 1, 1);
  const bool current = top.has("rope_parameters");
  const std::string key = current ? "rope_parameters" : "rope_scaling";
  auto parameters = top.find(key);
  if (!parameters) {
    read_rotary_dim(top, part, m);
    if (top.failure()) return *top.failure();
    return {};
  }
  json_fields in(*parameters, "config.json: " + key);
  if (!parameters->as_object()) in.refuse("is a " + std::string(parameters->kind()) + ", not an object");
  // A dictionary per layer type: {"full_attention": {...}}.
  for (auto nested : {"full_attention", "sliding_attention"})
    if (in.has(nested)) in.refuse("parameters per layer type are not served");
  m.rope.theta = in.real("rope_theta", 1, largest, m.rope.theta);
  read_rotary_dim(in, in.real("partial_rotary_factor", 0, 1, part), m);
  read_scaling(top, in, m);
  if (top.failure()) return *top.failure();
  if (in.failure()) return *in.failure();
  return {};
}

}  // namespace lorica
