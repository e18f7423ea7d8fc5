#include "tests/twins/seeded_model.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <deque>
#include <functional>
#include <map>
#include <random>
#include <stdexcept>

#include "bench/made_up_weights.hpp"
#include "engine/projection.hpp"
#include "gpu/bfloat.hpp"

namespace lorica::testing {
namespace {

/// Bell-shaped numbers of this deviation, the same with every standard library.
std::vector<float> bell(std::mt19937& random, std::size_t count, double deviation, double mean = 0) {
  std::vector<float> out(count);
  for (auto& x : out) {
    double sum = -2;  // of four uniform numbers, whose variance is a third
    for (int i = 0; i < 4; ++i)
      sum += static_cast<double>(random()) * 0x1p-32;
    x = gpu::to_float(gpu::to_bfloat(static_cast<float>(mean + deviation * sum * std::sqrt(3.0))));
  }
  return out;
}

std::mt19937 seeded_by(const std::string& name) {
  std::seed_seq seed(name.begin(), name.end());
  return std::mt19937(seed);
}

class seeded_weights final : public bench::made_up_weights {
 public:
  seeded_weights(const model_config& m, std::mt19937 random) : random_(random) {
    // A scaled embedding would drown the layers.
    lay_out(m, [&, n = std::size_t{0}](std::uint64_t rows, std::uint64_t cols) mutable {
      const auto tables = m.tied_head ? 1u : 2u;
      const auto at = n++;
      if (at < tables) return matrix(rows, cols, at == 0 ? 0.4 / double{m.embedding_scale} : 0.4);
      const auto gain = gains[(at - tables) % std::size(gains)];
      return matrix(rows, cols, gain / std::sqrt(static_cast<double>(cols)));
    });
    final_norm_ = vector(m.hidden, 1, 0.1);
    for (auto& l : layers_)
      add_vectors(l, m.heads * m.head_dim, m.kv_heads * m.head_dim);
  }

 private:
  static constexpr double gains[] = {1.5, 1.5, 1, 1.5, 1, 1, 2};  // q, k, v, o, gate, up, down

  void add_vectors(layer_weights& l, std::uint32_t q, std::uint32_t kv) {
    const auto& m = config_;
    l.attn_norm = vector(m.hidden, 1, 0.1);
    l.ffn_norm = vector(m.hidden, 1, 0.1);
    if (m.qkv_bias) {
      l.q_bias = vector(q, 0, 0.3);
      l.k_bias = vector(kv, 0, 0.3);
      l.v_bias = vector(kv, 0, 0.3);
    }
    if (m.o_bias) l.o_bias = vector(m.hidden, 0, 0.3);
    if (m.mlp_bias) {
      l.gate_bias = vector(m.ffn, 0, 0.3);
      l.up_bias = vector(m.ffn, 0, 0.3);
      l.down_bias = vector(m.hidden, 0, 0.3);
    }
    if (m.qk_norm) {
      l.q_norm = vector(m.head_dim, 1, 0.3);
      l.k_norm = vector(m.head_dim, 1, 0.3);
    }
    if (m.branch_norms) {
      l.after_attention = vector(m.hidden, 1, 0.1);
      l.after_ffn = vector(m.hidden, 1, 0.1);
    }
  }

  tensor_view view(std::vector<float> numbers, std::uint64_t rows, std::uint64_t cols) {
    auto& of = numbers_.emplace_back(std::move(numbers));
    return {tensor_type::f32, rows, cols, std::as_bytes(std::span(of)), 0};
  }
  tensor_view matrix(std::uint64_t rows, std::uint64_t cols, double deviation) {
    return view(bell(random_, rows * cols, deviation), rows, cols);
  }
  tensor_view vector(std::uint64_t count, double mean, double deviation) {
    return view(bell(random_, count, deviation, mean), 1, count);
  }

