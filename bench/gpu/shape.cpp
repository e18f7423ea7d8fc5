#include "bench/gpu/shape.hpp"

#include <charconv>
#include <cmath>
#include <iterator>

namespace lorica::bench {
namespace {

struct size_field {
  std::string_view name;
  std::uint32_t model_config::*place;
};

constexpr size_field fields[] = {
    {"layers", &model_config::layers},     {"hidden", &model_config::hidden},
    {"heads", &model_config::heads},       {"kv_heads", &model_config::kv_heads},
    {"head_dim", &model_config::head_dim}, {"ffn", &model_config::ffn},
    {"vocab", &model_config::vocab},       {"positions", &model_config::max_positions},
};

struct named_shape {
  std::string_view name;
  std::string_view sizes;
};

constexpr named_shape shapes[] = {
    {"mistral-7b",
     "layers=32,hidden=4096,heads=32,kv_heads=8,head_dim=128,ffn=14336,vocab=32000,positions=32768"},
    {"tiny", "layers=2,hidden=64,heads=4,kv_heads=2,head_dim=16,ffn=96,vocab=160,positions=256"},
};

error bad(std::string_view text) {
  return fail(errc::bad_config, std::string("--shape: ").append(text));
}

result<void> read_field(std::string_view word, model_config& to) {
  const auto at = word.find('=');
  for (auto& f : fields) {
    if (word.substr(0, at) != f.name || at == word.npos) continue;
    const auto text = word.substr(at + 1);
    std::uint32_t value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc() || end != text.data() + text.size() || value == 0 || value > 1'000'000)
      return bad(std::string(f.name) + ": '" + std::string(text) + "' is no number from 1 to 1000000");
    to.*f.place = value;
    return {};
  }
  std::string known;
  for (auto& f : fields)
    known.append(known.empty() ? "" : ", ").append(f.name);
  return bad(std::string("'").append(word) + "' is neither a shape's name nor one of " + known +
             " with its size");
}

result<void> check(const model_config& m) {
  for (auto& f : fields)
    if (m.*f.place == 0) return bad(std::string(f.name) + " is missing");
  if (m.heads % m.kv_heads != 0) return bad("kv_heads does not divide heads");
  if (m.head_dim % 2 != 0) return bad("head_dim is odd");
  return {};
}

}  // namespace

std::vector<std::string_view> shape_names() {
  std::vector<std::string_view> out;
  for (auto& s : shapes)
    out.push_back(s.name);
  return out;
}

result<model_config> shape_named(std::string_view text) {
  model_config out;
  out.arch = architecture::mistral;
  out.name = std::string(text);
  for (auto& s : shapes)
    if (s.name == text) text = s.sizes;
  for (std::size_t at = 0; at <= text.size();) {
    const auto end = std::min(text.find(',', at), text.size());
    if (auto ok = read_field(text.substr(at, end - at), out); !ok) return ok.error();
    at = end + 1;
  }
  if (auto ok = check(out); !ok) return ok.error();
  out.rotary_dim = out.head_dim;
  out.attention_scale = 1 / std::sqrt(static_cast<float>(out.head_dim));
  return out;
}

}  // namespace lorica::bench
