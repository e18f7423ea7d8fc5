#include "cpu/adapter_packer.hpp"

#include <cmath>

#include "cpu/magnitude.hpp"
#include "tests/catch.hpp"
#include "tests/cpu/random_weights.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

model_config small_model() {
  model_config m;
  m.layers = 2;
  m.hidden = 40;
  m.heads = 4;
  m.kv_heads = 2;
  m.head_dim = 16;
  m.ffn = 70;
  m.vocab = 100;
  return m;
}

lora_site site(std::uint32_t layer, projection where, std::uint32_t rank, std::uint32_t in,
               std::uint32_t out) {
  return {layer,
          where,
          rank,
          in,
          out,
          0.5f,
          some_numbers(std::size_t{rank} * in, 61),
          some_numbers(std::size_t{out} * rank, 62)};
}

adapter_weights mixed_ranks() {
  adapter_weights w;
  w.sites = {site(0, projection::q, 3, 40, 64), site(0, projection::v, 8, 40, 32),
             site(1, projection::down, 5, 70, 40)};
  return w;
}

}  // namespace

TEST_CASE("an adapter is packed at its true rank, and the announced bytes are the held ones") {
  auto dtype = GENERATE(cpu_dtype::float32, cpu_dtype::bfloat16);
  cpu_adapter_packer packer(weights_like(small_model()), dtype);
  auto weights = mixed_ranks();
  auto packed = packer.pack(weights, {});
  REQUIRE(packed);
  CHECK((*packed)->bytes() == packer.packed_bytes(weights));
  CHECK((*packed)->ranks() == std::vector<std::uint32_t>{3, 5, 8});
  auto& adapter = dynamic_cast<const cpu_packed_adapter&>(**packed);
  auto& qkv = adapter.group(0, lora_group::qkv);
  auto odd = dtype == cpu_dtype::bfloat16 ? 1u : 0u;
  CHECK(qkv.ranks == 11 + odd);
  CHECK(qkv.sites == 2);
  CHECK(qkv.site[1].part == 2);
  CHECK(qkv.site[1].column == 3 + odd);
  CHECK(adapter.group(0, lora_group::o).ranks == 0);
  CHECK(adapter.group(1, lora_group::down).ranks == 5 + odd);
  CHECK(adapter.widest() == 11 + odd);
}

TEST_CASE("codes of an adapter go by fours, and take little more than half of 16 bits") {
  const cpu_mode mode(cpu_dtype::bfloat16, true, true);
  cpu_adapter_packer packer(weights_like(small_model()), mode);
  auto packed = packer.pack(mixed_ranks(), {});
  REQUIRE(packed);
  auto& adapter = dynamic_cast<const cpu_packed_adapter&>(**packed);
  CHECK(adapter.coded());
  auto& qkv = adapter.group(0, lora_group::qkv);
  CHECK(qkv.ranks == 4 + 8);
  CHECK(qkv.codes == 2);
  CHECK(qkv.site[0].rank == 4);
  CHECK(qkv.site[1].column == 4);
  CHECK(qkv.site[1].codes == 1);
  CHECK(adapter.group(1, lora_group::down).ranks == 8);

  auto m = small_model();
  m.hidden = 576;
  m.heads = 9;
  m.kv_heads = 3;
  m.head_dim = 64;
  m.ffn = 1536;
  adapter_weights all;
  std::uint64_t numbers = 0;
  for (std::uint32_t layer = 0; layer < m.layers; ++layer)
    for (auto where : projections_of(m)) {
      auto shape = shape_of(m, where);
      if (where == projection::qkv || where == projection::gate_up) continue;
      const auto in = static_cast<std::uint32_t>(shape.in), out = static_cast<std::uint32_t>(shape.out);
      all.sites.push_back(site(layer, where, 16, in, out));
      numbers += 16u * (in + out);
    }
  CHECK(all.sites.size() == 14);
  const auto bytes = cpu_adapter_packer(weights_like(m), mode).packed_bytes(all);
  CHECK(static_cast<double>(bytes) <= 0.55 * static_cast<double>(2 * numbers));
}

