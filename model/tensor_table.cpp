#include "model/tensor_table.hpp"

#include <optional>

#include "model/config_checks.hpp"
#include "model/families.hpp"

namespace lorica {
namespace {

std::string shape_text(const std::vector<std::uint64_t>& shape) {
  std::string out = "[";
  for (std::size_t i = 0; i < shape.size(); ++i)
    out += (i ? ", " : "") + std::to_string(shape[i]);
  return out + "]";
}

// Takes the parts of one model and remembers the first failure.
class assembler {
 public:
  assembler(tensor_table& table, const tensor_naming& naming, const model_config& config)
      : table_(table), naming_(naming), config_(config) {}

  model_tensors run() {
    model_tensors out;
    out.embedding = matrix(std::string(naming_.embedding), config_.vocab, config_.hidden);
    out.final_norm = vector(std::string(naming_.final_norm), config_.hidden);
    out.head =
        config_.tied_head ? out.embedding : matrix(std::string(naming_.head), config_.vocab, config_.hidden);
    // The number of layers is the config's word; stop at the first one that is not there.
    for (std::uint32_t i = 0; i < config_.layers && !failure_; ++i)
      out.layers.push_back(layer(std::string(naming_.layer_prefix) + std::to_string(i) + "."));
    return out;
  }

  const std::optional<error>& failure() const noexcept { return failure_; }

 private:
  layer_weights layer(const std::string& at) {
    const std::uint64_t hidden = config_.hidden;
    layer_weights out;
    out.attn_norm = norm(at, naming_.attn_norm, hidden);
    out.ffn_norm = norm(at, naming_.ffn_norm, hidden);
    attention(at, out);
    feed_forward(at, out);
    if (config_.branch_norms) {
      out.after_attention = norm(at, naming_.after_attention, hidden);
      out.after_ffn = norm(at, naming_.after_ffn, hidden);
    }
    return out;
  }

  void attention(const std::string& at, layer_weights& out) {
    const std::uint64_t hidden = config_.hidden;
    const auto q = std::uint64_t{config_.heads} * config_.head_dim;
    const auto kv = std::uint64_t{config_.kv_heads} * config_.head_dim;
    if (config_.fused) {
      auto qkv = linear(at, naming_.qkv, q + 2 * kv, hidden);
      if (!qkv) return;
      out.q = qkv.part(0, q);
      out.k = qkv.part(q, kv);
      out.v = qkv.part(q + kv, kv);
    } else {
      out.q = linear(at, naming_.q, q, hidden);
      out.k = linear(at, naming_.k, kv, hidden);
      out.v = linear(at, naming_.v, kv, hidden);
    }
    out.o = linear(at, naming_.o, hidden, q);
    if (config_.qkv_bias) {
      out.q_bias = bias(at, naming_.q, q);
      out.k_bias = bias(at, naming_.k, kv);
      out.v_bias = bias(at, naming_.v, kv);
    }
    if (config_.o_bias) out.o_bias = bias(at, naming_.o, hidden);
    if (!config_.qk_norm) return;
    out.q_norm = norm(at, naming_.q_norm, config_.head_dim);
    out.k_norm = norm(at, naming_.k_norm, config_.head_dim);
  }

  void feed_forward(const std::string& at, layer_weights& out) {
    const std::uint64_t hidden = config_.hidden;
    const std::uint64_t ffn = config_.ffn;
    if (config_.fused) {
      auto gate_up = linear(at, naming_.gate_up, 2 * ffn, hidden);
      if (!gate_up) return;
      out.gate = gate_up.part(0, ffn);
      out.up = gate_up.part(ffn, ffn);
    } else {
      out.gate = linear(at, naming_.gate, ffn, hidden);
      out.up = linear(at, naming_.up, ffn, hidden);
    }
    out.down = linear(at, naming_.down, hidden, ffn);
    if (!config_.mlp_bias) return;
    out.gate_bias = bias(at, naming_.gate, ffn);
    out.up_bias = bias(at, naming_.up, ffn);
    out.down_bias = bias(at, naming_.down, hidden);
  }

