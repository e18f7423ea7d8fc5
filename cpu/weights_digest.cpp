#include "cpu/weights_digest.hpp"

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "core/field_hash.hpp"
#include "model/each_tensor.hpp"

namespace lorica {
namespace {

using digest = std::array<std::uint8_t, 32>;
using bytes_view = std::span<const std::byte>;

constexpr std::size_t piece_bytes = std::size_t{1} << 20;

bool is_embedding(const model_weights& model, const tensor_view& tensor) noexcept {
  auto& bytes = model.embedding().bytes;
  return &tensor == &model.head() && tensor.bytes.data() == bytes.data() &&
         tensor.bytes.size() == bytes.size();
}

std::vector<bytes_view> pieces_of(const model_weights& model) {
  std::vector<bytes_view> out;
  each_tensor(model, [&](std::string_view, const tensor_view& tensor) {
    if (is_embedding(model, tensor)) return;
    for (auto rest = tensor.bytes; !rest.empty();) {
      const auto piece = rest.first(std::min(piece_bytes, rest.size()));
      out.push_back(piece);
      rest = rest.subspan(piece.size());
    }
  });
  return out;
}

std::vector<digest> digests_of(std::span<const bytes_view> pieces, thread_team& team) {
  std::vector<digest> out(pieces.size());
  // Made here: members of a team must not throw, and making one may.
  const auto hashes = std::make_unique<sha256[]>(team.members());
  team.run([&](unsigned member) {
    const auto mine = share_of(static_cast<std::uint32_t>(pieces.size()), member, team.members());
    for (auto i = mine.first; i < mine.last; ++i) {
      hashes[member].update(pieces[i]);
      out[i] = hashes[member].finish();
    }
  });
  return out;
}

}  // namespace

digest weights_digest(const model_weights& model, thread_team& team) {
  const auto digests = digests_of(pieces_of(model), team);
  std::size_t next = 0;
  field_hash out;
  out.raw("lorica weights 1\n");
  each_tensor(model, [&](std::string_view name, const tensor_view& tensor) {
    out.text(name);
    out.text(to_string(tensor.type));
    for (auto n :
         {tensor.rows, tensor.cols, std::uint64_t{tensor.permuted_heads}, std::uint64_t{tensor.bytes.size()}})
      out.number(n);
    const bool again = is_embedding(model, tensor);
    out.number(again ? 1 : 0);
    const auto count = again ? 0 : (tensor.bytes.size() + piece_bytes - 1) / piece_bytes;
    out.raw(std::as_bytes(std::span(digests).subspan(next, count)));
    next += count;
  });
  return out.finish();
}

}  // namespace lorica
