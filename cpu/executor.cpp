#include "cpu/executor.hpp"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "cpu/adapter_packer.hpp"
#include "cpu/elementwise.hpp"
#include "cpu/kv_pool.hpp"
#include "cpu/packed_model.hpp"
#include "cpu/step_check.hpp"
#include "engine/sampler.hpp"

namespace lorica {
namespace {

std::uint32_t usable_cores() {
  cpu_set_t set;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return static_cast<std::uint32_t>(std::max(CPU_COUNT(&set), 1));
}

cpu_adapter_packer::shape shape_of(const model_config& m) {
  auto q = m.heads * m.head_dim, kv = m.kv_heads * m.head_dim;
  return {m.layers,
          {m.hidden, m.hidden, m.hidden, q, m.hidden, m.hidden, m.ffn},
          {q, kv, kv, m.hidden, m.ffn, m.ffn, m.hidden}};
}

/// The arrays of a step, sized once: [max_rows] times a width each.
struct step_arrays {
  std::vector<float> residual, normed, qkv, attended, projected, gate_up, activated, shrunk, logits;

  step_arrays(const model_config& m, const cpu_options& o, std::size_t members)
      : residual(std::size_t{o.max_rows} * m.hidden),
        normed(residual.size()),
        qkv(std::size_t{o.max_rows} * (m.heads + 2 * m.kv_heads) * m.head_dim),
        attended(std::size_t{o.max_rows} * m.heads * m.head_dim),
        projected(residual.size()),
        gate_up(std::size_t{o.max_rows} * 2 * m.ffn),
        activated(std::size_t{o.max_rows} * m.ffn),
        shrunk(std::max(std::size_t{o.max_rows}, 2 * members * members) * o.max_adapter_ranks),
        logits(std::size_t{o.max_sequences} * m.vocab) {}

  std::uint64_t bytes() const noexcept {
    return 4 * (residual.size() + normed.size() + qkv.size() + attended.size() + projected.size() +
                gate_up.size() + activated.size() + shrunk.size() + logits.size());
  }
};

/// A view of row `m` of an array of `width` columns.
std::span<float> row_of(std::vector<float>& array, std::size_t m, std::size_t width) {
  return std::span(array).subspan(m * width, width);
}

class cpu_executor final : public executor {
 public:
  cpu_executor(const cpu_options& o, isa instructions, std::unique_ptr<thread_team> team, packed_model model,
               kv_pool pool)
      : options_(o),
        instructions_(instructions),
        kernels_(kernels_for(instructions, o.dtype)),
        team_(std::move(team)),
        model_(std::move(model)),
        pool_(std::move(pool)),
        packer_(shape_of(model_.config), o.dtype),
        arrays_(model_.config, o, team_->size()),
        history_(o.max_sequences, std::vector<token_id>(o.max_positions + std::size_t{1})),
        known_(o.max_sequences),
        samplers_(team_->size()) {
    places_.reserve(o.max_rows);
    limits_ = {o.block_tokens,  o.blocks,       o.max_sequences, o.max_rows,
               o.max_positions, model_.bytes(), pool_.bytes(),   arrays_.bytes()};
  }

  const executor_limits& limits() const noexcept override { return limits_; }

  std::string description() const override {
    return std::string(options_.dtype == cpu_dtype::float32 ? "float32" : "bfloat16") + " (" +
           std::string(to_string(instructions_)) + ", " + std::to_string(team_->size()) + " threads)";
  }

  const adapter_packer& packer() const noexcept override { return packer_; }

  result<void> attach(const std::shared_ptr<const packed_adapter>&) override { return {}; }
  void detach(const packed_adapter&) noexcept override {}

  result<step_output> execute(const batch& step) override {
    auto ok = check_step(step, {limits_, model_.config.vocab, model_.config.layers, options_.dtype,
                                options_.max_adapter_ranks, known_});
    if (!ok) return ok.error();
    place_rows(step);
    step_output out;
    for (std::uint32_t s = 0; s < step.sequences.size(); ++s)
      if (step.sequences[s].sample) out.tokens.push_back({s, 0, 0});
    team_->run([&](std::uint32_t member) { compute(step, out, member); });
    for (auto& t : out.tokens)
      if (!(t.logprob <= 0)) return fail(errc::generation_failed, "the model gave no usable probabilities");
    remember(step, out);
    return out;
  }

 private:
  /// Where a row belongs.
  struct place {
    const sequence_rows* sequence = nullptr;
    std::uint32_t position = 0;
  };