  std::mt19937 random_;
  std::deque<std::vector<float>> numbers_;
};

model_config config_of(std::uint32_t hidden, std::uint32_t heads, std::uint32_t kv_heads,
                       std::uint32_t head_dim, std::uint32_t ffn) {
  model_config m;
  m.layers = 2;
  m.hidden = hidden;
  m.heads = heads;
  m.kv_heads = kv_heads;
  m.head_dim = m.rotary_dim = head_dim;
  m.ffn = ffn;
  m.vocab = 320;
  m.max_positions = 256;
  m.attention_scale = 1 / std::sqrt(static_cast<float>(head_dim));
  return m;
}

const std::map<std::string, std::function<void(model_config&)>>& changes() {
  static const std::map<std::string, std::function<void(model_config&)>> out{
      {"llama", [](model_config& m) { m.tied_head = true; }},
      {"biased",
       [](model_config& m) {
         m.qkv_bias = m.o_bias = m.mlp_bias = true;
         m.activation = activation_kind::gelu;
       }},
      {"qwen3",
       [](model_config& m) {
         m = config_of(40, 3, 1, 18, 56);
         m.arch = architecture::qwen3;
         m.qk_norm = true;
         m.rope.theta = 1e6;
       }},
      {"gemma2",
       [](model_config& m) {
         m.arch = architecture::gemma2;
         m.tied_head = m.branch_norms = true;
         m.embedding_scale = 8;
         m.attention_softcap = 50;
         m.logit_softcap = 30;
         m.activation = activation_kind::gelu_tanh;
         m.windows = {12, 0};
       }},
      {"phi3", [](model_config& m) {
         m.arch = architecture::phi3;
         m.fused = true;
         m.rotary_dim = m.head_dim / 2;
         m.windows = {33, 33};
       }}};
  return out;
}

/// What an adapter changes.
struct adapter_kind {
  std::uint32_t rank = 0;
  bool all = false;  ///< every projection, else every second one
  bool bias = false, magnitude = false, tables = false;
};

const std::map<std::string, adapter_kind>& kinds() {
  static const std::map<std::string, adapter_kind> out{{"some-8", {8}},
                                                       {"all-5", {5, true, true}},
                                                       {"dora-16", {16, true, false, true}},
                                                       {"tables-3", {3, false, false, false, true}}};
  return out;
}

lora_site site_of(const model_config& m, std::uint32_t layer, projection where, const adapter_kind& kind,
                  std::mt19937& random) {
  const auto shape = shape_of(m, where);
  lora_site s;
  s.layer = layer;
  s.where = where;
  s.rank = kind.rank;
  s.in = static_cast<std::uint32_t>(shape.in);
  s.out = static_cast<std::uint32_t>(shape.out);
  s.scaling = 0.5f;
  s.a = bell(random, std::size_t{s.rank} * s.in, 1 / std::sqrt(static_cast<double>(s.in)));
  s.b = bell(random, std::size_t{s.rank} * s.out, 1);
  if (kind.bias) s.bias = bell(random, s.out, 0.2);
  if (kind.magnitude) s.magnitude = bell(random, s.out, 0.1, 1.5);
  return s;
}

adapter_weights seeded_adapter(const model_config& m, const std::string& name) {
  const auto& kind = kinds().at(name);
  auto random = seeded_by(name);
  adapter_weights out;
  std::memcpy(out.version.digest.data(), name.data(), std::min(name.size(), out.version.digest.size()));
  const auto projections = projections_of(m);
  for (std::uint32_t layer = 0; layer < m.layers; ++layer)
    for (std::size_t i = 0; i < projections.size(); ++i)
      if (kind.all || i % 2 == 0) out.sites.push_back(site_of(m, layer, projections[i], kind, random));
  if (kind.tables)
    for (auto where : {projection::embed, projection::head})
      out.sites.push_back(site_of(m, 0, where, kind, random));
  std::ranges::sort(out.sites, {}, [](const lora_site& s) { return std::pair(s.layer, s.where); });
  return out;
}

template <class Map>
std::vector<std::string> names_of(const Map& map) {
  std::vector<std::string> out;
  for (auto& [name, what] : map)
    out.push_back(name);
  return out;
}

}  // namespace

std::vector<std::string> seeded_names() {
  return names_of(changes());
}

std::shared_ptr<const model_weights> seeded_model(const std::string& name) {
  auto m = config_of(64, 4, 2, 16, 96);
  changes().at(name)(m);
  m.name = name;
  return std::make_shared<seeded_weights>(m, seeded_by(name));
}

std::vector<std::string> seeded_adapter_names() {
  return names_of(kinds());
}

adapter_source seeded_adapters(const std::shared_ptr<const model_weights>& base) {
  return [base](const std::string& name) { return seeded_adapter(base->config(), name); };
}

std::vector<golden_case> seeded_cases(const std::vector<std::string>& adapters, std::size_t count,
                                      std::size_t tokens) {
  constexpr std::size_t lengths[] = {1, 17, 6, 60, 3, 33, 9};
  auto random = seeded_by("prompts");
  auto together = adapters;
  std::erase_if(together, [](auto& name) { return name.empty() || kinds().at(name).magnitude; });
  std::vector<golden_case> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    auto& c = out[i];
    c.prompt.resize(lengths[i % std::size(lengths)]);
    for (auto& token : c.prompt)
      token = static_cast<token_id>(random() % 320);
    c.tokens.resize(tokens);
    c.top_logprobs = 2;
    const auto which = i % (adapters.size() + 1);
    if (which < adapters.size())
      c.adapter = adapters[which];
    else if (together.size() > 1)
      c.composition = {{together[0], 0.75f}, {together[1], -0.5f}};
  }
  return out;
}

}  // namespace lorica::testing
