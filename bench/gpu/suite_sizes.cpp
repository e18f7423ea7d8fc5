#include "bench/gpu/suite_sizes.hpp"

namespace lorica::bench {

suite_sizes sizes_for(std::string_view shape) {
  suite_sizes out;
  if (shape != "tiny") return out;
  out.context = 12;
  out.decode_rows = {1, 3};
  out.prompts = {5, 18};
  out.rows = 4;
  out.ranks = {2, 4};
  out.adapters = {1, 4};
  out.rank = 4;
  out.adapted_prompts = {8};
  out.prompt_adapters = {1, 2};
  out.kernel_rows = {1, 3, 40};
  out.kernel_ranks = {4};
  out.kernel_adapters = {1, 3};
  out.cold_prompts = {6, 11};
  out.mixed_ranks = {4, 2};
  out.populations = {3, 6};
  out.s_lora = {4, 0, 4, 8, 6, 0, 6};
  out.thrash = {4, 4, 2, 8, 4, 200, 0};
  out.chat = {4, 3, 3, 9, 5, 0, 6};
  out.copy_bytes = 1 << 16;
  out.lora_choice = std::chrono::milliseconds(0);
  return out;
}

}  // namespace lorica::bench