  void place_rows(const batch& step) {
    places_.clear();
    for (auto& s : step.sequences) {
      auto& history = history_[s.slot];
      for (std::uint32_t r = 0; r < s.rows; ++r) {
        auto token = step.tokens[s.first_row + r];
        if (token != sampled_last) history[s.context + r] = token;
        places_.push_back({&s, s.context + r});
      }
      known_[s.slot] = s.context + s.rows;
    }
  }

  void remember(const batch& step, const step_output& out) {
    for (auto& t : out.tokens) {
      auto& s = step.sequences[t.sequence];
      history_[s.slot][s.context + s.rows] = t.token;
      known_[s.slot] = s.context + s.rows + 1;
    }
  }

  team_share rows_of(std::uint32_t member) const { return share_of(places_.size(), member, team_->size()); }

  /// The whole step as one member sees it; every member runs the same barriers.
  void compute(const batch& step, step_output& out, std::uint32_t member) {
    auto& config = model_.config;
    auto rows = rows_of(member);
    for (auto m = rows.first; m < rows.last; ++m) {
      auto& p = places_[m];
      model_.embed(history_[p.sequence->slot][p.position], row_of(arrays_.residual, m, config.hidden));
    }
    for (std::uint32_t l = 0; l < config.layers; ++l) {
      auto& layer = model_.layers[l];
      normalise(layer.attn_norm, rows);
      team_->barrier();
      project(layer.qkv, arrays_.normed, arrays_.qkv, member);
      adapt(step, l, lora_input::qkv, arrays_.normed, arrays_.qkv, member);
      team_->barrier();
      rotate_and_store(l, layer, rows, step);
      team_->barrier();
      attend(l, step, member);
      team_->barrier();
      project(layer.o, arrays_.attended, arrays_.projected, member);
      adapt(step, l, lora_input::o, arrays_.attended, arrays_.projected, member);
      team_->barrier();
      add_residual(layer.o_bias, rows);
      normalise(layer.ffn_norm, rows);
      team_->barrier();
      project(layer.gate_up, arrays_.normed, arrays_.gate_up, member);
      adapt(step, l, lora_input::gate_up, arrays_.normed, arrays_.gate_up, member);
      team_->barrier();
      activate(layer.gate_up_bias, rows);
      team_->barrier();
      project(layer.down, arrays_.activated, arrays_.projected, member);
      adapt(step, l, lora_input::down, arrays_.activated, arrays_.projected, member);
      team_->barrier();
      add_residual(layer.down_bias, rows);
    }
    choose(step, out, member);
  }

  void normalise(const std::vector<float>& weight, team_share rows) {
    auto width = model_.config.hidden;
    for (auto m = rows.first; m < rows.last; ++m)
      rms_norm(row_of(arrays_.residual, m, width), weight, model_.config.norm_epsilon,
               row_of(arrays_.normed, m, width));
  }

  void add_residual(const std::vector<float>& bias, team_share rows) {
    auto width = model_.config.hidden;
    for (auto m = rows.first; m < rows.last; ++m) {
      add_to(row_of(arrays_.projected, m, width), bias);
      add_to(row_of(arrays_.residual, m, width), row_of(arrays_.projected, m, width));
    }
  }

  void activate(const std::vector<float>& bias, team_share rows) {
    auto width = model_.config.ffn;
    for (auto m = rows.first; m < rows.last; ++m) {
      auto both = row_of(arrays_.gate_up, m, 2 * std::size_t{width});
      add_to(both, bias);
      swiglu(both.first(width), both.subspan(width), row_of(arrays_.activated, m, width));
    }
  }

  /// y = W x for all rows; every member computes its own output blocks.
  void project(const packed_weights& w, const std::vector<float>& x, std::vector<float>& y,
               std::uint32_t member) {
    gemm_rows(w, x.data(), static_cast<std::uint32_t>(places_.size()), y.data(), member);
  }

  void gemm_rows(const packed_weights& w, const float* x, std::uint32_t rows, float* y,
                 std::uint32_t member) {
    auto blocks = share_of((w.blocks() + 1) / 2, member, team_->size());
    gemm_arguments a;
    a.x = x;
    a.x_stride = a.k = w.k();
    a.rows = rows;
    a.n = w.n();
    a.w = w.data();
    a.first_block = static_cast<std::uint32_t>(blocks.first * 2);
    a.last_block = std::min(static_cast<std::uint32_t>(blocks.last * 2), w.blocks());
    a.y = y;
    a.y_stride = w.n();
    kernels_.gemm(a);
  }

