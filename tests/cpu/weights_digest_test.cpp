#include "cpu/weights_digest.hpp"

#include <functional>
#include <set>
#include <string>

#include "tests/catch.hpp"
#include "tests/model/handmade_model.hpp"

using namespace lorica;
using lorica::testing::handmade;

namespace {

using digest = std::array<std::uint8_t, 32>;

digest digest_of(const model_weights& model, unsigned members = 1) {
  thread_team team(members);
  return weights_digest(model, team);
}

/// Three pieces and a bit.
constexpr std::size_t large = (std::size_t{3} << 20) + 5;

/// A model whose `q` is larger than a piece.
struct large_handmade : handmade {
  large_handmade() {
    bytes[4].resize(large);
    tensors[4]->bytes = bytes[4];
  }
};

}  // namespace

TEST_CASE("one changed bit anywhere in any tensor is another digest") {
  std::set<digest> seen = {digest_of(handmade())};
  std::size_t changes = 1;
  for (std::size_t i = 0; i < handmade().tensors.size(); ++i)
    for (std::size_t place : {std::size_t{0}, std::size_t{5000}, handmade::bytes_each - 1}) {
      handmade model;
      model.bytes[i][place] = std::byte{1};
      seen.insert(digest_of(model));
      ++changes;
    }
  CHECK(seen.size() == changes);
}

TEST_CASE("every piece of a large tensor counts, and where it lies") {
  std::set<digest> seen = {digest_of(large_handmade())};
  std::size_t changes = 1;
  for (std::size_t place : {std::size_t{0}, (std::size_t{1} << 20) - 1, std::size_t{1} << 20,
                            (std::size_t{2} << 20) + 7, large - 1}) {
    large_handmade model;
    model.bytes[4][place] = std::byte{1};
    seen.insert(digest_of(model));
    ++changes;
  }
  CHECK(seen.size() == changes);
}

TEST_CASE("what a tensor is counts beside its bytes; name and settings of the model do not") {
  std::set<digest> seen = {digest_of(handmade())};
  std::size_t changes = 1;
  for (std::size_t i = 0; i < handmade().tensors.size(); ++i)
    for (auto change : std::vector<std::function<void(tensor_view&)>>{
             [](auto& t) { t.type = tensor_type::f16; }, [](auto& t) { t.rows = 127; },
             [](auto& t) { t.cols = 127; }, [](auto& t) { t.permuted_heads = 4; },
             [](auto& t) { t.bytes = t.bytes.first(16384); }, [](auto& t) { t = {}; }}) {
      handmade model;
      change(*model.tensors[i]);
      seen.insert(digest_of(model));
      ++changes;
    }
  CHECK(seen.size() == changes);
  handmade model;
  model.config().name = std::string("x");
  model.config().eos = {1, 2};
  CHECK(digest_of(model) == digest_of(handmade()));
}

TEST_CASE("a head that is the embedding is not a head of the same bytes") {
  handmade tied;
  *tied.tensors[1] = *tied.tensors[0];
  CHECK(digest_of(tied) != digest_of(handmade()));
  const auto before = digest_of(tied);
  tied.bytes[1][0] = std::byte{1};  // belongs to no tensor any more
  CHECK(digest_of(tied) == before);
  tied.bytes[0][0] = std::byte{1};
  CHECK(digest_of(tied) != before);
}

TEST_CASE("the number of threads does not change the digest") {
  const large_handmade model;
  const auto one = digest_of(model);
  for (unsigned members : {2u, 3u, 7u})
    CHECK(digest_of(model, members) == one);
}
