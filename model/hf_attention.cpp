#include "model/hf_attention.hpp"

#include <cmath>
#include <string>

#include "model/config_checks.hpp"
#include "model/families.hpp"

namespace lorica {
namespace {

constexpr double largest_cap = 1e6;

// `layer_types`, or what the family's older fields mean; true: the layer has the window.
std::vector<bool> windowed_layers(json_fields& in, const model_config& m) {
  std::vector<bool> out(m.layers);
  auto kinds = in.find("layer_types");
  if (!kinds) {
    const auto first = in.real("max_window_layers", 0, 1e9, 28);
    for (std::uint32_t i = 0; i < m.layers; ++i)
      out[i] =
          m.arch == architecture::gemma2 ? i % 2 == 0 : in.flag("use_sliding_window", false) && i >= first;
    return out;
  }
  if (!kinds->as_array() || kinds->as_array()->size() != m.layers) {
    in.refuse("layer_types is not a list of one kind per layer");
    return out;
  }
  for (std::uint32_t i = 0; i < m.layers; ++i) {
    auto kind = (*kinds->as_array())[i].as_string();
    out[i] = kind && *kind == "sliding_attention";
    if (!kind || (!out[i] && *kind != "full_attention"))
      in.refuse(
          "layer_types holds something else than full_attention and sliding_attention, which is not "
          "served");
  }
  return out;
}

// The width of the window; 0 when there is none. Absent and null differ where the family has a default.
std::uint32_t window_of(json_fields& in, const model_config& m) {
  if (in.has("sliding_window")) return in.size("sliding_window", config_bounds::positions);
  return in.named("sliding_window") ? 0 : family_of(m.arch).window;
}

void read_some_windows(json_fields& in, model_config& out) {
  auto windowed = windowed_layers(in, out);
  const bool qwen = out.arch != architecture::gemma2;
  const bool off = qwen && !in.flag("use_sliding_window", false);
  const auto window = off ? 0 : window_of(in, out);
  for (std::uint32_t i = 0; i < out.layers; ++i) {
    if (!windowed[i]) continue;
    if (window == 0)
      return in.refuse("layer_types names sliding_attention, but sliding_window is " +
                       std::string(off ? "switched off by use_sliding_window" : "null"));
    out.windows.resize(out.layers);
    out.windows[i] = window;
  }
}

// transformers does not look at windows of these families: one would be lost silently.
void refuse_window(json_fields& in, const model_config& m) {
  if (auto kinds = in.find("layer_types"); kinds && kinds->as_array())
    for (auto& item : *kinds->as_array())
      if (!item.as_string() || *item.as_string() != "full_attention")
        in.refuse("layer_types holds something else than full_attention, which is not served");
  if (!in.has("sliding_window")) return;
  const auto window = in.size("sliding_window", config_bounds::positions);
  if (window < m.max_positions)
    in.refuse("sliding_window " + std::to_string(window) + " is active; " +
              std::string(family_of(m.arch).word) + " models have no sliding window");
}

void read_windows(json_fields& in, model_config& out) {
  switch (out.arch) {
    case architecture::mistral:
    case architecture::phi3:
      if (auto window = window_of(in, out)) out.windows.assign(out.layers, window);
      return;
    case architecture::qwen2:
    case architecture::qwen3:
    case architecture::gemma2: return read_some_windows(in, out);
    default: return refuse_window(in, out);
  }
}

// A cap that is null is none; an absent one is the family's.
float cap_of(json_fields& in, std::string_view key, double usual) {
  if (in.named(key) && !in.has(key)) return 0;
  return static_cast<float>(in.real(key, 1e-6, largest_cap, usual));
}

}  // namespace

void read_hf_attention(json_fields& in, model_config& out) {
  double width = out.head_dim;
  if (out.arch == architecture::gemma2) {
    width = in.real("query_pre_attn_scalar", 1e-6, 1e9, 256);
    out.attention_softcap = cap_of(in, "attn_logit_softcapping", 50);
    out.logit_softcap = cap_of(in, "final_logit_softcapping", 30);
  }
  out.attention_scale = static_cast<float>(1.0 / std::sqrt(width));
  read_windows(in, out);
}

}  // namespace lorica
