#include "actors/token_alternatives.hpp"

#include <string>

#include "core/utf8.hpp"

namespace lorica {

std::vector<token_alternative> token_alternatives(std::span<const token_logprob> top,
                                                  const tokenizer& vocabulary) {
  std::vector<token_alternative> out;
  out.reserve(top.size());
  for (auto& t : top) {
    std::string bytes(vocabulary.bytes(t.token));
    auto text = utf8_repaired(bytes);
    out.push_back({t.token, std::move(text), std::move(bytes), t.logprob, vocabulary.is_special(t.token)});
  }
  return out;
}

}  // namespace lorica
