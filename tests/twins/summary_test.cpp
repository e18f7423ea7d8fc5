#include "gpu/summary.hpp"

#include "cpu/kernels.hpp"
#include "cpu/summary.hpp"
#include "tests/gpu/test_sampler.hpp"

using namespace lorica;
using namespace lorica::testing;

TEST_CASE("both executors summarise logits to the same peaks and nearly the same sums") {
  auto d = open_test_device();
  if (!d) return;
  auto vocab = GENERATE(1u, 40u, 1024u, 5003u);
  auto shape = GENERATE(0u, 1u, 2u, 4u, 5u, 6u);
  static_assert(lorica::summary_logits == gpu::summary_logits);
  const auto x = logits_of_shape(vocab, shape, 1);
  auto padded = x;
  padded.resize((vocab + 15) / 16 * 16, 0.0f);
  auto* on_device = d->room<gpu::logit_piece>(gpu::summary_pieces(vocab));
  must(gpu::summarise({d->put(x), vocab, 1, vocab, 0, on_device}, d->stream));
  const auto pieces = d->get(on_device, gpu::summary_pieces(vocab));
  for (std::uint32_t p = 0; p < pieces.size(); ++p) {
    const auto first = p * gpu::summary_logits;
    logit_piece on_cpu;
    kernels_for(isa::portable, cpu_dtype::bfloat16)
        .summary({padded.data() + first, std::min(gpu::summary_logits, vocab - first), &on_cpu});
    CHECK(pieces[p].peak == on_cpu.peak);
    CHECK(std::abs(pieces[p].sum - static_cast<double>(on_cpu.sum)) <= 1e-5 * pieces[p].sum);
  }
}
