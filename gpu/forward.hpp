#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/error.hpp"
#include "gpu/adapter_slots.hpp"
#include "gpu/device.hpp"
#include "gpu/event.hpp"
#include "gpu/gemm.hpp"
#include "gpu/kv_cache.hpp"
#include "gpu/lora.hpp"
#include "gpu/step_plan.hpp"
#include "gpu/weights.hpp"
#include "gpu/workspace.hpp"
#include "model/weights.hpp"

namespace lorica::gpu {

/// What of a step is put into the stream.
struct forward_step {
  const step_plan* plan = nullptr;
  bool adapters = false;  ///< with what they add; a recorded step may have it without any
  adapters_of_rows of_rows, of_readings;
  /// Lets the stream wait for a piece of the adapters in use; empty: all have arrived.
  std::function<result<void>(adapter_arrival what, std::uint32_t layer)> arrive;
};

/// The parts that a forward is put together from, and outlives.
struct forward_parts {
  std::shared_ptr<const model_weights> model;
  device_properties device;
  device_weights weights;
  kv_cache cache;
  workspace memory;
  gemm products;
  const stream* main = nullptr;
  const stream* side = nullptr;  ///< low-rank products run here beside the base's
  event forked, joined;
  const adapter_slots* adapters = nullptr;
  executor_limits limits;
};

/// The layers of the model over all rows of a step: puts work into streams and waits for nothing.
class forward {
 public:
  explicit forward(forward_parts parts) : p_(std::move(parts)) {}

  /// From tokens to the residual stream after the last layer. In that layer all rows get their keys and
  /// values, and only those that are read the rest.
  result<void> layers(const forward_step& step);

  /// Logits of readings [first, first + count) of what `layers` left; count <= the workspace's logits_rows.
  /// Where adapters change the head, the plan has chosen these readings.
  result<void> head(const forward_step& step, std::uint32_t first, std::uint32_t count);

  /// Chooses the products of a step of `rows` rows that are all read, so that it can be recorded.
  result<void> prepare(std::uint32_t rows);

  /// Brings the frequencies of the rotation to the device; once, before anything else.
  result<void> upload_frequencies(std::uint32_t positions);

  /// The maps of a layer with the most outputs and with the most inputs, as adapters change them, without
  /// tables: to measure with.
  std::vector<lora_args> lora_sites() const;

  const workspace& memory() const noexcept { return p_.memory; }
  const device_weights& weights() const noexcept { return p_.weights; }

 private:
  /// The rows that a part of a step is about.
  struct rows_at_hand {
    std::uint32_t count = 0;
    row_buffer<float> residual;
    const adapters_of_rows* adapters = nullptr;  ///< null: the step is without
  };

  const model_config& model() const noexcept { return p_.model->config(); }
  result<void> embed_rows(const forward_step& step);
  result<void> keys_and_values(const forward_step& step, std::uint32_t layer, const rows_at_hand& rows);
  result<void> attend(const forward_step& step, std::uint32_t layer);
  result<void> narrow(const forward_step& step, rows_at_hand& rows);
  result<void> rest_of_layer(std::uint32_t layer, const rows_at_hand& rows);
  result<void> norm_rows(const float* weight, const device_matrix& next, const rows_at_hand& rows);
  result<void> add_branch(const float* norm, const rows_at_hand& rows);

  gemm_args product(const device_matrix& matrix, const row_buffer<bfloat>& x, const row_buffer<bfloat>& y,
                    std::uint32_t rows) const noexcept;
  code_gemm_args code_product(const device_matrix& matrix, const row_buffer<bfloat>& y,
                              std::uint32_t rows) const noexcept;
  result<void> norm_readings(std::uint32_t first, std::uint32_t count);
  result<void> changed_head(const forward_step& step);
  gemm_args head_product(const bfloat* matrix, std::uint32_t count, std::uint32_t at) const noexcept;

  /// The base alone, in numbers or codes.
  result<void> base(const device_matrix& matrix, const row_buffer<bfloat>& x, const row_buffer<bfloat>& y,
                    std::uint32_t rows);
  lora_args lora_of(const device_matrix& matrix, const row_buffer<bfloat>& x,
                    const row_buffer<bfloat>& y) const noexcept;

  /// Base and adapters.
  result<void> linear(std::uint32_t layer, lora_group group, const device_matrix& matrix,
                      const row_buffer<bfloat>& x, const row_buffer<bfloat>& y, const rows_at_hand& rows);

  forward_parts p_;
  const bfloat* pending_ = nullptr;  // a branch that the next norm adds; null: none
  row_buffer<float> read_;           // the residual stream of the readings
};

}  // namespace lorica::gpu
