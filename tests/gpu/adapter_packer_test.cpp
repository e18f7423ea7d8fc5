#include "gpu/adapter_packer.hpp"

#include "gpu/slab_allocator.hpp"
#include "tests/gpu/adapter_weights.hpp"

using namespace lorica;
using namespace lorica::testing;
using gpu::bfloat;

namespace {

std::shared_ptr<const gpu::gpu_packed_adapter> pack(const adapter_weights& w,
                                                    const model_config& m = small_model()) {
  gpu::gpu_adapter_packer packer(exact_weights(m));
  auto packed = must(packer.pack(w, {}));
  CHECK(packed->bytes() == packer.packed_bytes(w));
  return std::dynamic_pointer_cast<const gpu::gpu_packed_adapter>(packed);
}

errc refusal(const adapter_weights& w) {
  gpu::gpu_adapter_packer packer(exact_weights(small_model()));
  auto packed = packer.pack(w, {});
  REQUIRE(!packed);
  return packed.error().code;
}

const gpu::adapter_group& group_of(const gpu::gpu_packed_adapter& a, std::uint32_t layer, lora_group which) {
  return a.groups()[gpu::group_index(layer, which, a.layers())];
}

using enum projection;

}  // namespace

TEST_CASE("an adapter lies at its true rank in the order in which a step reads it") {
  if (!open_test_device()) return;
  const auto m = small_model();
  adapter_weights w;
  w.version.digest[0] = 7;
  w.sites = {site_of(m, 0, q, 3), site_of(m, 0, v, 8, 0.25f), site_of(m, 1, down, 5)};
  const auto packed = pack(w);
  CHECK(packed->version().digest[0] == 7);
  CHECK(packed->ranks() == std::vector<std::uint32_t>{3, 5, 8});
  CHECK(packed->widest() == 11);
  CHECK(!packed->stands_alone());
  CHECK(packed->shape().modules.size() == 3);
  CHECK(!packed->shape().scaling);
  auto& qkv = group_of(*packed, 0, lora_group::qkv);
  REQUIRE(qkv.ranks == 11);
  REQUIRE(qkv.a_stride == 48);
  CHECK(qkv.part[0].rank == 3);
  CHECK(qkv.part[1].rank == 0);
  CHECK(qkv.part[2].column == 3);
  CHECK(qkv.part[2].scaling == 0.25f);
  for (std::size_t r = 0; r < 8; ++r) {
    for (std::size_t k = 0; k < 48; ++k)
      REQUIRE(gpu::to_float(qkv.a[(3 + r) * 48 + k]) == (k < 41 ? w.sites[1].a[r * 41 + k] : 0.0f));
    for (std::size_t n = 0; n < 20; ++n)
      REQUIRE(gpu::to_float(qkv.part[2].b[r * 24 + n]) == w.sites[1].b[n * 8 + r]);
  }
  CHECK(group_of(*packed, 0, lora_group::down).ranks == 0);
  CHECK(group_of(*packed, 1, lora_group::down).ranks == 5);
  REQUIRE(packed->pieces().size() == 4);
  CHECK(packed->pieces()[0].bytes == 0);
  CHECK(packed->pieces()[3].bytes == 0);
  const auto stored = 11 * 48 * 2 + 3 * 40 * 2 + 8 * 24 * 2;
  CHECK(packed->pieces()[1].bytes >= stored);
  CHECK(packed->pieces()[1].bytes < stored + 3 * 128);
  CHECK(reinterpret_cast<const std::byte*>(qkv.a) == packed->data() + packed->pieces()[1].offset);
}

