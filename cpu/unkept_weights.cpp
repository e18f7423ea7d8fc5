// The executor's weights where nothing hashes them (LORICA_ONLY_DEVICE): packed at every start, kept nowhere.
#include <utility>

#include "cpu/kept_weights.hpp"

namespace lorica {

weights_keeper::weights_keeper(packed_cache, const packed_key&, const packed_weights&, notice) {}

result<ready_weights> read_or_pack(const model_weights& model, cpu_mode mode, isa, thread_team& team,
                                   const packing_progress& progress, const std::optional<packed_cache>& cache,
                                   const notice&) {
  if (cache) return fail(errc::bad_config, "packed_cache: this build has none");
  auto packed = packed_weights::pack(model, mode, team, progress);
  if (!packed) return std::move(packed).error();
  return ready_weights{*std::move(packed), std::nullopt};
}

}  // namespace lorica
