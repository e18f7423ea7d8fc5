#include "cpu/quantised_weights.hpp"

#include "cpu/packed_weights.hpp"
#include "tests/catch.hpp"
#include "tests/cpu/kernel_inputs.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

/// Rows of a file: random blocks with scales that are numbers.
std::vector<std::byte> stored_rows(tensor_type type, std::uint32_t rows, std::uint32_t blocks) {
  std::mt19937 random(51);
  std::vector<std::byte> out(std::size_t{rows} * blocks * block_bytes(type));
  for (auto& b : out)
    b = static_cast<std::byte>(random());
  for (std::size_t at = 0; at < out.size(); at += block_bytes(type)) {
    const auto half = to_half(static_cast<float>(random() % 100) / 1000.0f + 0.01f);
    std::memcpy(out.data() + at, &half, sizeof half);
    const auto minimum = to_half(-static_cast<float>(random() % 100) / 200.0f);
    if (type == tensor_type::q4_1) std::memcpy(out.data() + at + 2, &minimum, sizeof minimum);
  }
  return out;
}

/// What a packed output holds.
std::vector<float> packed_and_read(const tensor_view& view, std::uint32_t output, weight_format format) {
  const auto groups = padded_depth(static_cast<std::uint32_t>(view.cols)) / 32;
  std::vector<weight_group> own(groups);
  read_groups(view, output, format, own);
  const weight_group* lines[32] = {};
  lines[output % 32] = own.data();
  std::vector<std::byte> block(std::size_t{groups} * group_bytes(format), std::byte{0xff});
  pack_groups(format, lines, groups, block.data());
  std::vector<float> out(static_cast<std::size_t>(view.cols));
  unpack_output(format, block.data(), groups, output % 32, out);
  std::vector<float> beside(out.size());
  unpack_output(format, block.data(), groups, (output + 1) % 32, beside);
  // An output without weights is zeros.
  CHECK(std::ranges::all_of(beside, [](float x) { return x == 0; }));
  return out;
}

/// Output `output` of a file as its packed format holds it: only shifts of q4_1 are rounded.
std::vector<float> as_packed(const tensor_view& view, std::uint32_t output) {
  const auto format = quantised_format(view.type);
  std::vector<float> out(static_cast<std::size_t>(view.cols));
  view.read_rows(output, out);
  if (format != weight_format::q4_1) return out;
  std::vector<weight_group> groups(out.size() / 32);
  read_groups(view, output, format, groups);
  for (std::size_t k = 0; k < out.size(); ++k) {
    auto& g = groups[k / 32];
    const float exact = half_to_float(g.minimum) + 8 * half_to_float(g.scale);
    const float packed =
        half_to_float(g.scale) * (static_cast<float>(g.codes[k % 32]) - 8) + shift_of(format, g);
    CHECK(std::abs(packed - out[k]) <= std::abs(exact) / 255);
    out[k] = packed;
  }
  return out;
}

}  // namespace

TEST_CASE("weights that a file stores in a packed format are packed as they are") {
  auto type = GENERATE(tensor_type::q8_0, tensor_type::q4_0, tensor_type::q4_1);
  const auto bytes = stored_rows(type, 32, 3);
  const tensor_view view{type, 32, 96, bytes, 0};
  for (std::uint32_t output : {0u, 7u, 16u, 31u}) {
    const auto file = as_packed(view, output);
    CHECK(packed_and_read(view, output, quantised_format(type)) == file);
    std::vector<float> served(96);
    read_quantised_rows(view, output, quantised_format(type), served);
    CHECK(served == file);
  }
}

TEST_CASE("rows of rotary pairs are packed in the order of Hugging Face") {
  const auto bytes = stored_rows(tensor_type::q4_1, 32, 1);
  const tensor_view view{tensor_type::q4_1, 32, 32, bytes, 2};
  for (std::uint32_t output : {1u, 9u, 30u}) {
    const auto file = as_packed(view, output);
    CHECK(packed_and_read(view, output, weight_format::q4_1) == file);
  }
}

TEST_CASE("other weights become codes of 8 bits, half a step away at most") {
  auto type = GENERATE(tensor_type::f32, tensor_type::q4_1, tensor_type::q5_0);
  auto cols = GENERATE(64u, 40u);
  if (type != tensor_type::f32 && cols == 40) return;
  auto values = some_numbers(std::size_t{2} * cols, 53);
  values[3] = 0.0f;
  auto bytes = type == tensor_type::f32 ? std::vector<std::byte>(values.size() * sizeof(float))
                                        : stored_rows(type, 2, cols / 32);
  if (type == tensor_type::f32) std::memcpy(bytes.data(), values.data(), bytes.size());
  const tensor_view view{type, 2, cols, bytes, 0};
  std::vector<float> file(cols);
  view.read_rows(1, file);
  const auto packed = packed_and_read(view, 1, weight_format::q8_0);
  std::vector<float> served(cols);
  read_quantised_rows(view, 1, weight_format::q8_0, served);
  CHECK(served == packed);
  for (std::size_t first = 0; first < cols; first += 32) {
    float size = 0;
    const auto last = std::min<std::size_t>(first + 32, cols);
    for (auto k = first; k < last; ++k)
      size = std::max(size, std::abs(file[k]));
    for (auto k = first; k < last; ++k)
      CHECK(std::abs(packed[k] - file[k]) <= size / 127.0f * 0.57f);
  }
}

TEST_CASE("weights of zeros stay zeros") {
  const std::vector<float> zeros(32);
  const tensor_view view{tensor_type::f32, 1, 32, std::as_bytes(std::span(zeros)), 0};
  CHECK(packed_and_read(view, 0, weight_format::q8_0) == zeros);
}
