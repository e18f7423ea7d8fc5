#include "model/gguf_config.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/utf8.hpp"
#include "model/config_checks.hpp"
#include "model/families.hpp"
#include "model/rope.hpp"

namespace lorica {
namespace {

// Reads keys below the architecture's prefix and remembers the first that is wrong.
class gguf_fields {
 public:
  gguf_fields(const gguf_header& header, std::string_view prefix)
      : header_(header), prefix_(std::string(prefix) + ".") {}

  bool has(std::string_view key) const { return header_.find(prefix_ + std::string(key)) != nullptr; }

  std::uint32_t size(std::string_view key, std::uint32_t most, std::optional<std::uint32_t> fallback = {}) {
    if (!has(key) && fallback) return *fallback;
    auto number = whole(key);
    if (number && *number >= 1 && *number <= most) return static_cast<std::uint32_t>(*number);
    refuse(key, has(key) ? "is not a whole number from 1 to " + std::to_string(most) +
                               " (or an array that repeats one)"
                         : "is missing");
    return 1;
  }

  /// 0 when absent.
  std::uint64_t count(std::string_view key) {
    if (!has(key)) return 0;
    if (auto number = whole(key)) return *number;
    refuse(key, "is not a whole number >= 0");
    return 0;
  }

  double real(std::string_view key, double least, double most, std::optional<double> fallback = {}) {
    auto v = header_.find(prefix_ + std::string(key));
    if (!v && fallback) return *fallback;
    auto number = v ? std::get_if<double>(v) : nullptr;
    if (number && *number >= least && *number <= most) return *number;
    refuse(key, v ? "is not a number in its range" : "is missing");
    return least;
  }

  std::string text(std::string_view key, std::string_view fallback) {
    if (!has(key)) return std::string(fallback);
    if (auto s = header_.find_string(prefix_ + std::string(key))) return std::string(*s);
    refuse(key, "is not a string");
    return std::string(fallback);
  }

  void refuse(std::string_view key, const std::string& text) {
    if (!failure_) failure_ = refuse_model("GGUF: " + prefix_ + std::string(key) + " " + text);
  }
  const std::optional<error>& failure() const noexcept { return failure_; }

 private:
  // Some files give one number per layer; only equal ones are served.
  std::optional<std::uint64_t> whole(std::string_view key) const {
    auto name = prefix_ + std::string(key);
    if (auto number = header_.find_unsigned(name)) return number;
    auto array = header_.find_array(name);
    if (!array || array->count == 0 || array->count > config_bounds::layers) return std::nullopt;
    auto items = array->integers();
    if (!items || items->front() < 0) return std::nullopt;
    bool uniform =
        std::all_of(items->begin(), items->end(), [&](auto item) { return item == items->front(); });
    return uniform ? std::optional(static_cast<std::uint64_t>(items->front())) : std::nullopt;
  }

