#include "cpu/executor.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <unordered_set>
#include <utility>
#include <vector>

#include "cpu/adapter_packer.hpp"
#include "cpu/forward.hpp"
#include "cpu/sampling.hpp"
#include "cpu/step_plan.hpp"
#include "cpu/team_size.hpp"
#include "cpu/thread_team.hpp"
#include "cpu/token_history.hpp"
#include "cpu/workspace.hpp"

namespace lorica {
namespace {

constexpr std::uint32_t most_threads = 256;

/// The executor of `make_cpu_executor`. Lives on the thread that calls `execute`, which is member 0 of its
/// team.
class cpu_executor final : public executor {
 public:
  cpu_executor(const std::shared_ptr<const model_weights>& model, const executor_limits& limits,
               std::string description, std::unique_ptr<thread_team> team, forward layers,
               token_history history, const std::optional<packed_key>& missing, cpu_mode mode,
               const cpu_options& options)
      : limits_(limits),
        description_(std::move(description)),
        team_(std::move(team)),
        size_(team_->members()),
        forward_(std::move(layers)),
        packer_(model, mode),
        mode_(mode),
        vocab_(model->config().vocab),
        plan_(limits, model->config(), team_->members()),
        read_(limits, model->config(), team_->members()),
        history_(std::move(history)),
        sampler_(team_->members(), vocab_, options.token_ids),
        observer_(options.observer) {
    if (missing) keeper_.emplace(*options.cache, *missing, forward_.weights(), options.tell);
  }

  const executor_limits& limits() const noexcept override { return limits_; }
  std::string description() const override { return description_; }
  const adapter_packer& packer() const noexcept override { return packer_; }
  result<step_output> execute(const batch& step) override;
  result<void> attach(const std::shared_ptr<const packed_adapter>& adapter) override;
  void detach(const packed_adapter& adapter) noexcept override { attached_.erase(&adapter); }
  void rest(std::span<const std::uint32_t> empty) noexcept override { forward_.give_back(empty); }

 private:
  void compute(step_output& out);
  void show_logits(std::uint32_t first, std::uint32_t count);

