#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/gpu/adapters.hpp"
#include "bench/gpu/card.hpp"
#include "bench/gpu/floors.hpp"
#include "bench/gpu/random_weights.hpp"
#include "bench/gpu/rates.hpp"
#include "bench/gpu/row.hpp"
#include "bench/gpu/suite_sizes.hpp"
#include "bench/gpu/time_plan.hpp"
#include "engine/executor.hpp"
#include "gpu/executor.hpp"

namespace lorica::bench {

/// What is measured, and how.
struct session_settings {
  model_config shape;
  suite_sizes sizes;
  repetition how;
  int device = 0;
  bool graphs = true;
  /// Of the layers' linear maps.
  gpu::weight_format weights = gpu::weight_format::bfloat16;
  double limit = 480;           ///< seconds of all cases together
  double traffic_seconds = 30;  ///< of arrivals, in cases of traffic, at most
  double host_gib = 64;         ///< of pinned memory that adapters may take
};

/// What an executor for a case is made for.
struct executor_need {
  std::uint32_t sequences = 1;
  std::uint32_t tokens = 0;  ///< of each sequence
  std::uint32_t rows = 0;    ///< per step
  std::uint64_t adapter_bytes = 0;
  std::uint32_t adapters = 0;
  bool fewer_blocks =
      false;  ///< less does where there is no room: KV blocks for fewer tokens, fewer adapters
};

/// What the cases of one run share: the model, the card and its rates, which are measured when they are first
/// asked for, and the rows. On one thread. What cannot be measured throws `failure`.
class session {
 public:
  session(session_settings settings, card at);

  const session_settings& settings() const noexcept { return settings_; }
  const model_config& model() const noexcept { return settings_.shape; }
  const suite_sizes& sizes() const noexcept { return settings_.sizes; }
  const std::shared_ptr<const random_weights>& weights();

  const copy_rates& copies();
  /// Of the weights' format.
  const product_times& products(std::uint32_t rows, std::uint32_t read);

  /// Of copies, and of the products of a prompt of the first length of G-2.
  card_rates rates();

  /// Operations per second of a prompt's products of bfloat16.
  double bfloat_rate(std::uint32_t tokens);

  /// Whether the figures are those that targets were set for: weights in bfloat16.
  bool is_usual() const noexcept { return settings_.weights == gpu::weight_format::bfloat16; }

  /// From now on nothing begins behind `until`.
  void stop_at(deadline until) noexcept { until_ = until; }
  double seconds_left() const noexcept { return until_.left(); }
  void check_time() const;

  std::unique_ptr<executor> make(const executor_need& need);

  /// One more row, which `measure` fills; why it could not is told there.
  void add(std::string suite, std::string name, const std::function<void(row&)>& measure);

  /// The same for all rows of a case together, which needs something first.
  void guard(const std::string& suite, const std::function<void()>& body);

  const std::vector<row>& rows() const noexcept { return rows_; }
  const card& at() const noexcept { return card_; }
  const std::optional<copy_rates>& known_copies() const noexcept { return copies_; }
  const auto& known_products() const noexcept { return products_; }

  /// What was measured elsewhere, on the same card.
  void know(const copy_rates& c) { copies_ = c; }
  void know(const product_times& t) { products_.insert_or_assign({t.rows, t.read, t.weights}, t); }
  void note(row r);

  /// Called with each row that is complete, and with each rate that is measured.
  std::function<void(const row&)> watch;
  std::function<void(const copy_rates&)> watch_copies;
  std::function<void(const product_times&)> watch_products;

 private:
  const product_times& products(const product_point& p);
  void fit(gpu::gpu_options& o, std::uint32_t least_blocks);

  session_settings settings_;
  card card_;
  std::shared_ptr<const random_weights> weights_;
  std::optional<copy_rates> copies_;
  std::map<product_point, product_times> products_;
  deadline until_;
  std::vector<row> rows_;
};

}  // namespace lorica::bench
