#include "text/incremental_decoder.hpp"

#include <utility>

#include "core/utf8.hpp"

namespace lorica {

incremental_decoder::incremental_decoder(std::shared_ptr<const tokenizer> vocabulary,
                                         bool skip_special_tokens)
    : vocabulary_(std::move(vocabulary)), skip_special_(skip_special_tokens) {}

std::string incremental_decoder::push(token_id id) {
  // A dropped id leaves no mark: bytes before and after it may form one character.
  if (skip_special_ && vocabulary_->is_special(id)) return {};
  held_ += vocabulary_->bytes(id);
  return drain(false);
}

std::string incremental_decoder::flush() {
  return drain(true);
}

std::string incremental_decoder::drain(bool final) {
  std::string out;
  std::string_view rest = held_;
  while (true) {
    auto good = utf8_valid_prefix(rest);
    out += rest.substr(0, good);
    rest.remove_prefix(good);
    if (rest.empty()) break;
    auto head = utf8_scan(rest);
    bool may_become_whole = head.good > 0 && head.good == rest.size();
    if (may_become_whole && !final) break;
    out += utf8_replacement;
    rest.remove_prefix(head.subpart());
  }
  held_ = std::string(rest);
  return out;
}

}  // namespace lorica
