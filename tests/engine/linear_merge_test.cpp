#include "engine/linear_merge.hpp"

#include "tests/catch.hpp"
#include "tests/engine/fake_device.hpp"

using namespace lorica;
using lorica::testing::fake_adapter;
using lorica::testing::plain_shape;
using lorica::testing::version_of;

namespace {

using shapes = std::vector<merge_shape>;

std::optional<error> refusal(const shapes& all, bool last_alone = false) {
  std::vector<fake_adapter> adapters;
  for (std::size_t i = 0; i < all.size(); ++i)
    adapters.emplace_back(version_of(static_cast<std::uint8_t>(i)), last_alone && i + 1 == all.size(),
                          all[i]);
  std::vector<adapter_use> uses;
  for (auto& adapter : adapters)
    uses.push_back({&adapter, 0.5f});
  return linear_merge_refusal(uses);
}

merge_shape shape(std::vector<module_rank> modules, std::optional<float> scaling = 2.0f) {
  return {std::move(modules), scaling, false};
}

}  // namespace

TEST_CASE("adapters are merged where every module that several have has one rank") {
  CHECK_FALSE(refusal({plain_shape()}));
  CHECK_FALSE(refusal(shapes(most_adapters, plain_shape())));
  // No module in common, or those in common fit, wherever they stand in the lists.
  CHECK_FALSE(refusal({shape({{0, projection::q, 8}}), shape({{1, projection::q, 4}})}));
  CHECK_FALSE(refusal({shape({{0, projection::q, 8}, {0, projection::v, 4}, {1, projection::v, 2}}),
                       shape({{0, projection::k, 3}, {0, projection::v, 4}, {1, projection::q, 9}})}));
  // Scalings of the others do not enter.
  CHECK_FALSE(refusal({plain_shape(), shape({{0, projection::q, 8}}, std::nullopt)}));
}

TEST_CASE("unequal ranks are refused with both ranks, the adapters and the module") {
  auto why = refusal({shape({{0, projection::q, 8}, {3, projection::v, 4}}), shape({{0, projection::k, 2}}),
                      shape({{0, projection::q, 8}, {3, projection::v, 16}})});
  REQUIRE(why);
  CHECK(why->code == errc::invalid);
  CHECK(why->param == "merged_adapters");
  CHECK(why->text ==
        "`linear` needs equal ranks: adapter 1 of `merged_adapters` has rank 4, adapter 3 has rank 16 "
        "(layer 3, v_proj); send `adapters` instead, which takes any ranks");
  auto head = refusal({shape({{0, projection::head, 8}}), shape({{0, projection::head, 7}})});
  REQUIRE(head);
  CHECK(head->text.find("(lm_head)") != std::string::npos);
  CHECK(refusal({shape({{0, projection::q, 8}}), shape({{0, projection::k, 2}, {0, projection::v, 4}}),
                 shape({{0, projection::v, 5}})}));
  CHECK(refusal({shape({{0, projection::v, 4}}),
                 shape({{0, projection::q, 2}, {0, projection::k, 2}, {0, projection::v, 5}})}));
}

TEST_CASE("what is no pair of matrices, has no scaling or is too much is not merged") {
  auto text = [](const shapes& all, bool last_alone = false) {
    auto why = refusal(all, last_alone);
    return why ? why->text : std::string("nothing");
  };
  CHECK(text({plain_shape(), plain_shape()}, true).find("adapter 2 of `merged_adapters` has DoRA") == 0);
  auto biased = plain_shape();
  biased.output_biases = true;
  CHECK(text({biased, plain_shape()}).find("adapter 1 of `merged_adapters` has DoRA") == 0);
  CHECK(text({shape({{0, projection::q, 8}}, std::nullopt), plain_shape()})
            .find("the first adapter of `merged_adapters` has several scalings") == 0);
  CHECK(text(shapes(most_adapters + 1, plain_shape())) == "`linear` merges 1 to 8 adapters. Given: 9");
  CHECK(text({}) == "`linear` merges 1 to 8 adapters. Given: 0");
}

TEST_CASE("the shape of an adapter is that of its content") {
  adapter_weights weights;
  lora_site site;
  site.layer = 1;
  site.where = projection::v;
  site.rank = 3;
  site.scaling = 2;
  weights.sites = {site, site};
  weights.sites[1].where = projection::o;
  auto plain = merge_shape_of(shapes_of(weights));
  REQUIRE(plain.modules.size() == 2);
  CHECK(
      (plain.modules[1].layer == 1 && plain.modules[1].where == projection::o && plain.modules[1].rank == 3));
  CHECK(plain.scaling == 2.0f);
  CHECK_FALSE(plain.output_biases);
  weights.sites[1].scaling = 3;
  weights.sites[0].bias = {1};
  CHECK_FALSE(merge_shape_of(shapes_of(weights)).scaling);
  CHECK(merge_shape_of(shapes_of(weights)).output_biases);
  CHECK_FALSE(merge_shape_of({}).scaling);
}
