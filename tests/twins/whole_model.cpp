#include "tests/twins/whole_model.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <stdexcept>

namespace lorica::testing {

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

golden_folder open_golden(const std::string& model, const std::string& cases) {
  const std::string golden = LORICA_TEST_DATA "/golden", path = golden + "/models/" + model,
                    file = path + "/model.gguf";
  auto weights = open_model(std::filesystem::exists(file) ? file : path);
  if (!weights) throw std::runtime_error(weights.error().text);
  return {*weights, golden + "/adapters/" + model, read_golden(path + "/" + cases)};
}

agreement compare(const std::vector<answer>& cpu, const std::vector<answer>& gpu, double margin) {
  agreement out;
  for (std::size_t i = 0; i < cpu.size(); ++i) {
    out.all += cpu[i].tokens.size();
    for (std::size_t t = 0; t < cpu[i].tokens.size(); ++t) {
      auto& top = cpu[i].told[t].top;
      if (t >= gpu[i].tokens.size() || cpu[i].tokens[t] != gpu[i].tokens[t]) {
        const double gap = static_cast<double>(top.at(0).logprob) - static_cast<double>(top.at(1).logprob);
        out.different += gap >= margin ? 1 : 0;
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

}  // namespace lorica::testing
