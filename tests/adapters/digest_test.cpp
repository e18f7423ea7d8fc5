#include "adapters/digest.hpp"

#include <bit>
#include <set>

#include "tests/catch.hpp"

using namespace lorica;

namespace {

lora_site small_site() {
  return {.layer = 0,
          .where = projection::q,
          .rank = 1,
          .in = 2,
          .out = 3,
          .scaling = 2,
          .a = {1.5f, -0.0f},
          .b = {0.1f, 2, -3}};
}

lora_site site_with_extras() {
  return {.layer = 1,
          .where = projection::o,
          .rank = 2,
          .in = 2,
          .out = 1,
          .scaling = 0.5f,
          .a = {1, 2, 3, 4},
          .b = {0.5f, -0.25f},
          .bias = {7},
          .magnitude = {1.0f / 3}};
}

/// A with more numbers than are narrowed at a time.
lora_site wide_site(float last) {
  constexpr std::uint32_t in = 20'000;
  lora_site s{
      .layer = 0, .where = projection::q, .rank = 1, .in = in, .out = 1, .scaling = 1, .a = {}, .b = {1}};
  for (std::uint32_t i = 0; i < in; ++i)
    s.a.push_back(static_cast<float>(i % 256) - 128);
  s.a.back() = last;
  return s;
}

std::string version(std::vector<lora_site> sites, std::vector<module_copy> copies = {}) {
  auto found = version_of({.version = {}, .sites = std::move(sites), .copies = std::move(copies)}, {});
  REQUIRE(found);
  return found->hex();
}

}  // namespace

TEST_CASE("a version is the digest that its description says") {
  // From Python's hashlib and struct by the words of digest.hpp; the last of `wide_site` is its rule's, then
  // none of bfloat16.
  CHECK(version({small_site()}) == "7a71b0daaf99a58f6a2547ef64b89a2c19a995a80ed9d26773d3f219826d2db8");
  CHECK(version({small_site(), site_with_extras()}, {{projection::head, 1, 2, {0.2f, 1}}}) ==
        "1dd7af9ce4cca225465cd1be0dd7c950eca586cddbc938fc38ac26f5b89a1c81");
  CHECK(version({wide_site(19'999 % 256 - 128)}) ==
        "31aa27c49312a7b0b0b8647d608a707d13e0888142e9238a7e7b57ed5defcb51");
  CHECK(version({wide_site(0.1f)}) == "ec2b0ad259e31f55a70f8ac6315b4c95a73d165b4eb934683d4d4c7d62e2f2d3");
}

TEST_CASE("one other bit of any number is another version") {
  const auto before = version({small_site(), site_with_extras()});
  for (auto member : {&lora_site::a, &lora_site::b, &lora_site::bias, &lora_site::magnitude}) {
    auto changed = site_with_extras();
    (changed.*member)[0] = -(changed.*member)[0];
    CHECK(version({small_site(), changed}) != before);
  }
  std::set<std::string> versions{before};
  for (unsigned bit = 0; bit < 32; ++bit) {
    auto changed = small_site();
    changed.a[0] = std::bit_cast<float>(std::bit_cast<std::uint32_t>(changed.a[0]) ^ (1u << bit));
    versions.insert(version({changed, site_with_extras()}));
  }
  CHECK(versions.size() == 33);
}
