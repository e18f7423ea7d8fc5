#include "bench/gpu/decode_run.hpp"

#include <algorithm>

#include "bench/gpu/failure.hpp"

namespace lorica::bench {

double execute(executor& engine, const batch& step) {
  return seconds_of([&] { static_cast<void>(need(engine.execute(step))); });
}

decode_run::decode_run(executor& engine, const model_config& m, std::uint32_t sequences, std::uint32_t tokens,
                       const repetition& how)
    : engine_(engine), steps_(engine.limits(), m), how_(how) {
  const auto half = (how.warmups + how.runs) / 2;
  first_ = tokens > half ? tokens - half : 1;
  fill(sequences);
}

void decode_run::fill(std::uint32_t sequences) {
  const auto most = engine_.limits().max_rows;
  for (std::uint32_t i = 0; i < sequences; ++i)
    for (std::uint32_t done = 0; done < first_; done += most) {
      const auto rows = std::min(most, first_ - done);
      static_cast<void>(execute(engine_, steps_.make({.first = i, .context = done, .rows = rows})));
    }
}

double decode_run::step_at(std::uint32_t sequences, std::uint32_t context,
                           std::span<const std::shared_ptr<const packed_adapter>> adapters) {
  const auto step = steps_.make({.sequences = sequences, .context = context, .adapters = adapters});
  return execute(engine_, step);
}

double decode_run::step(std::uint32_t sequences,
                        std::span<const std::shared_ptr<const packed_adapter>> adapters) {
  return step_at(sequences, first_, adapters);
}

pair_of_times decode_run::measure_beside(decode_run& base, std::uint32_t sequences) {
  warm_up(how_.warm_seconds, [&] { base.step(sequences, {}), step(sequences, {}); });
  auto context = std::max(first_, base.first_);
  return repeat_in_turns(
      how_, [&] { return base.step_at(sequences, context, {}); },
      [&] { return step_at(sequences, context++, {}); });
}

times decode_run::measure(std::uint32_t sequences) {
  warm_up(how_.warm_seconds, [&] { step(sequences, {}); });
  auto context = first_;
  return repeat(how_, [&] { return step_at(sequences, context++, {}); });
}

pair_of_times decode_run::measure_beside_base(std::uint32_t sequences, const adapter_list& adapters) {
  warm_up(how_.warm_seconds, [&] { step(sequences, adapters); });
  auto context = first_;
  return repeat_in_turns(
      how_, [&] { return step_at(sequences, context, {}); },
      [&] { return step_at(sequences, context++, adapters); });
}

}  // namespace lorica::bench
