#include "adapters/gguf_lora.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>
#include <utility>

#include "adapters/finite_numbers.hpp"
#include "adapters/refusal.hpp"
#include "files/dequantise.hpp"
#include "files/gguf.hpp"
#include "model/families.hpp"

namespace lorica {
namespace {

constexpr std::size_t slice = std::size_t{1} << 18;  // elements between two looks at the stop token

struct found_pair {
  const gguf_tensor* a = nullptr;
  const gguf_tensor* b = nullptr;
};

using module_key = std::pair<std::uint32_t, projection>;
using found_pairs = std::map<module_key, found_pair>;  // canonical order

error cancelled() {
  return fail(errc::cancelled, "the load of the adapter was cancelled");
}

// The word by which GGUF files call the base's family.
std::string_view gguf_word(const model_config& base) {
  return to_string(base.arch == architecture::mistral ? architecture::llama : base.arch);
}

constexpr std::string_view part_of(projection p) noexcept {
  constexpr std::string_view names[] = {"attn_q",   "attn_k",   "attn_v", "attn_output", "ffn_gate", "ffn_up",
                                        "ffn_down", "attn_qkv", "ffn_up", "token_embd",  "output"};
  return names[static_cast<std::uint8_t>(p)];
}

std::string shape_of(const gguf_tensor& tensor) {
  std::string out = "[";
  for (std::uint32_t i = tensor.dimensions; i > 0; --i)
    out += std::to_string(tensor.extent[i - 1]) + (i > 1 ? ", " : "]");
  return out;
}

// The value of a key, as people wrote it.
std::string written(const gguf_header& header, std::string_view key) {
  if (!header.find(key)) return "missing";
  auto text = header.find_string(key);
  return text ? quoted(*text) : "no text";
}

result<void> check_kind(const std::string& name, const gguf_header& header, const model_config& base) {
  auto text = [&](std::string_view key) {
    auto found = header.find_string(key);
    return found ? *found : std::string_view{};
  };
  auto says = [&](std::string_view key) {
    return name + ": " + std::string(key) + " is " + written(header, key);
  };
  if (text("general.type") != "adapter")
    return refused(refusal::bad_gguf, says("general.type") + "; the file of an adapter has \"adapter\"");
  if (text("adapter.type") != "lora")
    return refused(refusal::unsupported_peft_type, says("adapter.type") + "; only \"lora\" is served");
  if (text("general.architecture") != gguf_word(base))
    return refused(refusal::base_mismatch,
                   says("general.architecture") + "; the base is of " + quoted(gguf_word(base)));
  if (auto tokens = header.find("adapter.alora.invocation_tokens"))
    if (auto list = std::get_if<gguf_array>(tokens); !list || list->count != 0)
      return refused(
          refusal::unsupported_field,
          name + ": adapter.alora.invocation_tokens is set, which is not served; train without it");
  return {};
}

result<double> read_alpha(const std::string& name, const gguf_header& header) {
  auto found = header.find("adapter.lora.alpha");
  auto number = found ? std::get_if<double>(found) : nullptr;
  if (number && std::isfinite(*number)) return *number;
  return refused(refusal::bad_gguf,
                 name + ": adapter.lora.alpha is " + (found ? "no finite number" : "missing"));
}

std::optional<std::uint32_t> layer_number(std::string_view text) {
  std::uint32_t out = 0;
  bool leading_zero = text.size() > 1 && text.front() == '0';  // a second spelling of the same layer
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (text.empty() || leading_zero || failed != std::errc{} || end != text.data() + text.size()) return {};
  return out;
}

// `blk.7.attn_q.weight` and the like.
std::optional<module_key> place_module(std::string_view tensor, const model_config& base) {
  constexpr std::string_view end = ".weight", block = "blk.";
  if (!tensor.ends_with(end)) return std::nullopt;
  tensor.remove_suffix(end.size());
  for (auto where : {projection::embed, projection::head})
    if (tensor == part_of(where)) return module_key{0, where};
  if (!tensor.starts_with(block)) return std::nullopt;
  tensor.remove_prefix(block.size());
  auto dot = tensor.find('.');
  auto layer = dot == std::string_view::npos ? std::nullopt : layer_number(tensor.substr(0, dot));
  if (!layer) return std::nullopt;
  for (auto where : projections_of(base))
    if (tensor.substr(dot + 1) == part_of(where)) return module_key{*layer, where};
  return std::nullopt;
}

result<found_pairs> find_pairs(const std::string& name, const gguf_header& header, const model_config& base) {
  constexpr std::string_view a_end = ".lora_a", b_end = ".lora_b";
  found_pairs out;
  for (auto& tensor : header.tensors) {
    bool is_a = tensor.name.ends_with(a_end);
    if (!is_a && !tensor.name.ends_with(b_end))
      return refused(refusal::unknown_tensor,
                     "tensor " + shown(tensor.name) +
                         " is not known; expected are names that end in .lora_a or .lora_b");
    auto key = place_module(tensor.name.substr(0, tensor.name.size() - a_end.size()), base);
    if (!key)
      return refused(
          refusal::unsupported_module,
          "tensor " + shown(tensor.name) + " adapts what is no linear map, embedding or head of the base");
    if (in_layer(key->second) && key->first >= base.layers)
      return refused(refusal::base_mismatch, "tensor " + shown(tensor.name) + " is for layer " +
                                                 std::to_string(key->first) + ", the base has " +
                                                 std::to_string(base.layers) + " layers");
    auto& pair = out[*key];
    (is_a ? pair.a : pair.b) = &tensor;  // names are there once
  }
  if (out.empty()) return refused(refusal::missing_tensor, name + " holds no LoRA tensor");
  return out;
}

error wrong_shape(const gguf_tensor& tensor, std::uint64_t rows, std::uint64_t cols) {
  return refused(refusal::shape_mismatch, "tensor " + shown(tensor.name) + " has the shape " +
                                              shape_of(tensor) + ", expected [" + std::to_string(rows) +
                                              ", " + std::to_string(cols) + "]");
}

bool has_shape(const gguf_tensor& tensor, std::uint64_t rows, std::uint64_t cols) {
  return tensor.extent[0] == cols && tensor.extent[1] == rows && tensor.extent[2] == 1 &&
         tensor.extent[3] == 1;
}

// Everything but the numbers.
result<lora_site> check_pair(const module_key& key, const found_pair& pair, double alpha,
                             const model_config& base, std::uint32_t max_rank) {
  if (!pair.a || !pair.b)
    return refused(refusal::unpaired_tensor, "tensor " + shown((pair.a ? pair.a : pair.b)->name) +
                                                 " has no partner: " + (pair.a ? "lora_b" : "lora_a") +
                                                 " of the same module is missing");
  auto [in, out] = lorica::shape_of(base, key.second);
  const auto rank = pair.b->extent[0];
  if (rank > max_rank)
    return refused(refusal::rank_too_large, "LoRA rank " + std::to_string(rank) +
                                                " is greater than max_lora_rank " + std::to_string(max_rank) +
                                                ". (tensor " + shown(pair.b->name) + ")");
  bool lookup = key.second == projection::embed;
  if (!has_shape(*pair.b, out, rank)) return wrong_shape(*pair.b, out, rank);
  if (!lookup && !has_shape(*pair.a, rank, in)) return wrong_shape(*pair.a, rank, in);
  if (lookup && !has_shape(*pair.a, in, rank)) return wrong_shape(*pair.a, in, rank);
  lora_site site;
  site.layer = key.first;
  site.where = key.second;
  site.rank = static_cast<std::uint32_t>(rank);
  site.in = static_cast<std::uint32_t>(in);
  site.out = static_cast<std::uint32_t>(out);
  site.scaling = static_cast<float>(alpha != 0 ? alpha / static_cast<double>(rank) : 1);
  if (!std::isfinite(site.scaling))
    return refused(refusal::bad_gguf, "the scaling of tensor " + shown(pair.a->name) + " overflows");
  return site;
}

result<std::vector<float>> read_numbers(const gguf_tensor& tensor, std::span<const std::byte> file,
                                        const std::stop_token& stop) {
  const auto bytes =
      file.subspan(static_cast<std::size_t>(tensor.offset), static_cast<std::size_t>(tensor.bytes));
  const std::size_t block = block_elements(tensor.type), width = block_bytes(tensor.type);
  std::vector<float> out(bytes.size() / width * block);
  static_assert(slice % 256 == 0);  // whole blocks of every type
  for (std::size_t at = 0; at < out.size(); at += slice) {
    if (stop.stop_requested()) return cancelled();
    auto part = std::span(out).subspan(at, std::min(slice, out.size() - at));
    dequantise(tensor.type, bytes.subspan(at / block * width, part.size() / block * width), part);
    if (auto ok = check_finite(tensor.name, part, at); !ok) return ok.error();
  }
  return out;
}

std::vector<float> transposed(const std::vector<float>& from, std::size_t rows, std::size_t cols) {
  std::vector<float> out(from.size());
  for (std::size_t row = 0; row < rows; ++row)
    for (std::size_t col = 0; col < cols; ++col)
      out[col * rows + row] = from[row * cols + col];
  return out;
}

// Row h*d + j*d/2 + k of a Hugging Face model lies at h*d + 2k + j, as in the files of bases.
std::vector<float> half_split(const std::vector<float>& from, std::size_t width, std::size_t head_dim) {
  std::vector<float> out(from.size());
  for (std::size_t row = 0; row < from.size() / width; ++row) {
    const auto in_head = row % head_dim;
    const auto stored = row - in_head + 2 * (in_head % (head_dim / 2)) + in_head / (head_dim / 2);
    std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(stored * width), width,
                out.begin() + static_cast<std::ptrdiff_t>(row * width));
  }
  return out;
}

result<void> read_pair(lora_site& site, const found_pair& pair, std::span<const std::byte> file,
                       const model_config& base, const std::stop_token& stop) {
  auto a = read_numbers(*pair.a, file, stop);
  if (!a) return a.error();
  auto b = read_numbers(*pair.b, file, stop);
  if (!b) return b.error();
  bool turned = site.where == projection::q || site.where == projection::k;
  bool permuted = turned && family_of(base.arch).permuted_gguf;
  site.a = site.where == projection::embed ? transposed(*a, site.in, site.rank) : *std::move(a);
  site.b = permuted ? half_split(*b, site.rank, base.head_dim) : *std::move(b);
  return {};
}

}  // namespace

result<gguf_lora> parse_gguf_lora(std::string_view name, std::span<const std::byte> file,
                                  const model_config& base, std::uint32_t max_rank,
                                  const std::stop_token& stop) {
  const auto named = shown(name);
  auto header = parse_gguf(file);
  if (!header) return refused(refusal::bad_gguf, named + ": " + header.error().text);
  if (auto ok = check_kind(named, *header, base); !ok) return ok.error();
  auto alpha = read_alpha(named, *header);
  if (!alpha) return alpha.error();
  auto pairs = find_pairs(named, *header, base);
  if (!pairs) return pairs.error();
  gguf_lora out;
  for (auto& [key, pair] : *pairs) {
    auto site = check_pair(key, pair, *alpha, base, max_rank);
    if (!site) return site.error();
    out.sites.push_back(*std::move(site));
  }
  auto site = out.sites.begin();
  for (auto& [key, pair] : *pairs)
    if (auto ok = read_pair(*site++, pair, file, base, stop); !ok) return ok.error();
  if (header->find("adapter.lora.prompt_prefix"))
    out.warnings.push_back(named + ": adapter.lora.prompt_prefix is ignored");
  return out;
}

}  // namespace lorica
