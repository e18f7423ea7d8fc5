#include "model/hf_config.hpp"

#include <algorithm>
#include <string>

#include "model/config_checks.hpp"
#include "model/hf_rope.hpp"
#include "model/json_fields.hpp"

namespace lorica {
namespace {

const std::string config_file = "config.json";

result<architecture> read_family(const value& config) {
  auto type = config.find("model_type");
  if (!type || !type->as_string()) return refuse_model(config_file + ": model_type is missing or no string");
  if (*type->as_string() == "llama") return architecture::llama;
  if (*type->as_string() == "qwen2") return architecture::qwen2;
  return refuse_model(config_file + ": model_type \"" + *type->as_string() +
                      "\" is not served; llama and qwen2 are");
}

// A model with another head than the language model's has the same model_type.
void check_head(json_fields& in, architecture arch) {
  auto names = in.find("architectures");
  if (!names || !names->as_array() || names->as_array()->empty()) return;
  const std::string_view wanted = arch == architecture::llama ? "LlamaForCausalLM" : "Qwen2ForCausalLM";
  for (auto& item : *names->as_array())
    if (item.as_string() && *item.as_string() == wanted) return;
  auto first = names->as_array()->front().as_string();
  in.refuse("architectures names " + (first ? *first : "no string") + "; " + std::string(wanted) +
            " is served");
}

// transformers applies a window to qwen2 only when told to; a window in a llama config would be lost
// silently.
void check_window(json_fields& in, const model_config& out) {
  if (auto kinds = in.find("layer_types"); kinds && kinds->as_array())
    for (auto& item : *kinds->as_array())
      if (!item.as_string() || *item.as_string() != "full_attention")
        in.refuse("layer_types holds something else than full_attention, which is not served");
  const bool used = out.arch == architecture::llama || in.flag("use_sliding_window", false);
  if (!used || !in.has("sliding_window")) return;
  const auto window = in.size("sliding_window", config_bounds::positions);
  const bool reached =
      out.arch == architecture::llama || in.real("max_window_layers", 0, 1e9, 28) < out.layers;
  if (reached && window < out.max_positions)
    in.refuse("sliding_window " + std::to_string(window) + " is active; sliding windows are not served");
}

void check_arithmetic(json_fields& in) {
  auto activation = in.text("hidden_act", "silu");
  if (activation != "silu" && activation != "swish")
    in.refuse("hidden_act \"" + activation + "\" is not served; silu is");
  if (in.has("quantization_config"))
    in.refuse("quantization_config is set; weights are served as F32, F16 or BF16, or from a GGUF file");
  if (in.flag("is_encoder_decoder", false)) in.refuse("is_encoder_decoder is true; decoders are served");
}

bool names_eos(const value& config) {
  auto object = config.as_object();
  return object &&
         std::any_of(object->begin(), object->end(), [](auto& m) { return m.first == "eos_token_id"; });
}

void add_eos(json_fields& in, std::vector<token_id>& ids) {
  auto v = in.find("eos_token_id");
  if (!v) return;
  const value::array one = {*v};
  for (auto& item : v->as_array() ? *v->as_array() : one) {
    auto number = item.as_int();
    if (!number || *number < 0 || *number >= config_bounds::vocab)
      return in.refuse("eos_token_id is not a token id or a list of them");
    auto id = static_cast<token_id>(*number);
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
  }
}

void read_sizes(json_fields& in, model_config& out) {
  const bool llama = out.arch == architecture::llama;
  out.layers = in.size("num_hidden_layers", config_bounds::layers);
  out.hidden = in.size("hidden_size", config_bounds::width);
  out.ffn = in.size("intermediate_size", config_bounds::width);
  out.vocab = in.size("vocab_size", config_bounds::vocab);
  out.heads = in.size("num_attention_heads", config_bounds::heads);
  out.kv_heads = in.size("num_key_value_heads", config_bounds::heads, out.heads);
  if (!in.has("head_dim") && out.hidden % out.heads != 0)
    in.refuse("hidden_size is no multiple of num_attention_heads and there is no head_dim");
  out.head_dim = in.size("head_dim", config_bounds::head_dim, out.hidden / out.heads);
  out.max_positions = in.size("max_position_embeddings", config_bounds::positions, llama ? 2'048 : 32'768);
  out.norm_epsilon = static_cast<float>(in.real("rms_norm_eps", 0, 1, 1e-6));
  out.tied_head = in.flag("tie_word_embeddings", false);
  // Qwen2 has biases on q, k, v by design and no field for them.
  out.qkv_bias = llama ? in.flag("attention_bias", false) : true;
  out.o_bias = llama && out.qkv_bias;
  out.mlp_bias = llama && in.flag("mlp_bias", false);
}

}  // namespace

result<model_config> read_hf_config(const value& config, const value* generation_config) {
  if (!config.as_object()) return refuse_model(config_file + ": is not a JSON object");
  auto family = read_family(config);
  if (!family) return family.error();
  model_config out;
  out.arch = *family;
  json_fields in(config, config_file);
  check_head(in, out.arch);
  read_sizes(in, out);
  check_arithmetic(in);
  check_window(in, out);
  add_eos(in, out.eos);
  if (in.failure()) return *in.failure();
  if (generation_config) {
    json_fields generation(*generation_config, "generation_config.json");
    add_eos(generation, out.eos);
    if (generation.failure()) return *generation.failure();
  }
  // LlamaConfig's own default; an explicit null switches it off.
  if (out.arch == architecture::llama && out.eos.empty() && !names_eos(config) && out.vocab > 2)
    out.eos = {2};
  auto rope = read_hf_rope(config, out.max_positions);
  if (!rope) return rope.error();
  out.rope = *std::move(rope);
  if (auto sound = check_config(out, config_file); !sound) return sound.error();
  return out;
}

}  // namespace lorica