  /// y += weight * scaling * B (A x) on the segments. With rows to spare members split the rows; a few rows
  /// are split by output blocks instead, every member computing the small A x again rather than waiting for
  /// it.
  void adapt(const batch& step, std::uint32_t layer, lora_input input, const std::vector<float>& x,
             std::vector<float>& y, std::uint32_t member) {
    if (step.segments.empty()) return;
    team_->barrier();  // the base part of y is complete
    std::uint32_t adapted = 0;
    for (auto& s : step.segments)
      adapted += s.rows;
    bool by_rows = adapted >= 2 * team_->size();
    auto mine = by_rows ? share_of(adapted, member, team_->size()) : team_share{0, adapted};
    std::uint64_t before = 0;
    for (auto& s : step.segments) {
      auto first = std::max(mine.first, before), last = std::min<std::uint64_t>(mine.last, before + s.rows);
      if (first < last) {
        row_range range{static_cast<std::uint32_t>(s.first_row + first - before),
                        static_cast<std::uint32_t>(last - first)};
        for (std::uint32_t u = 0; u < s.uses; ++u)
          adapt_rows(step.uses[s.first_use + u], layer, input, x, y, range, by_rows ? no_split : member);
      }
      before += s.rows;
    }
  }

  struct row_range {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
  };
  static constexpr std::uint32_t no_split = ~std::uint32_t{0};

  void adapt_rows(const adapter_use& use, std::uint32_t layer, lora_input input, const std::vector<float>& x,
                  std::vector<float>& y, row_range rows, std::uint32_t member) {
    auto& group = static_cast<const cpu_packed_adapter*>(use.adapter)->group(layer, input);
    if (group.ranks == 0) return;
    auto in = x.size() / options_.max_rows, out = y.size() / options_.max_rows;
    // Members that all compute A x need a place each, wherever the others are: fewer than 2 * size rows.
    auto scratch_row = member == no_split ? rows.first : member * 2 * team_->size();
    auto* u = arrays_.shrunk.data() + std::size_t{scratch_row} * options_.max_adapter_ranks;
    kernels_.shrink({x.data() + rows.first * in, in, rows.count, static_cast<std::uint32_t>(in), group.a,
                     group.ranks, u, options_.max_adapter_ranks});
    for (auto& site : group.sites) {
      auto blocks = (site.out + lanes - 1) / lanes;
      auto share = member == no_split ? team_share{0, blocks} : share_of(blocks, member, team_->size());
      gemm_arguments a;
      a.x = u + site.first_rank;
      a.x_stride = options_.max_adapter_ranks;
      a.rows = rows.count;
      a.k = site.rank;
      a.n = site.out;
      a.w = site.b;
      a.first_block = static_cast<std::uint32_t>(share.first);
      a.last_block = static_cast<std::uint32_t>(share.last);
      a.y = y.data() + rows.first * out + site.column;
      a.y_stride = out;
      a.scale = site.scaling * use.weight;
      a.add = true;
      kernels_.gemm(a);
    }
  }

  /// Biases, rotary embedding of q and k, and K, V into the pages.
  void rotate_and_store(std::uint32_t l, const packed_layer& layer, team_share rows, const batch& step) {
    auto& c = model_.config;
    std::size_t q = std::size_t{c.heads} * c.head_dim, kv = std::size_t{c.kv_heads} * c.head_dim,
                half = c.head_dim / 2;
    for (auto m = rows.first; m < rows.last; ++m) {
      auto [s, position] = places_[m];
      auto row = row_of(arrays_.qkv, m, q + 2 * kv);
      add_to(row, layer.qkv_bias);
      std::span cosines(model_.cosines.data() + position * half, half);
      std::span sines(model_.sines.data() + position * half, half);
      rotate_heads(row.first(q + kv), cosines, sines);
      auto block = step.block_table[s->first_block + position / options_.block_tokens];
      pool_.write(l, block, position % options_.block_tokens, row.subspan(q, kv), row.subspan(q + kv, kv));
    }
  }