TEST_CASE("modules are packed as they were announced, each once, or not at all") {
  cpu_adapter_packer packer(weights_like(small_model()), cpu_dtype::bfloat16);
  auto weights = mixed_ranks();
  auto shapes = shapes_of(weights);
  auto packing = packer.begin(shapes, {}, {});
  REQUIRE(packing);
  REQUIRE((*packing)->put(2, weights.sites[2]));
  auto other = (*packing)->put(1, weights.sites[2]);
  REQUIRE_FALSE(other);
  CHECK(other.error().code == errc::bad_adapter);
  auto longer = weights.sites[1];
  longer.a.push_back(0);
  CHECK_FALSE((*packing)->put(1, longer));
  REQUIRE((*packing)->put(0, weights.sites[0]));
  CHECK_FALSE((*packing)->finish(weights.version));
  REQUIRE((*packing)->put(1, weights.sites[1]));
  CHECK_FALSE((*packing)->put(1, weights.sites[1]));
  CHECK_FALSE((*packing)->put(3, weights.sites[2]));
  CHECK((*packing)->finish(weights.version));
  std::swap(shapes[0], shapes[1]);
  shapes.push_back(shapes[0]);
  auto twice = packer.begin(shapes, {}, {});
  REQUIRE_FALSE(twice);
  CHECK(twice.error().reason == "shape_mismatch");
}

