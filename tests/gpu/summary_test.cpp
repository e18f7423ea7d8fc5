#include "gpu/summary.hpp"

#include "tests/gpu/test_sampler.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

constexpr auto none = std::numeric_limits<float>::quiet_NaN();

std::vector<gpu::logit_piece> summaries(test_device& d, const std::vector<float>& x, std::uint32_t rows,
                                        std::size_t stride, std::uint32_t vocab, std::uint32_t token_ids) {
  auto* pieces = d.room<gpu::logit_piece>(rows * gpu::summary_pieces(vocab));
  must(gpu::summarise({d.put(x), stride, rows, vocab, token_ids, pieces}, d.stream));
  return d.get(pieces, rows * gpu::summary_pieces(vocab));
}

}  // namespace

TEST_CASE("the device summarises the pieces of rows of any width") {
  auto d = open_test_device();
  if (!d) return;
  run_threads_in(GENERATE(from_range(thread_orders())));
  auto vocab = GENERATE(1u, 31u, 1024u, 1025u, 5003u);
  auto shape = GENERATE(range(0u, logit_shapes));
  const std::uint32_t rows = 2, known = (vocab + 1) / 2;
  const std::size_t stride = vocab + 3;
  std::vector<float> x(rows * stride, none);
  for (std::uint32_t row = 0; row < rows; ++row)
    std::ranges::copy(logits_of_shape(vocab, shape, row),
                      x.begin() + static_cast<std::ptrdiff_t>(row * stride));
  const auto pieces = summaries(*d, x, rows, stride, vocab, known);
  for (std::uint32_t row = 0; row < rows; ++row)
    for (std::uint32_t first = 0; first < vocab; first += gpu::summary_logits) {
      const auto& piece = pieces[row * gpu::summary_pieces(vocab) + first / gpu::summary_logits];
      const auto last = std::min(first + gpu::summary_logits, vocab);
      float peak = -infinity, chosen_peak = -infinity;
      token_id at = no_token, chosen = no_token;
      for (auto id = first; id < last; ++id) {
        const float v = x[row * stride + id];
        if (at == no_token || v > peak) peak = v, at = static_cast<token_id>(id);
        if (id < known && v > chosen_peak) chosen_peak = v, chosen = static_cast<token_id>(id);
      }
      double sum = 0;
      for (auto id = first; id < last && peak > -infinity; ++id)
        sum += std::exp(static_cast<double>(x[row * stride + id]) - static_cast<double>(peak));
      CHECK(piece.peak == peak);
      CHECK(piece.at == at);
      CHECK(piece.chosen_peak == chosen_peak);
      CHECK(piece.chosen == chosen);
      CHECK(std::abs(piece.sum - sum) <= 4e-7 * sum);
    }
}

TEST_CASE("what is no number makes a sum none, and is no peak") {
  auto d = open_test_device();
  if (!d) return;
  auto first_of = [&](std::vector<float> x) {
    const auto width = static_cast<std::uint32_t>(x.size());
    return summaries(*d, x, 1, width, width, 0)[0];
  };
  CHECK(std::isnan(first_of({1, none, 3}).sum));
  CHECK(first_of({1, none, 3}).at == 2);
  CHECK(std::isnan(first_of({1, infinity, 3}).sum));
  CHECK(first_of({none, none}).at == no_token);
  CHECK(std::isnan(first_of({none, -infinity}).sum));
  CHECK(first_of({-infinity, -infinity}).sum == 0);
  CHECK(first_of({-infinity, -infinity}).at == 0);
  CHECK(first_of({-infinity, -infinity}).chosen == no_token);
  must(gpu::summarise({}, d->stream));
}
