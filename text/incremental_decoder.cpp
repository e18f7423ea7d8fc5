#include "text/incremental_decoder.hpp"

#include <algorithm>
#include <utility>

#include "core/utf8.hpp"

namespace lorica {

incremental_decoder::incremental_decoder(std::shared_ptr<const tokenizer> vocabulary,
                                         bool skip_special_tokens, std::span<const token_id> before)
    : vocabulary_(std::move(vocabulary)),
      skip_special_(skip_special_tokens),
      begun_(std::any_of(before.begin(), before.end(), [this](token_id id) { return shown(id); })) {}

// Stands for bytes, and is not dropped.
bool incremental_decoder::shown(token_id id) const {
  return !(skip_special_ && vocabulary_->is_special(id)) && !vocabulary_->bytes(id).empty();
}

std::string incremental_decoder::push(token_id id) {
  // A dropped id leaves no mark: bytes before and after it may form one character.
  if (!shown(id)) return {};
  held_ += begun_ ? vocabulary_->bytes(id) : vocabulary_->first_bytes(id);
  begun_ = true;
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
