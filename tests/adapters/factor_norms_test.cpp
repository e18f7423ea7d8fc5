#include "adapters/factor_norms.hpp"

#include <cmath>
#include <random>

#include "tests/catch.hpp"

using namespace lorica;

namespace {

std::vector<float> numbers(std::size_t count, float size, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> in(-size, size);
  std::vector<float> out(count);
  for (auto& x : out)
    x = in(random);
  return out;
}

double norm(const std::vector<float>& of) {
  double sum = 0;
  for (auto x : of)
    sum += static_cast<double>(x) * static_cast<double>(x);
  return std::sqrt(sum);
}

/// Of B A, element by element.
double norm_of_product(const lora_site& s) {
  double sum = 0;
  for (std::size_t n = 0; n < s.out; ++n)
    for (std::size_t k = 0; k < s.in; ++k) {
      double x = 0;
      for (std::size_t r = 0; r < s.rank; ++r)
        x += static_cast<double>(s.b[n * s.rank + r]) * static_cast<double>(s.a[r * s.in + k]);
      sum += x * x;
    }
  return std::sqrt(sum);
}

}  // namespace

TEST_CASE("norms are those of the numbers and of their product, for any shape and size") {
  const auto rank = GENERATE(1u, 2u, 7u, 16u, 18u, 35u);
  const auto [in, out] =
      GENERATE(std::pair(1u, 1u), std::pair(15u, 700u), std::pair(96u, 65u), std::pair(2200u, 3u));
  const auto [size_a, size_b] = GENERATE(std::pair(1.0f, 0.01f), std::pair(1e-25f, 1e20f));
  INFO(rank << " between " << in << " and " << out << ", of size " << size_a);
  lora_site site{0, projection::q, rank, in, out, -0.5f, {}, {}, {}, {}};
  site.a = numbers(std::size_t{rank} * in, size_a, 1);
  site.b = numbers(std::size_t{rank} * out, size_b, 2);
  const auto found = norms_of(site);
  CHECK(found.a == Approx(norm(site.a)).epsilon(1e-6));
  CHECK(found.b == Approx(norm(site.b)).epsilon(1e-6));
  CHECK(found.update == Approx(0.5 * norm_of_product(site)).epsilon(1e-5).margin(1e-6 * found.a * found.b));
}
