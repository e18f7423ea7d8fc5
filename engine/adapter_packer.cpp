#include "engine/adapter_packer.hpp"

#include <utility>

namespace lorica {

result<std::shared_ptr<const packed_adapter>> adapter_packer::pack(const adapter_weights& weights,
                                                                   std::stop_token stop) const {
  auto packing = begin(shapes_of(weights), weights.copies, std::move(stop));
  if (!packing) return std::move(packing).error();
  for (std::size_t i = 0; i < weights.sites.size(); ++i)
    if (auto ok = (*packing)->put(i, weights.sites[i]); !ok) return ok.error();
  return (*packing)->finish(weights.version);
}

}  // namespace lorica
