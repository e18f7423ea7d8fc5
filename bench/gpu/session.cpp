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
}

}  // namespace

session::session(session_settings settings, card at) : settings_(std::move(settings)), card_(std::move(at)) {}

const std::shared_ptr<const random_weights>& session::weights() {
  if (!weights_) weights_ = std::make_shared<const random_weights>(model());
  return weights_;
}

const copy_rates& session::copies() {
  if (!copies_) copies_ = measure_copies(settings_.device, sizes().copy_bytes, settings_.how);
  return *copies_;
}

const product_times& session::products(std::uint32_t rows, std::uint32_t read) {
  const auto key = std::pair(rows, read);
  if (auto found = products_.find(key); found != products_.end()) return found->second;
  const auto measured =
      measure_products(settings_.device, model(), rows, read, weights()->numbers(), settings_.how);
  return products_.emplace(key, measured).first->second;
}

card_rates session::rates() {
  const auto rows = sizes().prompts.front();
  const auto& p = products(rows, 1);
  return {copies().device, linear_operations(model(), rows, 0) / (p.prompt_step(model()) - p.head)};
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
  if (need_of.fewer_blocks) fit(o, o.blocks / need_of.sequences);
  return need(gpu::make_gpu_executor(weights(), o));
}

/// Takes blocks away until nine tenths of what is free hold everything.
void session::fit(gpu::gpu_options& o, std::uint32_t least_blocks) {
  const auto free = need(need(gpu::device::open(settings_.device)).free_bytes());
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
