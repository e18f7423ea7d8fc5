#include "bench/gpu/session.hpp"

#include <algorithm>
#include <exception>

#include "bench/gpu/failure.hpp"
#include "gpu/device.hpp"

namespace lorica::bench {
namespace {

// As a server has them, whatever a case needs: recorded steps share work out over so many positions.
constexpr std::uint32_t usual_positions = 4096;

/// Why a row has no figures.
void say_missing(row& r, const std::exception& e) {
  r.missing = e.what();
  const auto* known = dynamic_cast<const failure*>(&e);
  r.out_of_room = known && known->code == errc::out_of_memory;
  r.out_of_time = known && known->code == errc::timeout;
}

/// What the executor says of itself must begin so: another format is never measured in place of the one
/// wanted.
std::string_view name_of(gpu::weight_format format) {
  return format == gpu::weight_format::fp8 ? "fp8" : "bfloat16";
}

}  // namespace

session::session(session_settings settings, card at)
    : settings_(std::move(settings)), card_(std::move(at)), until_(settings_.limit) {}

const std::shared_ptr<const random_weights>& session::weights() {
  if (!weights_) weights_ = std::make_shared<const random_weights>(model());
  return weights_;
}

const copy_rates& session::copies() {
  if (copies_) return *copies_;
  copies_ = measure_copies(settings_.device, sizes().copy_bytes, settings_.how);
  if (watch_copies) watch_copies(*copies_);
  return *copies_;
}

const product_times& session::products(const product_point& p) {
  if (auto found = products_.find(p); found != products_.end()) return found->second;
  const auto measured = measure_products(settings_.device, model(), p, weights()->numbers(), settings_.how);
  if (watch_products) watch_products(measured);
  return products_.emplace(p, measured).first->second;
}

const product_times& session::products(std::uint32_t rows, std::uint32_t read) {
  return products({rows, read, settings_.weights});
}

card_rates session::rates() {
  const auto rows = sizes().prompts.front();
  const auto rate_of = [&](const product_times& p) {
    return linear_operations(model(), rows, 0) / (p.prompt_step(model()) - p.head);
  };
  return {copies().device, rate_of(products(rows, 1)),
          rate_of(products({rows, 1, gpu::weight_format::bfloat16})), settings_.weights};
}

double session::bfloat_rate(std::uint32_t tokens) {
  const auto& p = products({tokens, 1, gpu::weight_format::bfloat16});
  return linear_operations(model(), tokens, 1) / p.prompt_step(model());
}

void session::check_time() const {
  if (seconds_left() <= 0) throw failure(fail(errc::timeout, "no time was left"));
}

std::unique_ptr<executor> session::make(const executor_need& need_of) {
  gpu::gpu_options o;
  o.device = settings_.device;
  o.max_sequences = need_of.sequences;
  o.max_rows = std::max(need_of.rows, need_of.sequences);
  o.max_positions = std::min(model().max_positions, std::max(need_of.tokens, usual_positions));
  o.blocks = need_of.sequences * ((need_of.tokens + o.block_tokens - 1) / o.block_tokens);
  o.adapters = std::max(1u, need_of.adapters);
  o.adapter_bytes = std::max<std::uint64_t>(need_of.adapter_bytes, std::uint64_t{1} << 16);
  o.graphs = settings_.graphs;
  o.weights = settings_.weights;
  o.measure = sizes().lora_choice;
  if (need_of.fewer_blocks) fit(o, o.blocks / need_of.sequences);
  auto out = need(gpu::make_gpu_executor(weights(), o));
  if (!out->description().starts_with(name_of(settings_.weights)))
    throw failure(fail(errc::internal, "the executor has other weights than wanted: " + out->description()));
  return out;
}

/// Adapters have at most a quarter of what is free, as a server has it; then takes blocks away until nine
/// tenths of it hold everything.
void session::fit(gpu::gpu_options& o, std::uint32_t least_blocks) {
  const auto free = need(need(gpu::device::open(settings_.device)).free_bytes());
  o.adapter_bytes = std::min(o.adapter_bytes, free / 4);
  std::uint64_t all = 0;
  for (auto bytes : gpu::gpu_memory_of(*weights(), o))
    all += bytes;
  const auto room = free / 10 * 9;
  if (all <= room) return;
  const auto block = gpu::gpu_kv_bytes_per_token(model()) * o.block_tokens;
  const auto fewer = std::min<std::uint64_t>((all - room + block - 1) / block, o.blocks);
  o.blocks = std::max(least_blocks, o.blocks - static_cast<std::uint32_t>(fewer));
}

void session::add(std::string suite, std::string name, const std::function<void(row&)>& measure) {
  row out;
  out.suite = std::move(suite);
  out.name = std::move(name);
  try {
    check_time();
    measure(out);
  } catch (const std::exception& e) {
    say_missing(out, e);
  }
  note(std::move(out));
}

void session::guard(const std::string& suite, const std::function<void()>& body) {
  row out;
  try {
    body();
    return;
  } catch (const std::exception& e) {
    say_missing(out, e);
  }
  out.suite = suite;
  out.name = "all that is left";
  note(std::move(out));
}

void session::note(row r) {
  rows_.push_back(std::move(r));
  if (watch) watch(rows_.back());
}

}  // namespace lorica::bench
