#include "gpu/executor.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <unordered_set>
#include <utility>

#include "engine/batch_contract.hpp"
#include "gpu/adapter_packer.hpp"
#include "gpu/forward.hpp"
#include "gpu/known_tokens.hpp"
#include "gpu/lora_measurement.hpp"
#include "gpu/packed_adapter.hpp"
#include "gpu/recorded_steps.hpp"
#include "gpu/sizes.hpp"

namespace lorica::gpu {
namespace {

/// Ranks that one launch of a recorded step spreads over blocks; more are done one after the other.
constexpr std::uint32_t recorded_ranks = 64;

/// A row's products are chosen for so many rows where they may not depend on their number.
constexpr std::uint32_t pinned_product_rows = 64;

/// What outlives everything on the device.
struct device_parts {
  device opened;
  arena memory;
  stream main, side;

  /// For all of both streams.
  result<void> wait() const {
    const auto beside = side.synchronise();
    const auto done = main.synchronise();
    return beside ? done : beside;
  }
};

/// Everything that is made of it, in the order of making.
struct executor_parts {
  std::unique_ptr<device_parts> device;
  std::unique_ptr<adapter_slots> adapters;
  forward layers;
  std::unique_ptr<step_buffer> buffer;  // what the device is told of a step
  step_plan plan;
  step_sampler sampler;
  token_history history;
  known_tokens known;
};

/// The executor of `make_gpu_executor`. Steps are put into one stream; the host waits once, for the tokens.
class gpu_executor final : public executor {
 public:
  gpu_executor(const std::shared_ptr<const model_weights>& model, const executor_sizes& sizes,
               executor_parts parts)
      : model_(model),
        sizes_(sizes),
        packer_(model, parts.device->opened),
        contract_(sizes.limits, model->config().vocab),
        p_(std::move(parts)) {
    account();
  }
  ~gpu_executor() override { static_cast<void>(p_.device->wait()); }

  /// Runs idle rows as steps are recorded, so that what fails fails now, then records them.
  result<void> begin();

  const executor_limits& limits() const noexcept override { return sizes_.limits; }
  std::string description() const override;
  std::optional<device_report> device() const override;
  const adapter_packer& packer() const noexcept override { return packer_; }
  result<step_output> execute(const batch& step) override;
  bool lost() const noexcept override { return lost_; }
  result<void> attach(const std::shared_ptr<const packed_adapter>& adapter) override;
  void detach(const packed_adapter& adapter) noexcept override;
  void rest(std::span<const std::uint32_t>) noexcept override {}

 private:
  void account();
  result<void> run_idle(std::uint32_t rows);
  result<void> measure();
  const stream& main() const noexcept { return p_.device->main; }
  result<std::uint32_t> recorded_rows(const batch& step);
  result<step_output> compute(const batch& step);
  result<void> tell(const batch& step);
  result<void> put_in(const batch& step, std::uint32_t recorded);
  result<void> put_rows(const forward_step& step);
  result<void> put_readings(const forward_step& step);
  result<void> put_recorded(std::uint32_t rows, bool adapters);
  forward_step forward_of_plan() const;
  result<void> choose_on_host(std::uint32_t first, std::uint32_t count);
  step_output told();
  void settle();

