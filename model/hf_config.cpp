#include "model/hf_config.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "model/config_checks.hpp"
#include "model/families.hpp"
#include "model/hf_attention.hpp"
#include "model/hf_rope.hpp"
#include "model/json_fields.hpp"

namespace lorica {
namespace {

const std::string config_file = "config.json";

result<const family*> read_family(const value& config) {
  auto type = config.find("model_type");
  if (!type || !type->as_string()) return refuse_model(config_file + ": model_type is missing or no string");
  if (auto found = find_family(*type->as_string())) return found;
  return refuse_model(config_file + ": model_type \"" + shown(*type->as_string()) +
                      "\" is not served; these are: " + family_words());
}

// A model with another head than the language model's has the same model_type.
void check_head(json_fields& in, std::string_view wanted) {
  auto names = in.find("architectures");
  if (!names || !names->as_array() || names->as_array()->empty()) return;
  for (auto& item : *names->as_array())
    if (item.as_string() && *item.as_string() == wanted) return;
  auto first = names->as_array()->front().as_string();
  in.refuse("architectures names " + (first ? shown(*first) : "no string") + "; " + std::string(wanted) +
            " is served");
}

void check_kind(json_fields& in) {
  if (in.has("quantization_config"))
    in.refuse("quantization_config is set; weights are served as F32, F16 or BF16, or from a GGUF file");
  if (in.flag("is_encoder_decoder", false)) in.refuse("is_encoder_decoder is true; decoders are served");
  if (in.flag("use_bidirectional_attention", false))
    in.refuse("use_bidirectional_attention is true; causal models are served");
}

// transformers' words for the three functions; `gelu` of Gemma 1 has always meant the approximation.
void read_activation(json_fields& in, model_config& out) {
  const std::string field = out.arch == architecture::gemma2 ? "hidden_activation" : "hidden_act";
  const bool gemma = out.arch == architecture::gemma || out.arch == architecture::gemma2;
  auto word = in.text(field, gemma ? "gelu_pytorch_tanh" : "silu");
  if (word == "silu" || word == "swish")
    out.activation = activation_kind::silu;
  else if (word == "gelu_pytorch_tanh" || word == "gelu_new" || word == "gelu_fast" ||
           (word == "gelu" && out.arch == architecture::gemma))
    out.activation = activation_kind::gelu_tanh;
  else if (word == "gelu" || word == "gelu_python")
    out.activation = activation_kind::gelu;
  else
    in.refuse(field + " \"" + shown(word) + "\" is not served; silu, gelu and gelu_pytorch_tanh are");
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

void read_sizes(json_fields& in, const family& f, model_config& out) {
  out.layers = in.size("num_hidden_layers", config_bounds::layers);
  out.hidden = in.size("hidden_size", config_bounds::width);
  out.ffn = in.size("intermediate_size", config_bounds::width);
  out.vocab = in.size("vocab_size", config_bounds::vocab);
  out.heads = in.size("num_attention_heads", config_bounds::heads);
  out.kv_heads = in.size("num_key_value_heads", config_bounds::heads, out.heads);
  const auto usual = f.head_dim ? f.head_dim : out.hidden / out.heads;
  if (!in.has("head_dim") && f.head_dim == 0 && out.hidden % out.heads != 0)
    in.refuse("hidden_size is no multiple of num_attention_heads and there is no head_dim");
  out.head_dim = in.size("head_dim", config_bounds::head_dim, usual);
  out.max_positions = in.size("max_position_embeddings", config_bounds::positions, f.positions);
  out.norm_epsilon = static_cast<float>(in.real("rms_norm_eps", 0, 1, f.epsilon));
  out.tied_head = in.flag("tie_word_embeddings", f.tied_head);
}

// What a family has by design, and what its fields switch on.
void read_parts(json_fields& in, model_config& out) {
  const auto arch = out.arch;
  const bool gemma = arch == architecture::gemma || arch == architecture::gemma2;
  // Qwen2 has biases on q, k, v by design and no field for them.
  const bool biased = (arch == architecture::llama || arch == architecture::qwen3 || gemma) &&
                      in.flag("attention_bias", false);
  out.qkv_bias = biased || arch == architecture::qwen2;
  out.o_bias = biased;
  out.mlp_bias = arch == architecture::llama && in.flag("mlp_bias", false);
  out.qk_norm = arch == architecture::qwen3;
  out.branch_norms = arch == architecture::gemma2;
  out.fused = arch == architecture::phi3;
  if (gemma) out.embedding_scale = std::sqrt(static_cast<float>(out.hidden));
}

}  // namespace

result<model_config> read_hf_config(const value& config, const value* generation_config) {
  if (!config.as_object()) return refuse_model(config_file + ": is not a JSON object");
  auto found = read_family(config);
  if (!found) return found.error();
  auto& family = **found;
  model_config out;
  out.arch = family.arch;
  json_fields in(config, config_file);
  check_head(in, family.head);
  check_kind(in);
  read_sizes(in, family, out);
  read_parts(in, out);
  read_activation(in, out);
  read_hf_attention(in, out);
  add_eos(in, out.eos);
  if (in.failure()) return *in.failure();
  if (generation_config) {
    if (!generation_config->as_object()) return refuse_model("generation_config.json: is not a JSON object");
    json_fields generation(*generation_config, "generation_config.json");
    add_eos(generation, out.eos);
    if (generation.failure()) return *generation.failure();
  }
  // The family's own default; an explicit null switches it off.
  if (out.eos.empty() && !in.named("eos_token_id") && family.eos >= 0 &&
      static_cast<std::uint32_t>(family.eos) < out.vocab)
    out.eos = {family.eos};
  if (auto rope = read_hf_rope(config, out); !rope) return rope.error();
  if (auto sound = check_config(out, config_file); !sound) return sound.error();
  return out;
}

}  // namespace lorica
