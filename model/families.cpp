#include "model/families.hpp"

#include <array>

namespace lorica {
namespace {

using enum architecture;

// The order of the enumeration.
constexpr std::array<family, 7> families = {{
    {llama, "llama", "LlamaForCausalLM", 2'048, 1e-6, 0, false, 2, 0, true},
    {mistral, "mistral", "MistralForCausalLM", 131'072, 1e-6, 0, false, 2, 4'096, true},
    {qwen2, "qwen2", "Qwen2ForCausalLM", 32'768, 1e-6, 0, false, -1, 4'096, false},
    {qwen3, "qwen3", "Qwen3ForCausalLM", 32'768, 1e-6, 128, false, -1, 4'096, false},
    {phi3, "phi3", "Phi3ForCausalLM", 4'096, 1e-5, 0, false, 32'000, 0, false},
    {gemma, "gemma", "GemmaForCausalLM", 8'192, 1e-6, 256, true, 1, 0, false},
    {gemma2, "gemma2", "Gemma2ForCausalLM", 8'192, 1e-6, 256, true, 1, 4'096, false},
}};

}  // namespace

const family& family_of(architecture arch) noexcept {
  return families[static_cast<std::size_t>(arch)];
}

const family* find_family(std::string_view model_type) noexcept {
  for (auto& f : families)
    if (f.word == model_type) return &f;
  return nullptr;
}

const family* find_gguf_family(std::string_view architecture) noexcept {
  auto found = find_family(architecture);
  return found && found->arch != mistral ? found : nullptr;
}

std::string family_words() {
  std::string out;
  for (auto& f : families)
    out += (out.empty() ? "" : ", ") + std::string(f.word);
  return out;
}

}  // namespace lorica