  executor_limits limits_;
  std::string description_;
  std::unique_ptr<thread_team> team_;
  team_size size_;
  forward forward_;
  cpu_adapter_packer packer_;
  cpu_mode mode_;
  std::uint32_t vocab_;
  step_plan plan_;
  step_plan read_;  // the rows of `plan_` that are read, where these are not all
  token_history history_;
  step_sampler sampler_;
  logits_observer observer_;
  std::unordered_set<const packed_adapter*> attached_;
  std::optional<weights_keeper> keeper_;  // last: it reads the weights of `forward_`, so it ends first
};

result<step_output> cpu_executor::execute(const batch& step) {
  if (auto ok = plan_.prepare(step, attached_, history_, size_.active()); !ok) return ok.error();
  if (auto ok = forward_.memory().reserve_low_rank(plan_.low_rank_width(), limits_.max_rows, mode_); !ok)
    return fail(errc::generation_failed, ok.error().text);
  step_output out;
  out.tokens.resize(plan_.sampled());
  out.scored.resize(plan_.readings().size() - plan_.sampled());
  compute(out);
  for (auto& t : out.tokens)
    history_.sampled(step.sequences[t.sequence].slot, t.token);
  return out;
}

void cpu_executor::compute(step_output& out) {
  const auto start = std::chrono::steady_clock::now();
  const bool narrow = plan_.readings().size() < plan_.rows();
  if (narrow) read_.narrow(plan_, size_.active());
  const auto& read = narrow ? read_ : plan_;
  team_->run(size_.active(), [&](unsigned member) {
    forward_.layers(plan_, read, member);
    const auto at_once = forward_.memory().head_rows;
    const auto all = static_cast<std::uint32_t>(plan_.readings().size());
    for (std::uint32_t first = 0; first < all; first += at_once) {
      const auto count = std::min(at_once, all - first);
      forward_.head(read, first, count, member);
      if (observer_ && member == 0) show_logits(first, count);
      sampler_.read(plan_, history_, forward_.memory(), first, share_of(count, member, team_->active()),
                    member, out);
      forward_.pass(step_phase::sample, member);
    }
  });
  size_.step_done(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
                  team_->waited());
}

void cpu_executor::show_logits(std::uint32_t first, std::uint32_t count) {
  for (std::uint32_t i = 0; i < count; ++i)
    observer_(first + i, {reinterpret_cast<const float*>(forward_.memory().logits.row(i)), vocab_});
}

result<void> cpu_executor::attach(const std::shared_ptr<const packed_adapter>& adapter) {
  auto* packed = dynamic_cast<const cpu_packed_adapter*>(adapter.get());
  if (!packed || packed->dtype() != mode_.dtype || packed->coded() != mode_.int8_adapters ||
      packed->layers() != forward_.weights().layers().size())
    return fail(errc::internal, "an adapter that was packed for another executor");
  if (auto ok = forward_.memory().reserve_low_rank(packed->widest(), limits_.max_rows, mode_); !ok)
    return ok.error();
  attached_.insert(packed);
  return {};
}

result<void> check(const cpu_options& o, const model_config& m) {
  auto bad = [](std::string text) { return fail(errc::bad_config, std::move(text)); };
  if (o.block_tokens == 0 || o.block_tokens % token_group != 0)
    return bad("block_tokens: " + std::to_string(o.block_tokens) + " is not a multiple of 16");
  if (o.mode.int8_kv && o.mode.dtype == cpu_dtype::float32)
    return bad("int8_kv: the exact mode keeps keys and values in float32");
  if (o.blocks == 0) return bad("blocks: the KV cache needs at least one block");
  if (o.max_sequences == 0 || o.max_rows == 0) return bad("max_sequences and max_rows: must be at least 1");
  if (o.max_positions == 0 || o.max_positions > m.max_positions)
    return bad("max_positions: " + std::to_string(o.max_positions) + " is not in [1, " +
               std::to_string(m.max_positions) + "], what the model was made for");
  if (o.token_ids > m.vocab)
    return bad("token_ids: " + std::to_string(o.token_ids) + " is above the vocabulary of " +
               std::to_string(m.vocab));
  if (o.threads > most_threads)
    return bad("threads: " + std::to_string(o.threads) + " is above " + std::to_string(most_threads));
  if (m.head_dim % 2 != 0 || m.head_dim > max_head_dim)
    return fail(errc::bad_model, "head_dim: " + std::to_string(m.head_dim) + " is odd or above " +
                                     std::to_string(max_head_dim));
  return {};
}

}  // namespace

result<std::unique_ptr<executor>> make_cpu_executor(std::shared_ptr<const model_weights> model,
                                                    const cpu_options& options) {
  auto& m = model->config();
  if (auto ok = check(options, m); !ok) return ok.error();
  auto chosen = choose_isa(options.instructions);
  if (!chosen) return chosen.error();
  auto threads = options.threads != 0 ? options.threads
                                      : std::clamp(std::thread::hardware_concurrency(), 1u, most_threads);
  auto team = std::make_unique<thread_team>(threads);
  const auto mode = options.mode;
  auto weights = read_or_pack(*model, mode, *chosen, *team, options.progress, options.cache, options.tell);
  if (!weights) return std::move(weights).error();
  model->release_pages();
  auto cache = kv_cache::allocate(m, mode, options.blocks, options.block_tokens);
  if (!cache) return std::move(cache).error();
  executor_limits limits;
  limits.block_tokens = options.block_tokens;
  limits.blocks = options.blocks;
  limits.max_sequences = options.max_sequences;
  limits.max_rows = options.max_rows;
  limits.max_positions = options.max_positions;
  auto memory = workspace::allocate(m, limits, mode, threads, options.logits_bytes);
  if (!memory) return std::move(memory).error();
  auto history = token_history::allocate(limits.max_sequences, limits.max_positions);
  if (!history) return std::move(history).error();
  limits.weight_bytes = weights->weights->bytes();
  limits.kv_bytes = cache->bytes();
  limits.workspace_bytes = memory->bytes() + history->bytes();
  auto description = std::string(to_string(mode)) + " (" + std::string(to_string(*chosen)) + ", " +
                     std::to_string(threads) + (threads == 1 ? " thread)" : " threads)");
  auto& kernels = kernels_for(*chosen, mode.dtype);
  forward layers(model, std::move(weights->weights), kernels, mode, options.block_tokens, *std::move(cache),
                 *std::move(memory), limits.max_positions, *team, options.profile);
  return std::unique_ptr<executor>(std::make_unique<cpu_executor>(
      model, limits, std::move(description), std::move(team), std::move(layers), *std::move(history),
      weights->missing, mode, options));
}

}  // namespace lorica
