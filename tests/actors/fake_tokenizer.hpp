#pragma once

#include <memory>
#include <string>
#include <vector>

#include "text/tokenizer.hpp"

namespace lorica::test {

/// One token per byte, and one special token that ends a generation. The byte 0x07 does not encode.
class fake_tokenizer : public tokenizer {
 public:
  static constexpr token_id eos_id = 256;

  result<std::vector<token_id>> encode(std::string_view text, bool) const override {
    std::vector<token_id> out;
    for (unsigned char c : text) {
      if (c == 7) return fail(errc::invalid, "tokenizer error");
      out.push_back(c);
    }
    return out;
  }

  result<std::vector<token_id>> encode_rendered(const template_text& text) const override {
    return encode(text.text, false);
  }

  result<std::vector<token_span>> encode_spans(std::string_view text, bool) const override {
    std::vector<token_span> out;
    for (std::uint32_t i = 0; i < text.size(); ++i)
      out.push_back({static_cast<unsigned char>(text[i]), std::string(1, text[i]), i, i + 1});
    return out;
  }

  result<std::vector<token_span>> rendered_spans(const template_text& text) const override {
    return encode_spans(text.text, false);
  }

  std::string_view bytes(token_id id) const override {
    if (id == eos_id) return "</s>";
    if (id < 0 || id > eos_id) return {};
    return std::string_view(bytes_).substr(static_cast<std::size_t>(id), 1);
  }

  bool is_special(token_id id) const override { return id == eos_id; }
  std::uint32_t size() const override { return eos_id + 1; }
  const std::vector<token_id>& eos() const override { return eos_; }

 private:
  static std::string all_bytes() {
    std::string out;
    for (int i = 0; i < 256; ++i)
      out.push_back(static_cast<char>(i));
    return out;
  }

  std::string bytes_ = all_bytes();
  std::vector<token_id> eos_{eos_id};
};

}  // namespace lorica::test
