#include <cstring>

#include "bench/gpu/floors.hpp"
#include "bench/gpu/kernel_bench.hpp"
#include "bench/gpu/random_weights.hpp"
#include "bench/gpu/report.hpp"
#include "bench/gpu/row.hpp"
#include "bench/gpu/shape.hpp"
#include "tests/catch.hpp"

namespace lorica::bench {
namespace {

model_config shape(std::string_view text) {
  auto out = shape_named(text);
  REQUIRE(out);
  return *out;
}

/// Numbers that can be worked out by hand: q 4 wide, k and v 2.
model_config small() {
  return shape("layers=2,hidden=6,heads=2,kv_heads=1,head_dim=2,ffn=5,vocab=10,positions=32");
}

using Catch::Matchers::WithinRel;

constexpr auto plain = gpu::weight_format::bfloat16, codes = gpu::weight_format::fp8;

TEST_CASE("the weights of Mistral 7B are as many as in the reference") {
  const auto m = shape("mistral-7b");
  // 2.96 ms at 4.8 TB/s.
  CHECK_THAT(weight_bytes(m, plain) / 4.8e12, WithinRel(2.96e-3, 2e-3));
  CHECK(kv_bytes(m) == 131072);
  const projection all[] = {projection::q,    projection::k,  projection::v,   projection::o,
                            projection::gate, projection::up, projection::down};
  CHECK_THAT(adapter_bytes(m, all, 16), WithinRel(84e6, 5e-3));
  // One row of 512 tokens: 2.98 ms; 32 rows and 8 adapters of rank 16: 4.1 % more than without.
  const card_rates card{4.8e12, 1e18, 1e18};
  CHECK_THAT(decode_floor(m, 1, 512, 0, card), WithinRel(2.98e-3, 3e-3));
  const double base = decode_floor(m, 32, 512, 0, card);
  CHECK_THAT(percent_over(base, decode_floor(m, 32, 512, 8 * adapter_bytes(m, all, 16), card)),
             WithinRel(4.1, 2e-2));
}

TEST_CASE("bytes and operations of a small model are counted by hand") {
  const auto m = small();
  // A layer: q, k, v 6 x 8; o 4 x 6; gate, up and down 3 x 6 x 5; the head 6 x 10.
  CHECK(weight_bytes(m, plain) == 2 * (2 * (48 + 24 + 90) + 60));
  CHECK(kv_bytes(m) == 2 * 2 * 2 * 2);
  CHECK(kv_read_bytes(m, 3, 4) == 16 * 3 * 5);
  const projection qv[] = {projection::q, projection::v};
  CHECK(adapter_bytes(m, qv, 4) == 2.0 * 4 * 2 * ((6 + 4) + (6 + 2)));
  // 5 rows, 1 read: q, k and v twice, the rest once for all rows and once for the one that is read.
  CHECK(linear_operations(m, 5, 1) == 2.0 * (5 * (2 * 48 + 114) + 114 + 60));
  // 3 rows behind 2 tokens see 3, 4 and 5.
  CHECK(attention_operations(m, 3, 2) == 4.0 * 12 * 4 * 2);
}

TEST_CASE("weights in fp8 have a byte for a number and four for an output, where their sizes allow it") {
  const auto m = shape("mistral-7b");
  CHECK(maps_without_codes(m) == 0);
  // 7.11e9 numbers, of them 131e6 of the head with two bytes: half of 14.2 GB and 52 MB of scales more.
  const double numbers = weight_bytes(m, plain) / 2, head = 4096.0 * 32000;
  const double outputs = 32.0 * (6144 + 4096 + 28672 + 4096);
  CHECK(weight_bytes(m, codes) == numbers - head + 4 * outputs + 2 * head);
  // Only q k v fits into multiples of 16: the rest stays as it is.
  const auto odd = shape("layers=1,hidden=16,heads=2,kv_heads=1,head_dim=4,ffn=9,vocab=10,positions=32");
  CHECK(maps_without_codes(odd) == 3);
  CHECK(weight_bytes(odd, codes) == 16 * 16 + 4 * 16 + 2 * (8 * 16 + 3 * 16 * 9 + 16 * 10));
  // Reading is what decoding costs: bytes in place of bytes.
  const card_rates card{4e12, 1e18, 1e18, codes};
  CHECK(decode_floor(m, 1, 0, 0, card) == (weight_bytes(m, codes) + kv_bytes(m)) / 4e12);
}

TEST_CASE("as many requests arrive as are wanted, or half of what the card's floors allow") {
  const auto m = shape("mistral-7b");
  const traffic_sizes t{64, 16, 8, 4096, 2048, 4, 0};
  const card_rates h200{4.3e12, 790e12, 790e12};
  const double most = 1 / request_floor(m, 4096, 2048, 64, h200);
  CHECK(most > 1);
  CHECK(most < 4);
  CHECK(thrash_rate(m, t, 64, h200) == most / 2);
  CHECK(thrash_rate(m, t, 64, {1e18, 1e18, 1e18}) == 4);
  CHECK(thrash_rate(m, t, 6, h200) < thrash_rate(m, t, 64, h200));
}

TEST_CASE("a floor is the slower of reading and computing") {
  const auto m = small();
  const double bytes = weight_bytes(m, plain) + kv_read_bytes(m, 2, 3) + 100;
  CHECK(decode_floor(m, 2, 3, 100, {10, 1e30, 1e30}) == bytes / 10);
  const double operations = linear_operations(m, 2, 2) + 2 * attention_operations(m, 1, 3);
  CHECK_THAT(decode_floor(m, 2, 3, 100, {1e30, 10, 10}), WithinRel(operations / 10, 1e-12));
  const double slow = linear_operations(m, 2, 2) / 10 + 2 * attention_operations(m, 1, 3) / 5;
  CHECK_THAT(decode_floor(m, 2, 3, 100, {1e30, 10, 5}), WithinRel(slow, 1e-12));
  CHECK(prompt_floor(m, 7, 3, 4) == 3 + attention_operations(m, 7, 0) / 4);
  const card_rates card{1e3, 1e4, 1e4};
  const double prompt = (linear_operations(m, 7, 1) + attention_operations(m, 7, 0)) / 1e4;
  CHECK_THAT(request_floor(m, 7, 6, 3, card),
             WithinRel(prompt + 6 * decode_floor(m, 3, 10, 0, card) / 3, 1e-12));
}

TEST_CASE("times are told as mean, median and best") {
  const auto odd = summary_of({3, 1, 8});
  CHECK(odd.mean == 4);
  CHECK(odd.median == 3);
  CHECK(odd.best == 1);
  CHECK(odd.runs == 3);
  CHECK(summary_of({4, 1, 2, 10}).median == 3);
  CHECK(summary_of({}).runs == 0);
  const auto part = odd.per(2);
  CHECK(part.mean == 2);
  CHECK(part.median == 1.5);
  CHECK(part.best == 0.5);
}

TEST_CASE("runs to warm up are not counted, and two things go in turns") {
  double next = 100;
  const auto t = repeat({2, 3, 0}, [&] { return next++; });
  CHECK(t.runs == 3);
  CHECK(t.best == 102);
  CHECK(t.mean == 103);
  std::string order;
  const auto [base, other, difference] = repeat_in_turns(
      {1, 2, 0}, [&] { return order += 'b', static_cast<double>(order.size()); },
      [&] { return order += 'o', static_cast<double>(order.size()); });
  CHECK(order == "bobobo");
  CHECK(base.mean == 4);
  CHECK(other.mean == 5);
  CHECK(difference == 1);
  // A step that took long for both hides nothing: 1, 3 and 2 apart.
  const auto pairs = pairs_of({10, 90, 20}, {11, 93, 22});
  CHECK(pairs.median_difference == 2);
  CHECK(pairs.base.median == 20);
}

TEST_CASE("percentages and shares are of the base and of the floor") {
  CHECK(percent_over(4, 5) == 25);
  CHECK(percent_over(4, 3) == -25);
  CHECK(percent_over(0, 3) == 0);
  CHECK(share_of(3, 4) == 0.75);
  CHECK(share_of(3, 0) == 0);
}

TEST_CASE("a row meets its targets when all of them are met") {
  row r;
  r.suite = "G-3";
  r.figure("over_base_percent", 10).figure("floor_share", 0.5);
  CHECK(!r.met());
  r.at_most("over_base_percent", 10);
  CHECK(r.met() == true);
  r.at_least("floor_share", 0.51);
  CHECK(r.met() == false);
  row without;
  without.at_most("nothing of the kind", 1);
  CHECK(without.met() == false);
  without.missing = "too small";
  CHECK(!without.met());
}

TEST_CASE("a line of the table says what is met and what is missing") {
  row r;
  r.suite = "G-3";
  r.name = "r16, 8 adapters";
  r.time = times{0.0045, 0.004, 0.0035, 20};
  r.figure("floor_share", 0.875).figure("over_base_percent", 12.25).at_most("over_base_percent", 10);
  const auto line = line_of(r);
  for (auto part : {"G-3", "r16, 8 adapters", " 4.000 ", " 4.500 ", " 3.500 ", " 87.50 ", " 12.25 ",
                    "over_base_percent 12.25 <= 10: NOT MET"})
    CHECK(line.find(part) != std::string::npos);
  r.figures.back().second = 9;
  CHECK(line_of(r).find("<= 10: met") != std::string::npos);
  r.missing = "no room";
  CHECK(line_of(r).find("not measured: no room") != std::string::npos);
}

TEST_CASE("bytes of the kernels are what they read and write") {
  kernel_point p{{"qkv", 8, {6, 2}}, 3, 4, 2};
  CHECK(p.ranks() == 8);
  CHECK(p.site.width() == 8);
  CHECK(p.shrink_bytes() == 2.0 * 3 * 8 + 2.0 * 2 * 8 * 8 + 4.0 * 3 * 8);
  CHECK(p.expand_bytes() == 4.0 * 3 * 8 + 2.0 * 2 * 4 * 8 + 2.0 * 2 * 3 * 8);
  const auto sites = kernel_sites(shape("mistral-7b"));
  REQUIRE(sites.size() == 4);
  CHECK(sites[0].width() == 6144);
  CHECK(sites[2].width() == 28672);
  CHECK(sites[3].depth == 14336);
}

TEST_CASE("the kernels that are measured add what they should") {
  const model_config m = shape("tiny");
  const random_numbers numbers(10'000, 0.5f, 3);
  std::vector<kernel_point> points;
  for (auto& site : kernel_sites(m))
    for (auto rows : {3u, 7u})
      points.push_back({site, rows, 5, 3});
  kernel_bench bench(0, points, numbers);
  for (auto& p : points) {
    INFO(p.site.name);
    const double apart = bench.difference(p);
    CHECK(apart < 0.03);
  }
}

TEST_CASE("random numbers look normal, and parts of them differ") {
  const random_numbers numbers(100'000, 0.02f, 7);
  double sum = 0, squares = 0;
  const auto all = numbers.part(3, 100'000);
  for (auto x : all) {
    const double v = static_cast<double>(gpu::to_float(x));
    sum += v, squares += v * v;
  }
  const double count = static_cast<double>(all.size());
  CHECK(std::abs(sum / count) < 5e-4);
  CHECK_THAT(std::sqrt(squares / count), WithinRel(0.02, 0.02));
  CHECK(numbers.part(1, 64).data() != numbers.part(2, 64).data());
  CHECK(numbers.part(1, 64).data() == numbers.part(1, 64).data());
}

TEST_CASE("a random model has every matrix of its shape and no two alike") {
  const auto m = shape("tiny");
  const random_weights model(m);
  CHECK(model.embedding().rows == m.vocab);
  CHECK(model.head().cols == m.hidden);
  REQUIRE(model.layers().size() == m.layers);
  auto& l = model.layers()[1];
  CHECK(l.k.rows == 32);
  CHECK(l.down.cols == m.ffn);
  CHECK(l.gate.bytes.size() == 2 * 96 * 64);
  CHECK(l.gate.bytes.data() != l.up.bytes.data());
  CHECK(l.attn_norm.cols == m.hidden);
  CHECK(model.layers()[0].q.bytes.data() != l.q.bytes.data());
}

TEST_CASE("made-up matrices come in one order, each with the next seed") {
  const auto seeds = [](std::size_t count, std::uint32_t seed) {
    return std::vector<float>(count, static_cast<float>(seed));
  };
  auto m = small();
  const auto seed_of = [](const tensor_view& v) {
    float out = 0;
    std::memcpy(&out, v.bytes.data(), sizeof out);
    return out;
  };
  const float_weights model(m, seeds, 40);
  CHECK(seed_of(model.embedding()) == 40);
  CHECK(seed_of(model.head()) == 41);
  CHECK(seed_of(model.layers()[0].q) == 42);
  auto& last = model.layers()[1];
  const tensor_view* views[] = {&last.q, &last.k, &last.v, &last.o, &last.gate, &last.up, &last.down};
  for (std::size_t i = 0; i < std::size(views); ++i)
    CHECK(seed_of(*views[i]) == 49 + static_cast<float>(i));
  CHECK(last.o.cols == 4);
  CHECK(last.k.rows == 2);
  CHECK(last.down.bytes.size() == 4 * 6 * 5);
  m.tied_head = true;
  const float_weights tied(m, seeds, 0);
  CHECK(tied.head().bytes.data() == tied.embedding().bytes.data());
  CHECK(seed_of(tied.layers()[0].q) == 1);
}

}  // namespace
}  // namespace lorica::bench