  tensor_view norm(const std::string& at, std::string_view part, std::uint64_t cols) {
    return vector(at + std::string(part) + ".weight", cols);
  }
  tensor_view linear(const std::string& at, std::string_view part, std::uint64_t rows, std::uint64_t cols) {
    return matrix(at + std::string(part) + ".weight", rows, cols);
  }
  tensor_view bias(const std::string& at, std::string_view part, std::uint64_t cols) {
    return vector(at + std::string(part) + ".bias", cols);
  }
  tensor_view matrix(const std::string& name, std::uint64_t rows, std::uint64_t cols) {
    return keep(table_.take_matrix(name, rows, cols));
  }
  tensor_view vector(const std::string& name, std::uint64_t cols) {
    return keep(table_.take_vector(name, cols));
  }

  tensor_view keep(result<tensor_view> taken) {
    if (taken) return *taken;
    if (!failure_) failure_ = taken.error();
    return {};
  }

  tensor_table& table_;
  const tensor_naming& naming_;
  const model_config& config_;
  std::optional<error> failure_;
};

}  // namespace

tensor_naming hugging_face_naming(architecture arch) noexcept {
  tensor_naming out;
  out.embedding = "model.embed_tokens.weight";
  out.final_norm = "model.norm.weight";
  out.head = "lm_head.weight";
  out.layer_prefix = "model.layers.";
  out.attn_norm = "input_layernorm";
  out.q = "self_attn.q_proj";
  out.k = "self_attn.k_proj";
  out.v = "self_attn.v_proj";
  out.o = "self_attn.o_proj";
  out.ffn_norm = "post_attention_layernorm";
  out.gate = "mlp.gate_proj";
  out.up = "mlp.up_proj";
  out.down = "mlp.down_proj";
  out.q_norm = "self_attn.q_norm";
  out.k_norm = "self_attn.k_norm";
  out.qkv = "self_attn.qkv_proj";
  out.gate_up = "mlp.gate_up_proj";
  if (arch != architecture::gemma2) return out;
  // The name that is the second norm elsewhere is the norm of what attention adds here.
  out.ffn_norm = "pre_feedforward_layernorm";
  out.after_attention = "post_attention_layernorm";
  out.after_ffn = "post_feedforward_layernorm";
  return out;
}

tensor_naming gguf_naming() noexcept {
  tensor_naming out;
  out.embedding = "token_embd.weight";
  out.final_norm = "output_norm.weight";
  out.head = "output.weight";
  out.layer_prefix = "blk.";
  out.attn_norm = "attn_norm";
  out.q = "attn_q";
  out.k = "attn_k";
  out.v = "attn_v";
  out.o = "attn_output";
  out.ffn_norm = "ffn_norm";
  out.gate = "ffn_gate";
  out.up = "ffn_up";
  out.down = "ffn_down";
  out.q_norm = "attn_q_norm";
  out.k_norm = "attn_k_norm";
  out.after_attention = "post_attention_norm";
  out.after_ffn = "post_ffw_norm";
  out.qkv = "attn_qkv";
  out.gate_up = "ffn_up";
  return out;
}

void tensor_table::drop(std::string_view name) {
  if (auto at = left_.find(name); at != left_.end()) left_.erase(at);
}

result<tensor_view> tensor_table::take_matrix(const std::string& name, std::uint64_t rows,
                                              std::uint64_t cols) {
  return take(name, {rows, cols});
}

result<tensor_view> tensor_table::take_vector(const std::string& name, std::uint64_t cols) {
  return take(name, {cols});
}

result<tensor_view> tensor_table::take(const std::string& name, const std::vector<std::uint64_t>& shape) {
  auto at = left_.find(name);
  if (at == left_.end()) return refuse_model("tensor " + name + " is missing");
  if (at->second.shape != shape)
    return refuse_model("tensor " + name + " has the shape " + shape_text(at->second.shape) +
                        ", the config asks for " + shape_text(shape));
  tensor_view out;
  out.type = at->second.type;
  out.rows = shape.size() == 2 ? shape.front() : 1;
  out.cols = shape.back();
  out.bytes = at->second.bytes;
  left_.erase(at);
  return out;
}

result<model_tensors> assemble_model(tensor_table table, const tensor_naming& naming,
                                     const model_config& config) {
  assembler parts(table, naming, config);
  auto out = parts.run();
  if (parts.failure()) return *parts.failure();
  if (table.left().empty()) return out;
  return refuse_model("tensor " + table.left().begin()->first + " is no part of this " +
                      std::string(to_string(config.arch)) + " model; " + std::to_string(table.left().size()) +
                      " tensors are left over");
}

}  // namespace lorica
