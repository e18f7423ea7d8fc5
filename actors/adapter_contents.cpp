#include "actors/adapter_contents.hpp"

#include "adapters/tensor_names.hpp"

namespace lorica {
namespace {

std::string path_of(std::uint32_t layer, projection where) {
  return module_path(where == projection::head ? "" : "model.", layer, where);
}

}  // namespace

adapter_contents describe_contents(const loaded_adapter& adapter, std::uint64_t packed_bytes) {
  adapter_contents out;
  out.version = adapter.weights.version;
  out.ranks = adapter.coverage.ranks;
  out.bytes = packed_bytes;
  out.file_bytes = adapter.file_bytes;
  out.parameters = adapter.coverage.parameters;
  out.warnings = adapter.warnings;
  for (auto& m : adapter.coverage.modules)
    out.modules.push_back({path_of(m.layer, m.where), m.dora ? module_kind::dora : module_kind::lora, m.rank,
                           m.scaling, m.norm_update, m.norm_bias > 0, m.zero_effect()});
  for (auto& copy : adapter.coverage.copies)
    out.modules.push_back({path_of(0, copy.where), module_kind::full_copy});
  return out;
}

}  // namespace lorica