  std::shared_ptr<const model_weights> model_;
  executor_sizes sizes_;
  gpu_adapter_packer packer_;
  batch_contract contract_;
  executor_parts p_;
  recorded_steps recorded_;
  std::unordered_set<const packed_adapter*> attached_;
  bool lost_ = false;
};

void gpu_executor::account() {
  const auto& memory = p_.device->memory;
  auto& l = sizes_.limits;
  l.weight_bytes = memory.used(memory_part::weights);
  l.kv_bytes = memory.used(memory_part::kv);
  l.workspace_bytes = memory.used(memory_part::workspace);
}

std::string gpu_executor::description() const {
  const auto& d = p_.device->opened.properties();
  auto out = p_.layers.weights().numbers() + " (" + d.name + ", " + std::to_string(d.memory_bytes >> 20) +
             " MiB, compute capability " + std::to_string(d.major) + "." + std::to_string(d.minor);
  if (const auto& c = p_.plan.choice(); sizes_.measure.count() > 0)
    out += ", adapters of up to " + std::to_string(c.narrow) + " rows, or " + std::to_string(c.wide) +
           " at high ranks, in small tiles";
  if (recorded_.count() == 0) return out + ", no graphs)";
  return out + ", graphs of up to " + std::to_string(sizes_.graph_rows.back()) + " rows)";
}

std::optional<device_report> gpu_executor::device() const {
  const auto& d = p_.device->opened.properties();
  return device_report{d.name, d.memory_bytes, p_.device->memory.size(), sizes_.graph_rows,
                       sizes_.same_products};
}

result<void> gpu_executor::begin() {
  if (auto ok = p_.layers.upload_frequencies(sizes_.limits.max_positions); !ok) return ok;
  for (auto rows : sizes_.graph_rows)
    if (auto ok = p_.layers.prepare(rows); !ok) return ok;
  if (sizes_.graph_rows.empty())
    if (auto ok = run_idle(1); !ok) return ok;
  for (auto rows : sizes_.graph_rows)
    if (auto ok = run_idle(rows); !ok) return ok;
  if (sizes_.measure.count() > 0)
    if (auto ok = measure(); !ok) return ok;
  auto made = recorded_steps::record(sizes_.graph_rows, main(), [this](std::uint32_t rows, bool adapters) {
    auto ok = p_.plan.prepare_idle(rows);
    return ok ? put_recorded(rows, adapters) : ok;
  });
  if (!made) return made.error();
  recorded_ = *std::move(made);
  return {};
}

/// A step of idle rows, with the kernels of both sets of recorded steps: the driver loads each at its first
/// launch, which may allocate and is not allowed while a graph is recorded.
result<void> gpu_executor::run_idle(std::uint32_t rows) {
  if (auto ok = p_.plan.prepare_idle(rows); !ok) return ok;
  p_.sampler.begin();
  if (auto ok = p_.buffer->upload(main()); !ok) return ok;
  if (auto ok = put_recorded(rows, true); !ok) return ok;
  return main().synchronise();
}

/// How rows of adapters are shared out, while no adapter is here.
result<void> gpu_executor::measure() {
  const auto sites = p_.layers.lora_sites();
  const auto memory = p_.adapters->memory();
  const auto& l = sizes_.limits;
  auto choice = measure_lora({sites, l.max_rows, sizes_.low_rank.width, sizes_.low_rank.floats(l.max_rows),
                              memory.data(), memory.size(), sizes_.measure},
                             main());
  if (!choice) return choice.error();
  p_.plan.choose(*choice);
  return {};
}

result<step_output> gpu_executor::execute(const batch& step) {
  const auto slot_of = [this](std::uint32_t slot) {
    return slot_state{p_.history.seen(slot), p_.history.last_sampled(slot).has_value()};
  };
  if (auto ok = contract_.check(step, attached_, slot_of); !ok) return ok.error();
  auto out = compute(step);
  if (out) return out;
  settle();
  if (out.error().code == errc::internal) return out;
  return fail(errc::generation_failed, out.error().text);
}

/// What failed may have left work under way that reads what the next step writes. The first wait may tell of
/// an error that passes; one that stays ends everything.
void gpu_executor::settle() {
  if (!p_.device->wait()) lost_ = !p_.device->wait();
}

/// Rows of the recorded step that can stand for this one; 0: none can.
result<std::uint32_t> gpu_executor::recorded_rows(const batch& step) {
  for (auto& s : step.sequences)
    if (s.rows != 1 || !s.sample) return 0u;
  for (auto& use : step.uses) {
    auto& adapter = static_cast<const gpu_packed_adapter&>(*use.adapter);
    if (adapter.changes_head() || adapter.changes_embedding()) return 0u;
    const auto slot = p_.adapters->slot_of(adapter);
    if (!slot) return 0u;
    auto here = p_.adapters->arrived(*slot);
    if (!here) return here.error();
    if (!*here) return 0u;
  }
  return recorded_.rows_for(static_cast<std::uint32_t>(step.tokens.size()));
}

result<step_output> gpu_executor::compute(const batch& step) {
  if (auto ok = p_.device->opened.use(); !ok) return ok.error();
  auto recorded = recorded_rows(step);
  if (!recorded) return recorded.error();
  const auto rows = *recorded != 0 ? *recorded : static_cast<std::uint32_t>(step.tokens.size());
  if (auto ok = p_.plan.prepare(step, rows, *p_.adapters, p_.history); !ok) return ok.error();
  p_.sampler.begin();
  for (auto& r : p_.plan.readings())
    p_.sampler.add(step.sequences[r.sequence], r.scored, p_.history.tokens(r.slot));
  if (auto ok = put_in(step, *recorded); !ok) return ok.error();
  if (auto ok = p_.adapters->step_ended(main()); !ok) return ok.error();
  if (auto ok = p_.sampler.download(main()); !ok) return ok.error();
  if (auto ok = main().synchronise(); !ok) return ok.error();
  return told();
}

/// Brings what the host wrote about the step to the device: in one copy, unless the step's sequences find
/// more tokens computed than there is room for.
result<void> gpu_executor::tell(const batch& step) {
  p_.known.begin(step);
  while (true) {
    p_.known.fill();
    if (auto ok = p_.buffer->upload(main()); !ok) return ok;
    if (auto ok = p_.known.remember(p_.history, main()); !ok) return ok;
    if (p_.known.done()) return {};
    if (auto ok = main().synchronise(); !ok) return ok;
  }
}

result<void> gpu_executor::put_in(const batch& step, std::uint32_t recorded) {
  if (auto ok = tell(step); !ok) return ok;
  if (recorded != 0) {
    if (auto ok = recorded_.launch(recorded, p_.plan.has_adapters(), main()); !ok) return ok;
    return choose_on_host(0, static_cast<std::uint32_t>(p_.plan.readings().size()));
  }
  const auto f = forward_of_plan();
  if (auto ok = put_rows(f); !ok) return ok;
  return put_readings(f);
}

forward_step gpu_executor::forward_of_plan() const {
  forward_step out;
  out.plan = &p_.plan;
  out.adapters = p_.plan.has_adapters();
  out.of_rows = p_.plan.row_adapters();
  out.of_readings = p_.plan.read_adapters();
  if (out.adapters)
    out.arrive = [this](adapter_arrival what, std::uint32_t layer) {
      return p_.adapters->wait_for(main(), p_.plan.slots(), what, layer);
    };
  return out;
}

result<void> gpu_executor::put_rows(const forward_step& step) {
  const auto tables = p_.plan.tables();
  token_history_args a;
  a.tokens = tables.tokens;
  a.slots = tables.slots;
  a.positions = tables.positions;
  a.count = p_.plan.rows();
  a.history = p_.history.device();
  a.stride = p_.history.stride();
  if (auto ok = remember(a, main()); !ok) return ok;
  return p_.layers.layers(step);
}

/// As many at once as there is room for logits.
result<void> gpu_executor::put_readings(const forward_step& step) {
  const auto all = static_cast<std::uint32_t>(p_.plan.readings().size());
  const auto& logits = p_.layers.memory().logits;
  const auto at_once = sizes_.memory.logits_rows;
  for (std::uint32_t first = 0; first < all; first += at_once) {
    const auto count = std::min(at_once, all - first);
    if (p_.plan.changes_head() && count != all) {
      if (auto ok = main().synchronise(); !ok) return ok;
      if (auto ok = p_.plan.choose_readings(first, count); !ok) return ok;
      if (auto ok = p_.buffer->upload(main()); !ok) return ok;
    }
    if (auto ok = p_.layers.head(step, first, count); !ok) return ok;
    if (auto ok = p_.sampler.sample(logits.data, logits.stride, first, count, p_.history, main()); !ok)
      return ok;
    if (auto ok = choose_on_host(first, count); !ok) return ok;
  }
  return {};
}

/// Readings [first, first + count), whose logits are there from row 0 on, as far as the host chooses.
result<void> gpu_executor::choose_on_host(std::uint32_t first, std::uint32_t count) {
  for (auto i : p_.sampler.needs_host()) {
    if (i < first || i >= first + count) continue;
    auto& r = p_.plan.readings()[i];
    auto ok =
        p_.sampler.choose_on_host(i, p_.layers.memory().logits.row(i - first),
                                  p_.plan.step().sequences[r.sequence], p_.history.tokens(r.slot), main());
    if (!ok) return ok;
  }
  return {};
}

/// A step of rows that all decode, as the plan has prepared it. Addresses and numbers of blocks stay; what is
/// done is read from tables.
result<void> gpu_executor::put_recorded(std::uint32_t rows, bool adapters) {
  forward_step f;
  f.plan = &p_.plan;
  f.adapters = adapters;
  f.of_rows = p_.plan.row_adapters();
  f.of_rows.grid = {rows, rows > p_.plan.choice().least() ? rows / many_tile_rows + 1 : 0, recorded_ranks};
  if (auto ok = put_rows(f); !ok) return ok;
  if (auto ok = p_.layers.head(f, 0, rows); !ok) return ok;
  const auto& logits = p_.layers.memory().logits;
  return p_.sampler.sample(logits.data, logits.stride, 0, rows, p_.history, main());
}

step_output gpu_executor::told() {
  step_output out;
  const auto readings = p_.plan.readings();
  out.tokens.resize(p_.plan.sampled());
  out.scored.resize(readings.size() - p_.plan.sampled());
  for (std::uint32_t i = 0; i < readings.size(); ++i) {
    auto& r = readings[i];
    auto t = p_.sampler.told(i);
    auto& into = r.scored == no_token ? out.tokens : out.scored;
    into[r.place] = {r.sequence, t.token, t.logprob, t.rank, std::move(t.top)};
    if (r.scored == no_token) p_.history.sampled(r.slot, t.token);
  }
  return out;
}

result<void> gpu_executor::attach(const std::shared_ptr<const packed_adapter>& adapter) {
  auto packed = std::dynamic_pointer_cast<const gpu_packed_adapter>(adapter);
  if (!packed || packed->layers() != model_->config().layers)
    return fail(errc::internal, "an adapter that was packed for another executor");
  if (packed->widest() > sizes_.low_rank.width)
    return fail(errc::bad_adapter, "the adapter has " + std::to_string(packed->widest()) +
                                       " ranks in one group of projections; there is room for " +
                                       std::to_string(sizes_.low_rank.width));
  auto done = p_.device->opened.use();
  if (done) done = p_.adapters->attach(packed, main());
  if (!done) {
    if (done.error().code == errc::generation_failed) settle();
    return done;
  }
  attached_.insert(packed.get());
  return {};
}

void gpu_executor::detach(const packed_adapter& adapter) noexcept {
  attached_.erase(&adapter);
  p_.adapters->detach(adapter);
}

result<std::unique_ptr<device_parts>> open_device(const model_weights& model, const gpu_options& o) {
  auto opened = device::open(o.device);
  if (!opened) return opened.error();
  if (auto ok = check_weights(o.weights, opened->properties()); !ok)
    return fail(ok.error().code, "weights: " + ok.error().text);
  std::uint64_t all = 0;
  for (auto bytes : gpu_memory_of(model, o))
    all += bytes;
  auto memory = arena::allocate(all);
  if (!memory) return memory.error();
  auto main = stream::create();
  if (!main) return main.error();
  auto side = stream::create();
  if (!side) return side.error();
  return std::make_unique<device_parts>(
      device_parts{*std::move(opened), *std::move(memory), *std::move(main), *std::move(side)});
}

result<forward> make_forward(const std::shared_ptr<const model_weights>& model, const gpu_options& o,
                             const executor_sizes& sizes, device_parts& d, const adapter_slots& adapters) {
  auto weights = device_weights::upload(d.memory, *model, o.weights, d.main, o.progress);
  if (!weights) return weights.error();
  auto cache = kv_cache::allocate(d.memory, model->config(), o.blocks, o.block_tokens, d.main);
  if (!cache) return cache.error();
  auto memory = workspace::allocate(d.memory, model->config(), sizes.memory, d.main);
  if (!memory) return memory.error();
  gemm_options chosen;
  chosen.workspace_bytes = o.product_bytes;
  chosen.pinned_rows = sizes.same_products ? pinned_product_rows : 0;
  chosen.scale_inside = d.opened.properties().scales_products();
  auto products = gemm::create(d.memory, chosen);
  if (!products) return products.error();
  auto forked = event::create();
  if (!forked) return forked.error();
  auto joined = event::create();
  if (!joined) return joined.error();
  return forward({model, d.opened.properties(), *std::move(weights), *cache, *memory, *std::move(products),
                  &d.main, &d.side, *std::move(forked), *std::move(joined), &adapters, sizes.limits});
}

result<executor_parts> make_parts(const std::shared_ptr<const model_weights>& model, const gpu_options& o,
                                  const executor_sizes& sizes) {
  auto device = open_device(*model, o);
  if (!device) return device.error();
  auto& d = **device;
  auto adapters = adapter_slots::create(d.memory, sizes.adapters);
  if (!adapters) return adapters.error();
  auto held = std::make_unique<adapter_slots>(*std::move(adapters));
  auto layers = make_forward(model, o, sizes, d, *held);
  if (!layers) return layers.error();
  const step_sections at(sizes);
  auto buffer = step_buffer::allocate(d.memory, at.layout);
  if (!buffer) return buffer.error();
  auto held_buffer = std::make_unique<step_buffer>(*std::move(buffer));
  auto sampler = step_sampler::create(sizes.sampling, at.sampler, *held_buffer, d.memory);
  if (!sampler) return sampler.error();
  auto history = token_history::allocate(d.memory, o.max_sequences, o.max_positions);
  if (!history) return history.error();
  step_plan plan(sizes.limits, sizes.low_rank, at.plan, *held_buffer);
  const known_tokens known(*held_buffer);
  return executor_parts{*std::move(device), std::move(held),     *std::move(layers),  std::move(held_buffer),
                        std::move(plan),    *std::move(sampler), *std::move(history), known};
}

}  // namespace

result<std::unique_ptr<executor>> make_gpu_executor(std::shared_ptr<const model_weights> model,
                                                    const gpu_options& options) {
  if (auto ok = check(options, model->config()); !ok) return ok.error();
  const auto sizes = sizes_of(options, model->config());
  auto parts = make_parts(model, options, sizes);
  if (!parts) return std::move(parts).error();
  model->release_pages();
  auto out = std::make_unique<gpu_executor>(model, sizes, *std::move(parts));
  if (auto ok = out->begin(); !ok) return ok.error();
  return std::unique_ptr<executor>(std::move(out));
}

}  // namespace lorica::gpu
