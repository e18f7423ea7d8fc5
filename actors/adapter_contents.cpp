#include "actors/adapter_contents.hpp"

#include "adapters/tensor_names.hpp"

namespace lorica {

adapter_contents describe_contents(const loaded_adapter& adapter, std::uint64_t packed_bytes) {
  adapter_contents out;
  out.version = adapter.weights.version;
  out.ranks = adapter.coverage.ranks;
  out.bytes = packed_bytes;
  out.file_bytes = adapter.file_bytes;
  out.parameters = adapter.coverage.parameters;
  out.warnings = adapter.warnings;
  for (auto& m : adapter.coverage.modules)
    out.modules.push_back(
        {module_path("model.", m.layer, m.where), m.rank, m.scaling, m.update_bound(), m.zero_effect()});
  return out;
}

}  // namespace lorica