TEST_CASE("biases of B are packed scaled, per output of each part, and counted") {
  auto dtype = GENERATE(cpu_dtype::float32, cpu_dtype::bfloat16);
  auto model = small_model();
  model.fused = true;
  model.ffn = 5000;
  cpu_adapter_packer packer(weights_like(model), dtype);
  adapter_weights weights;
  weights.sites = {site(0, projection::gate_up, 3, 40, 10'000)};
  auto plain = packer.packed_bytes(weights);
  weights.sites[0].bias = some_numbers(10'000, 63);
  auto packed = packer.pack(weights, {});
  REQUIRE(packed);
  CHECK((*packed)->bytes() == packer.packed_bytes(weights));
  CHECK((*packed)->bytes() >= plain + mapped_memory::rounded(2 * 5024 * sizeof(float)) - 4096);
  auto& group = dynamic_cast<const cpu_packed_adapter&>(**packed).group(0, lora_group::gate_up);
  REQUIRE(group.sites == 2);
  for (std::uint32_t part = 0; part < 2; ++part)
    for (std::uint32_t i = 0; i < 5024; ++i)
      if (group.site[part].offset[i] != (i < 5000 ? 0.5f * weights.sites[0].bias[5000 * part + i] : 0.0f))
        FAIL("part " << part << " output " << i);
  weights.sites[0].bias.pop_back();
  CHECK_FALSE(packer.pack(weights, {}));
}

TEST_CASE("magnitudes become factors of the weights that are served, computed once") {
  auto dtype = GENERATE(cpu_dtype::float32, cpu_dtype::bfloat16);
  auto where = GENERATE(projection::q, projection::down);
  auto model = small_model();
  auto base = weights_like(model);
  auto narrow = where == projection::q;
  auto s = narrow ? site(1, where, 3, 40, 64) : site(1, where, 5, 70, 40);
  s.magnitude = some_numbers(s.out, 64);
  adapter_weights weights;
  weights.sites = {s};
  auto packed = cpu_adapter_packer(base, dtype).pack(weights, {});
  REQUIRE(packed);
  CHECK((*packed)->stands_alone());
  auto& adapter = dynamic_cast<const cpu_packed_adapter&>(**packed);
  auto& group = adapter.group(1, narrow ? lora_group::qkv : lora_group::down);
  CHECK(group.rescales());
  CHECK_FALSE(adapter.group(0, lora_group::qkv).rescales());
  auto& view = narrow ? base->layers()[1].q : base->layers()[1].down;
  std::vector<float> w(std::size_t{s.out} * s.in);
  view.read_rows(0, w);
  for (std::uint32_t i = 0; i < s.out; ++i) {
    double squares = 0;
    for (std::uint32_t k = 0; k < s.in; ++k) {
      auto x = static_cast<double>(w[i * s.in + k]);
      for (std::uint32_t r = 0; r < s.rank; ++r)
        x += static_cast<double>(s.scaling) * static_cast<double>(s.b[i * s.rank + r]) *
             static_cast<double>(s.a[r * s.in + k]);
      squares += x * x;
    }
    auto factor = static_cast<double>(s.magnitude[i]) / std::sqrt(squares);
    CHECK(static_cast<double>(group.site[0].gain[i]) == Approx(factor - 1).margin(1e-6));
  }
  for (std::uint32_t i = s.out; i < blocks_for(s.out) * block_outputs; ++i)
    CHECK(group.site[0].gain[i] == 0);
}

TEST_CASE("the base's weights count as they are stored: rounded where they are") {
  auto model = small_model();
  auto base = weights_like(model);
  auto s = site(0, projection::o, 1, 64, 40);
  s.b.assign(s.b.size(), 0);
  s.magnitude.assign(s.out, 1);
  std::vector<float> third(64 * 40, 1.0f / 3);
  tensor_view view{tensor_type::f32, 40, 64, std::as_bytes(std::span(third)), 0};
  auto exact = magnitude_factors(view, s, 0, cpu_dtype::float32, {});
  auto rounded = magnitude_factors(view, s, 0, cpu_dtype::bfloat16, {});
  REQUIRE(exact);
  REQUIRE(rounded);
  CHECK((*exact)[0] == Approx(3.0 / 8).epsilon(1e-7));
  CHECK((*rounded)[39] ==
        Approx(1 / (8 * static_cast<double>(bfloat_to_float(to_bfloat(1.0f / 3))))).epsilon(1e-7));
  CHECK((*rounded)[39] != Approx((*exact)[39]).epsilon(1e-4));
}

TEST_CASE("a magnitude that cannot be reached is refused, and norms end when they are told to") {
  auto model = small_model();
  auto s = site(0, projection::o, 1, 64, 40);
  s.b.assign(s.b.size(), 0);
  s.magnitude.assign(s.out, 1);
  std::vector<float> zeros(64 * 40);
  tensor_view view{tensor_type::f32, 40, 64, std::as_bytes(std::span(zeros)), 0};
  auto refused = magnitude_factors(view, s, 0, cpu_dtype::float32, {});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::bad_adapter);
  CHECK(refused.error().reason == "non_finite_weights");
  CHECK_THAT(refused.error().text, Catch::Contains("layer 0 o_proj") && Catch::Contains("output 0"));
  std::stop_source stop;
  stop.request_stop();
  auto ended = magnitude_factors(view, s, 0, cpu_dtype::float32, stop.get_token());
  REQUIRE_FALSE(ended);
  CHECK(ended.error().code == errc::cancelled);
}

TEST_CASE("the head and the embedding are packed at their true rank and counted") {
  auto dtype = GENERATE(cpu_dtype::float32, cpu_dtype::bfloat16);
  auto model = small_model();
  model.vocab = 3000;
  cpu_adapter_packer packer(weights_like(model), dtype);
  adapter_weights weights;
  weights.sites = {site(0, projection::embed, 3, 3000, 40), site(0, projection::head, 5, 40, 3000)};
  auto packed = packer.pack(weights, {});
  REQUIRE(packed);
  CHECK((*packed)->bytes() == packer.packed_bytes(weights));
  CHECK((*packed)->ranks() == std::vector<std::uint32_t>{3, 5});
  CHECK_FALSE((*packed)->stands_alone());
  auto& adapter = dynamic_cast<const cpu_packed_adapter&>(**packed);
  auto odd = dtype == cpu_dtype::bfloat16 ? 1u : 0u;
  CHECK((*packed)->bytes() >= (3000ull * (3 + odd) + 3000ull * (5 + odd)) * element_bytes(dtype));
  CHECK(adapter.group(0, lora_group::head).ranks == 5 + odd);
  CHECK(adapter.changes_head());
  CHECK(adapter.widest() == 5 + odd);
  auto& e = adapter.embedding();
  CHECK(e.rank == 3 + odd);
  CHECK(e.table == nullptr);
  auto number = [&](std::size_t i) {
    if (dtype == cpu_dtype::float32) return reinterpret_cast<const float*>(e.a)[i];
    return bfloat_to_float(reinterpret_cast<const std::uint16_t*>(e.a)[i]);
  };
  for (std::size_t r = 0; r < 3; ++r)
    CHECK(number(2999 * e.rank + r) == weights.sites[0].a[r * 3000 + 2999]);
  // Another head has no room outside the layers.
  weights.sites[1].layer = 1;
  CHECK_FALSE(packer.pack(weights, {}));
}

TEST_CASE("a full copy costs what it holds, and nothing where it is the base's own matrix") {
  auto dtype = GENERATE(cpu_dtype::float32, cpu_dtype::bfloat16);
  auto model = small_model();
  model.vocab = 1000;
  auto base = weights_like(model);
  cpu_adapter_packer packer(base, dtype);
  adapter_weights weights;
  weights.sites = {site(0, projection::q, 3, 40, 64)};
  auto plain = packer.packed_bytes(weights);
  std::vector<float> own(std::size_t{1000} * 40);
  base->embedding().read_rows(0, own);
  weights.copies = {{projection::embed, 1000, 40, own}};
  CHECK(packer.packed_bytes(weights) == plain);
  auto same = packer.pack(weights, {});
  REQUIRE(same);
  CHECK_FALSE((*same)->stands_alone());
  CHECK((*same)->bytes() == plain);
  weights.copies[0].weight.back() += 1;
  weights.copies.push_back({projection::head, 1000, 40, some_numbers(std::size_t{1000} * 40, 65)});
  auto packed = packer.pack(weights, {});
  REQUIRE(packed);
  CHECK((*packed)->bytes() == packer.packed_bytes(weights));
  CHECK((*packed)->bytes() >= plain + (1000ull * 40 + 1024ull * 64) * element_bytes(dtype) - 4096);
  CHECK((*packed)->stands_alone());
  auto& adapter = dynamic_cast<const cpu_packed_adapter&>(**packed);
  CHECK(adapter.embedding().table != nullptr);
  CHECK(adapter.head_matrix().data != nullptr);
  CHECK(adapter.group(0, lora_group::head).ranks == 0);
  CHECK(adapter.changes_head());
  weights.copies[1].rows = 999;
  CHECK_FALSE(packer.pack(weights, {}));
}

TEST_CASE("the order of an adapter's sites does not change how it is packed") {
  cpu_adapter_packer packer(weights_like(small_model()), cpu_dtype::float32);
  auto weights = mixed_ranks();
  std::swap(weights.sites[0], weights.sites[1]);
  auto packed = packer.pack(weights, {});
  REQUIRE(packed);
  auto& qkv = dynamic_cast<const cpu_packed_adapter&>(**packed).group(0, lora_group::qkv);
  CHECK(qkv.site[0].part == 0);
  CHECK(qkv.site[1].part == 2);
  CHECK(qkv.site[1].column == 3);
}

TEST_CASE("a site that does not fit the base is refused by name") {
  cpu_adapter_packer packer(weights_like(small_model()), cpu_dtype::bfloat16);
  auto refused = [&](adapter_weights w, const char* what) {
    auto packed = packer.pack(w, {});
    REQUIRE_FALSE(packed);
    CHECK(packed.error().code == errc::bad_adapter);
    CHECK(packed.error().text.find(what) != std::string::npos);
  };
  adapter_weights w;
  w.sites = {site(2, projection::q, 4, 40, 64)};
  refused(w, "layer 2");
  w.sites = {site(0, projection::k, 4, 40, 64)};
  refused(w, "k_proj");
  w.sites = {site(0, projection::q, 4, 32, 64)};
  refused(w, "32 to 64");
  w.sites = {site(0, projection::qkv, 4, 40, 128)};
  refused(w, "no such module");
  w.sites = {site(0, projection::q, 0, 40, 64)};
  refused(w, "rank 0");
  w.sites = {site(0, projection::q, 4, 40, 64), site(0, projection::q, 4, 40, 64)};
  refused(w, "twice");
  w.sites = {site(0, projection::q, 4, 40, 64)};
  w.sites[0].b.pop_back();
  refused(w, "rank 4");
  w.sites = {site(0, projection::q, 4, 40, 64)};
  w.sites[0].a.push_back(0);
  refused(w, "rank 4");
}

TEST_CASE("packing ends when it is told to") {
  std::stop_source stop;
  stop.request_stop();
  auto packed = cpu_adapter_packer(weights_like(small_model()), cpu_dtype::float32)
                    .pack(mixed_ranks(), stop.get_token());
  REQUIRE_FALSE(packed);
  CHECK(packed.error().code == errc::cancelled);
}