  const gguf_header& header_;
  std::string prefix_;
  std::optional<error> failure_;
};

const gguf_tensor* tensor(const gguf_header& header, std::string_view name) {
  auto at =
      std::find_if(header.tensors.begin(), header.tensors.end(), [&](auto& t) { return t.name == name; });
  return at != header.tensors.end() ? &*at : nullptr;
}

result<const family*> read_family(const gguf_header& header) {
  if (auto type = header.find_string("general.type"); type && *type != "model")
    return refuse_model("GGUF: general.type is \"" + shown(*type) + "\", not a base model");
  auto name = header.find_string("general.architecture");
  if (!name) return refuse_model("GGUF: general.architecture is missing");
  if (auto found = find_gguf_family(*name)) return found;
  return refuse_model("GGUF: general.architecture \"" + shown(*name) +
                      "\" is not served; these are: " + family_words() + " (mistral as llama)");
}

// A name that lists and logs can show; the file's own name stands in for others.
bool can_be_listed(std::string_view name) {
  constexpr std::size_t longest = 256;
  auto control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  return name.size() <= longest && utf8_valid_prefix(name) == name.size() &&
         std::none_of(name.begin(), name.end(), control);
}

// ggml multiplies cos and sin by attn_factor, and for yarn by 0.1 ln(factor) + 1 beside it.
void read_rope(gguf_fields& in, model_config& m) {
  auto& out = m.rope;
  out.theta = in.real("rope.freq_base", 1, 1e12, out.theta);
  out.original_max_positions =
      in.size("rope.scaling.original_context_length", config_bounds::positions, m.max_positions);
  out.attention_factor = in.real("rope.scaling.attn_factor", 1e-6, 1e6, 1);
  // Factors of longrope are tensors; its word may be there or not.
  auto type = in.text("rope.scaling.type", "linear");
  if (type != "none" && type != "linear" && type != "yarn" && type != "longrope")
    in.refuse("rope.scaling.type", std::string(1, '"').append(shown(type)) +
                                       "\" is not served; none, linear, yarn and longrope are");
  // The older key holds the same number; 0 means unscaled.
  auto factor = in.real("rope.scaling.factor", 0, 1e12, in.real("rope.scale_linear", 0, 1e12, 0));
  for (auto [key, usual] : {std::pair("rope.scaling.yarn_ext_factor", 1.0),
                            {"rope.scaling.yarn_attn_factor", 1.0},
                            {"rope.scaling.yarn_log_multiplier", 0.0}})
    if (in.real(key, -1e6, 1e6, usual) != usual) in.refuse(key, "other than the usual is not served");
  if (type == "none" || type == "longrope" || factor == 0 || factor == 1) return;
  out.factor = factor;
  out.kind = rope_config::scaling::linear;
  if (type != "yarn") return;
  out.kind = rope_config::scaling::yarn;
  out.beta_fast = in.real("rope.scaling.yarn_beta_fast", 1e-6, 1e6, 32);
  out.beta_slow = in.real("rope.scaling.yarn_beta_slow", 1e-6, 1e6, 1);
  out.attention_factor *= yarn_attention_factor(factor, 1);
}

void check_arithmetic(gguf_fields& in, const model_config& out) {
  if (auto experts = in.count("expert_count"); experts != 0)
    in.refuse("expert_count", "is " + std::to_string(experts) + "; mixtures of experts are not served");
  if (in.size("attention.value_length", config_bounds::head_dim, out.head_dim) != out.head_dim)
    in.refuse("attention.value_length", "differs from the key length, which is not served");
  if (out.rotary_dim != out.head_dim && out.arch != architecture::phi3)
    in.refuse("rope.dimension_count", "differs from the head dimension, which is not served");
  if (in.has("attention.sliding_window_pattern"))
    in.refuse("attention.sliding_window_pattern", "is set, which is not served");
}

// Which layers have a window is the family's own; the file says how wide it is.
void read_windows(gguf_fields& in, model_config& out) {
  auto window = in.count("attention.sliding_window");
  if (window == 0 && !in.has("attention.sliding_window"))
    window = out.arch == architecture::gemma2 ? 4'096 : 0;
  if (window == 0) return;
  if (window > config_bounds::positions) return in.refuse("attention.sliding_window", "is too large");
  switch (out.arch) {
    case architecture::gemma2:
      out.windows.resize(out.layers);
      for (std::uint32_t i = 0; i < out.layers; i += 2)
        out.windows[i] = static_cast<std::uint32_t>(window);
      return;
    case architecture::llama:
    case architecture::phi3: out.windows.assign(out.layers, static_cast<std::uint32_t>(window)); return;
    default:
      if (window < out.max_positions)
        in.refuse("attention.sliding_window", "is " + std::to_string(window) + "; " +
                                                  std::string(to_string(out.arch)) +
                                                  " files do not say which layers have it");
  }
}

void read_attention(gguf_fields& in, model_config& out) {
  auto width = out.head_dim;
  if (out.arch == architecture::gemma2) {
    // The file has no query_pre_attn_scalar: the largest of the three sizes, told by its layers, is the
    // one whose scalar is not the head's width.
    if (out.layers == 46) width = out.hidden / out.heads;
    out.attention_softcap = static_cast<float>(in.real("attn_logit_softcapping", 0, 1e6, 50));
    out.logit_softcap = static_cast<float>(in.real("final_logit_softcapping", 0, 1e6, 30));
  }
  out.attention_scale = 1.0f / std::sqrt(static_cast<float>(width));
  read_windows(in, out);
}

// What a family has by design.
void read_parts(model_config& out) {
  out.qk_norm = out.arch == architecture::qwen3;
  out.branch_norms = out.arch == architecture::gemma2;
  out.fused = out.arch == architecture::phi3;
  if (out.arch != architecture::gemma && out.arch != architecture::gemma2) return;
  out.activation = activation_kind::gelu_tanh;
  out.embedding_scale = std::sqrt(static_cast<float>(out.hidden));
}

result<void> add_eos(const gguf_header& header, std::vector<token_id>& ids) {
  for (std::string_view key :
       {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    if (!header.find(key)) continue;
    auto number = header.find_unsigned(key);
    if (!number || *number >= config_bounds::vocab)
      return refuse_model("GGUF: " + std::string(key) + " is not a token id");
    auto id = static_cast<token_id>(*number);
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(id);
  }
  return {};
}

}  // namespace

result<model_config> read_gguf_config(const gguf_header& header) {
  auto family = read_family(header);
  if (!family) return family.error();
  auto embedding = tensor(header, "token_embd.weight");
  if (!embedding) return refuse_model("GGUF: tensor token_embd.weight is missing");
  model_config out;
  out.arch = (*family)->arch;
  if (auto name = header.find_string("general.name"); name && can_be_listed(*name)) out.name = *name;
  gguf_fields in(header, to_string(out.arch));
  out.layers = in.size("block_count", config_bounds::layers);
  out.hidden = in.size("embedding_length", config_bounds::width);
  out.ffn = in.size("feed_forward_length", config_bounds::width);
  out.heads = in.size("attention.head_count", config_bounds::heads);
  out.kv_heads = in.size("attention.head_count_kv", config_bounds::heads, out.heads);
  if (!in.has("attention.key_length") && out.hidden % out.heads != 0)
    in.refuse("attention.key_length", "is missing and the width is no multiple of the heads");
  out.head_dim = in.size("attention.key_length", config_bounds::head_dim, out.hidden / out.heads);
  out.max_positions = in.size("context_length", config_bounds::positions);
  out.norm_epsilon = static_cast<float>(in.real("attention.layer_norm_rms_epsilon", 0, 1));
  if (embedding->extent[1] > config_bounds::vocab)
    return refuse_model("GGUF: token_embd.weight has more than " + std::to_string(config_bounds::vocab) +
                        " rows");
  const auto rows = static_cast<std::uint32_t>(embedding->extent[1]);
  out.vocab = in.size("vocab_size", config_bounds::vocab, rows);
  out.tied_head = !tensor(header, "output.weight");
  out.qkv_bias = tensor(header, "blk.0.attn_q.bias") != nullptr;
  out.o_bias = tensor(header, "blk.0.attn_output.bias") != nullptr;
  out.mlp_bias = tensor(header, "blk.0.ffn_gate.bias") != nullptr;
  out.rotary_dim = in.size("rope.dimension_count", config_bounds::head_dim, out.head_dim);
  read_parts(out);
  read_attention(in, out);
  read_rope(in, out);
  check_arithmetic(in, out);
  if (in.failure()) return *in.failure();
  if (auto added = add_eos(header, out.eos); !added) return added.error();
  if (auto sound = check_config(out, "GGUF"); !sound) return sound.error();
  return out;
}

}  // namespace lorica