TEST_CASE("rows of the base with what an adapter adds are brought to its magnitudes") {
  if (!open_test_device()) return;
  const auto m = small_model();
  auto site = site_of(m, 1, v, 4, 0.5f);
  site.bias = exact_numbers(site.out, 50);
  site.magnitude = std::vector<float>(site.out, 2.5f);
  adapter_weights w;
  w.sites = {site};
  const auto packed = pack(w);
  CHECK(packed->stands_alone());
  auto& part = group_of(*packed, 1, lora_group::qkv).part[2];
  const auto base_model = exact_weights(m);
  const auto& base = *base_model;
  for (std::size_t n = 0; n < site.out; ++n) {
    std::vector<float> row(site.in);
    base.layers()[1].v.read_rows(n, row);
    double square = 0;
    for (std::size_t k = 0; k < site.in; ++k) {
      double x = static_cast<double>(row[k]);
      for (std::size_t r = 0; r < 4; ++r)
        x += 0.5 * static_cast<double>(site.b[n * 4 + r]) * static_cast<double>(site.a[r * site.in + k]);
      square += x * x;
    }
    const double factor = 2.5 / std::sqrt(square);
    CHECK(std::abs(static_cast<double>(part.gain[n]) - (factor - 1)) < 1e-5);
    CHECK(part.offset[n] == 0.5f * site.bias[n]);
    for (std::size_t r = 0; r < 4; ++r) {
      const double b = factor * static_cast<double>(site.b[n * 4 + r]);
      CHECK(std::abs(static_cast<double>(gpu::to_float(part.b[r * part.b_stride + n])) - b) <
            bfloat_tolerance(std::abs(b)));
    }
  }
}

TEST_CASE("a full copy of what the base has costs nothing, another one stands in its place") {
  if (!open_test_device()) return;
  const auto m = small_model();
  const auto base_model = exact_weights(m);
  const auto& base = *base_model;
  std::vector<float> same(std::size_t{m.vocab} * m.hidden);
  base.embedding().read_rows(0, same);
  auto other = exact_numbers(same.size(), 60);
  adapter_weights w;
  w.sites = {site_of(m, 0, head, 2), site_of(m, 0, embed, 3, 0.75f)};
  w.copies = {{embed, m.vocab, m.hidden, same}, {head, m.vocab, m.hidden, other}};
  const auto packed = pack(w);
  CHECK(packed->embedding().table == nullptr);
  CHECK(packed->embedding().rank == 3);
  CHECK(packed->changes_embedding());
  CHECK(packed->changes_head());
  REQUIRE(packed->head_matrix().weights);
  CHECK(same_bits({packed->head_matrix().weights, packed->head_matrix().weights + other.size()},
                  as_bfloat(other)));
  for (std::size_t token = 0; token < m.vocab; ++token)
    for (std::size_t r = 0; r < 3; ++r)
      REQUIRE(gpu::to_float(packed->embedding().a[token * 3 + r]) == w.sites[1].a[r * m.vocab + token]);
  w.copies = {{embed, m.vocab, m.hidden, other}};
  const auto table = pack(w);
  CHECK(table->stands_alone());
  CHECK(same_bits({table->embedding().table, table->embedding().table + other.size()}, as_bfloat(other)));
}

TEST_CASE("adapters that do not fit the base are refused, and packing ends when it is told to") {
  if (!open_test_device()) return;
  const auto m = small_model();
  adapter_weights w;
  w.sites = {site_of(m, 2, q, 4)};
  CHECK(refusal(w) == errc::bad_adapter);
  w.sites = {site_of(m, 0, qkv, 4)};
  CHECK(refusal(w) == errc::bad_adapter);
  w.sites = {site_of(m, 0, q, 4), site_of(m, 0, q, 4)};
  CHECK(refusal(w) == errc::bad_adapter);
  w.sites = {site_of(m, 0, q, 4)};
  w.sites[0].b.pop_back();
  CHECK(refusal(w) == errc::bad_adapter);
  w.sites = {site_of(m, 0, q, 4)};
  w.copies = {{head, m.vocab, m.hidden + 1, {}}};
  CHECK(refusal(w) == errc::bad_adapter);
  w.copies = {};
  w.sites[0].magnitude = std::vector<float>(w.sites[0].out, std::numeric_limits<float>::infinity());
  CHECK(refusal(w) == errc::bad_adapter);
  gpu::gpu_adapter_packer packer(exact_weights(m));
  auto unfinished = must(packer.begin(shapes_of(w), {}, {}));
  CHECK(unfinished->finish({}).error().code == errc::internal);
  std::stop_source stop;
  auto stopped = must(packer.begin(shapes_of(w), {}, stop.get_token()));
  stop.request_stop();
  CHECK(stopped->put(0, w.sites[0]).error().code == errc::cancelled);
}
