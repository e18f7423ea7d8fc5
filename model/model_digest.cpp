#include "model/model_digest.hpp"

#include <bit>
#include <cstddef>
#include <span>
#include <string_view>

#include "core/field_hash.hpp"
#include "model/each_tensor.hpp"

namespace lorica {
namespace {

constexpr std::size_t end_bytes = 4096;
constexpr std::size_t place_bytes = 256;
constexpr std::size_t parts = 8;
constexpr std::size_t whole_bytes = 16384;
static_assert(whole_bytes / parts >= place_bytes && whole_bytes >= 2 * end_bytes);

/// The fields of a model.
class fingerprint : public field_hash {
 public:
  template <class... T>
  void numbers(const T&... n) {
    (number(static_cast<std::uint64_t>(n)), ...);
  }

  void list(const std::vector<float>& numbers) {
    number(std::uint64_t{numbers.size()});
    for (auto n : numbers)
      real(n);
  }

  void tensor(std::string_view name, const tensor_view& t) {
    text(name);
    text(to_string(t.type));
    numbers(t.rows, t.cols, t.permuted_heads, t.bytes.size());
    if (t.bytes.size() <= whole_bytes) return raw(t.bytes);
    raw(t.bytes.first(end_bytes));
    for (std::size_t part = 1; part < parts; ++part)
      raw(t.bytes.subspan(t.bytes.size() / parts * part, place_bytes));
    raw(t.bytes.last(end_bytes));
  }

  void begin() { raw("lorica model 1\n"); }
};

// The bindings name every field: a new one does not compile until it is decided whether it counts.
void add_rope(fingerprint& out, const rope_config& rope) {
  auto& [theta, kind, factor, low_freq, high_freq, original_positions, beta_fast, beta_slow, truncate,
         attention_factor, short_factor, long_factor, divisors] = rope;
  for (auto n : {theta, factor, low_freq, high_freq, beta_fast, beta_slow, attention_factor})
    out.real(n);
  out.numbers(kind, original_positions, truncate);
  for (auto* factors : {&short_factor, &long_factor, &divisors})
    out.list(*factors);
}

void add_config(fingerprint& out, const model_config& config) {
  auto& [arch, name, layers, hidden, heads, kv_heads, head_dim, rotary_dim, ffn, vocab, positions, epsilon,
         embedding_scale, attention_scale, attention_softcap, logit_softcap, activation, tied, qkv_bias,
         o_bias, mlp_bias, qk_norm, branch_norms, fused, windows, rope, eos] = config;
  out.numbers(arch, layers, hidden, heads, kv_heads, head_dim, rotary_dim, ffn, vocab, positions, activation,
              tied, qkv_bias, o_bias, mlp_bias, qk_norm, branch_norms, fused, windows.size());
  for (auto n : {epsilon, embedding_scale, attention_scale, attention_softcap, logit_softcap})
    out.real(n);
  for (auto window : windows)
    out.numbers(window);
  add_rope(out, rope);
}

}  // namespace

std::array<std::uint8_t, 32> model_digest(const model_weights& model) {
  fingerprint out;
  out.begin();
  add_config(out, model.config());
  each_tensor(model, [&out](std::string_view name, const tensor_view& tensor) { out.tensor(name, tensor); });
  return out.finish();
}

}  // namespace lorica