  /// Rows and KV heads are dealt out in turn, because rows of one sequence differ in length.
  void attend(std::uint32_t l, const batch& step, std::uint32_t member) {
    auto& c = model_.config;
    std::size_t q = std::size_t{c.heads} * c.head_dim, kv = std::size_t{c.kv_heads} * c.head_dim;
    attention_arguments a;
    a.page_bytes = pool_.page_bytes();
    a.v_offset = pool_.v_offset();
    a.block_tokens = options_.block_tokens;
    a.heads_per_kv = c.heads / c.kv_heads;
    a.head_dim = c.head_dim;
    a.scale = 1 / std::sqrt(static_cast<float>(c.head_dim));
    for (std::size_t unit = member; unit < places_.size() * c.kv_heads; unit += team_->size()) {
      auto m = unit / c.kv_heads, head = unit % c.kv_heads;
      auto offset = head * a.heads_per_kv * c.head_dim;
      a.q = arrays_.qkv.data() + m * (q + 2 * kv) + offset;
      a.out = arrays_.attended.data() + m * q + offset;
      a.pages = pool_.pages(l, static_cast<std::uint32_t>(head));
      a.blocks = step.block_table.data() + places_[m].sequence->first_block;
      a.tokens = places_[m].position + 1;
      kernels_.attention(a);
    }
  }

  /// Head and sampling for the sequences that want a token.
  void choose(const batch& step, step_output& out, std::uint32_t member) {
    auto count = static_cast<std::uint32_t>(out.tokens.size());
    auto width = model_.config.hidden, vocab = model_.config.vocab;
    team_->barrier();
    auto share = share_of(count, member, team_->size());
    for (auto i = share.first; i < share.last; ++i) {
      auto& s = step.sequences[out.tokens[i].sequence];
      rms_norm(row_of(arrays_.residual, s.first_row + s.rows - 1, width), model_.final_norm,
               model_.config.norm_epsilon, row_of(arrays_.normed, i, width));
    }
    team_->barrier();
    gemm_rows(model_.head, arrays_.normed.data(), count, arrays_.logits.data(), member);
    team_->barrier();
    for (auto i = share.first; i < share.last; ++i) {
      auto& s = step.sequences[out.tokens[i].sequence];
      sampling_context context;
      context.history = std::span(history_[s.slot]).first(s.context + s.rows);
      context.prompt_tokens = s.prompt_tokens;
      context.params = s.sampling;
      context.choice = s.choice;
      auto chosen = samplers_[member].choose(row_of(arrays_.logits, i, vocab), context);
      out.tokens[i].token = chosen.token;
      out.tokens[i].logprob = chosen.logprob;
    }
  }

  cpu_options options_;
  isa instructions_;
  const kernel_set& kernels_;
  std::unique_ptr<thread_team> team_;
  packed_model model_;
  kv_pool pool_;
  cpu_adapter_packer packer_;
  step_arrays arrays_;
  std::vector<std::vector<token_id>> history_;  // per slot, by position
  std::vector<std::uint32_t> known_;            // per slot: positions of history that are filled
  std::vector<sampler> samplers_;               // per member
  std::vector<place> places_;                   // per row of the step
  executor_limits limits_;
};

result<void> check_options(const cpu_options& o) {
  if (o.block_tokens == 0 || o.block_tokens > 64)
    return fail(errc::bad_config, "KV blocks hold 1 to 64 tokens, not " + std::to_string(o.block_tokens));
  if (o.blocks == 0 || o.max_sequences == 0 || o.max_positions == 0 || o.max_rows < o.max_sequences)
    return fail(errc::bad_config,
                "the executor needs blocks, sequences, positions, and a row for every sequence");
  if (o.instructions && !runs_here(*o.instructions))
    return fail(errc::bad_config,
                "this machine cannot run " + std::string(to_string(*o.instructions)) + " kernels");
  return {};
}

}  // namespace

std::uint64_t kv_bytes_per_token(const model_config& m, cpu_dtype type) {
  return std::uint64_t{2} * m.layers * m.kv_heads * m.head_dim * element_bytes(type);
}

result<std::unique_ptr<executor>> make_cpu_executor(std::shared_ptr<const model_weights> weights,
                                                    const cpu_options& options) {
  if (auto ok = check_options(options); !ok) return ok.error();
  auto team = std::make_unique<thread_team>(options.threads == 0 ? usable_cores() : options.threads);
  auto model = pack_model(*weights, options.dtype, options.max_positions, *team);
  if (!model) return std::move(model).error();
  auto pool = kv_pool::make(model->config, options.dtype, options.blocks, options.block_tokens);
  if (!pool) return std::move(pool).error();
  return std::unique_ptr<executor>(
      std::make_unique<cpu_executor>(options, options.instructions.value_or(best_isa()), std::move(team),
                                     *std::move(model), *std::move(pool)));
}

}  // namespace lorica
