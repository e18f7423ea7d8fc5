#include "tests/twins/whole_model.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "tests/gpu/test_device.hpp"

namespace lorica::testing {

bool device_is_here() {
  return find_test_device().has_value();
}

device_drive in_any_mix() {
  return {.same_products = !emulated};
}

executor_maker on_device(const device_drive& device) {
  return
      [device](const std::shared_ptr<const model_weights>& weights, const drive& how, std::uint32_t blocks) {
        gpu::gpu_options o;
        o.blocks = blocks;
        o.block_tokens = how.block_tokens;
        o.max_sequences = how.max_sequences;
        o.max_rows = how.max_sequences + how.chunk;
        o.max_positions = std::min<std::uint32_t>(weights->config().max_positions, 512);
        o.token_ids = how.token_ids;
        o.logits_bytes = how.logits_bytes;
        o.product_bytes = 1 << 16;
        o.adapter_bytes = device.adapter_bytes;
        o.adapters = 64;
        o.graphs = device.graphs;
        o.same_products = device.same_products;
        o.weights = device.weights;
        o.measure = device.measure;
        auto made = gpu::make_gpu_executor(weights, o);
        if (!made) throw std::runtime_error(made.error().text);
        return *std::move(made);
      };
}

agreement compare(const std::vector<answer>& cpu, const std::vector<answer>& gpu, const clear_choice& clear) {
  agreement out;
  for (std::size_t i = 0; i < cpu.size(); ++i) {
    out.all += cpu[i].tokens.size();
    for (std::size_t t = 0; t < cpu[i].tokens.size(); ++t) {
      if (t >= gpu[i].tokens.size() || cpu[i].tokens[t] != gpu[i].tokens[t]) {
        out.different += clear(i, t) ? 1 : 0;
        break;
      }
      const auto apart =
          std::abs(static_cast<double>(cpu[i].logprobs[t]) - static_cast<double>(gpu[i].logprobs[t]));
      out.worst = std::max(out.worst, apart);
      out.mean += apart;
      ++out.compared;
    }
  }
  out.mean /= static_cast<double>(std::max<std::size_t>(1, out.compared));
  return out;
}

clear_choice clear_margin(const std::vector<answer>& cpu) {
  return [&cpu](std::size_t i, std::size_t t) {
    auto& top = cpu[i].told[t].top;
    return static_cast<double>(top.at(0).logprob) - static_cast<double>(top.at(1).logprob) >= 0.5;
  };
}

void check_agreement(const std::vector<answer>& cpu, const std::vector<answer>& gpu, double least_compared,
                     const clear_choice& clear) {
  const auto agreed = compare(cpu, gpu, clear);
  INFO(agreed.compared << " of " << agreed.all << " tokens compared, log-probabilities at most "
                       << agreed.worst << " apart, " << agreed.mean << " on average");
  CHECK(agreed.different == 0);
  CHECK(static_cast<double>(agreed.compared) >= least_compared * static_cast<double>(agreed.all));
  CHECK(agreed.mean < 0.05);
  CHECK(agreed.worst < 0.4);
}

void check_agreement(const std::vector<answer>& cpu, const std::vector<answer>& gpu, double least_compared) {
  check_agreement(cpu, gpu, least_compared, clear_margin(cpu));
}

}  // namespace lorica::testing
