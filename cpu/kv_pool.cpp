#include "cpu/kv_pool.hpp"

#include "core/checked.hpp"
#include "cpu/packed_weights.hpp"

namespace lorica {

result<kv_pool> kv_pool::make(const model_config& model, cpu_dtype type, std::uint32_t blocks,
                              std::uint32_t block_tokens) {
  kv_pool out;
  out.type_ = type;
  out.head_dim_ = model.head_dim;
  out.v_offset_ = std::size_t{block_tokens} * model.head_dim * element_bytes(type);
  out.page_bytes_ = out.v_offset_ * 2 * model.kv_heads;
  auto layer_bytes = checked_mul<std::uint64_t>(out.page_bytes_, blocks);
  auto total = layer_bytes ? checked_mul<std::uint64_t>(*layer_bytes, model.layers) : std::nullopt;
  if (!total) return fail(errc::bad_config, "the KV cache is too large");
  out.layer_bytes_ = *layer_bytes;
  auto memory = mapping::make(*total);
  if (!memory) return std::move(memory).error();
  out.memory_ = *std::move(memory);
  return out;
}

void kv_pool::write(std::uint32_t layer, std::uint32_t block, std::uint32_t token, std::span<const float> k,
                    std::span<const float> v) noexcept {
  auto* page = memory_.data() + layer * layer_bytes_ + block * page_bytes_;
  for (std::size_t i = 0; i < k.size(); ++i) {
    auto head = i / head_dim_;
    auto at = std::size_t{token} * head_dim_ + i % head_dim_;
    auto* keys = page + head * 2 * v_offset_;
    store_element(keys, at, k[i], type_);
    store_element(keys + v_offset_, at, v[i], type_);
  }
}

}  // namespace lorica
