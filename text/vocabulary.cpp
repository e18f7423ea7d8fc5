#include "text/vocabulary.hpp"

#include "core/utf8.hpp"
#include "text/byte_alphabet.hpp"
#include "text/unicode.hpp"

namespace lorica {
namespace {

constexpr char32_t space_symbol = 0x120;  // stands for byte 32

bool is_space(std::string_view character) {
  auto c = utf8_decode(character);
  return c == space_symbol || is_white_space(c);
}

}  // namespace

vocabulary::margins vocabulary::spaces_of(std::string_view text) noexcept {
  vocabulary::margins out;
  for (auto rest = text; !rest.empty() && is_space(rest); rest.remove_prefix(utf8_length(rest)))
    ++out.leading;
  auto end = text.size();
  while (end > 0) {
    auto begin = end - 1;
    while (begin > 0 && utf8_is_tail(text[begin]))
      --begin;
    if (!is_space(text.substr(begin, end - begin))) break;
    ++out.trailing;
    end = begin;
  }
  return out;
}

result<void> vocabulary::add(token_id id, std::string_view text) {
  auto name = "token " + std::to_string(id);
  if (id < 0 || id >= id_limit)
    return fail(errc::bad_model,
                name + " is out of range, ids run from 0 to " + std::to_string(id_limit - 1));
  if (text.size() > text_limit) return fail(errc::bad_model, name + " is longer than 65535 bytes");
  if (utf8_valid_prefix(text) != text.size()) return fail(errc::bad_model, name + " is not valid UTF-8");
  auto index = static_cast<std::size_t>(id);
  if (index >= entries_.size()) entries_.resize(index + 1);
  auto& slot = entries_[index];
  if (slot.used) return fail(errc::bad_model, name + " is defined twice");
  auto bytes = bytes_of_symbols(text).value_or(std::string(text));
  slot = {.begin = arena_.size(),
          .length = static_cast<std::uint16_t>(bytes.size()),
          .spaces = spaces_of(text),
          .used = true,
          .special = false};
  arena_ += bytes;
  return {};
}

const vocabulary::entry* vocabulary::find(token_id id) const noexcept {
  if (id < 0 || static_cast<std::size_t>(id) >= entries_.size()) return nullptr;
  return &entries_[static_cast<std::size_t>(id)];
}

void vocabulary::mark_special(token_id id) {
  if (holds(id)) entries_[static_cast<std::size_t>(id)].special = true;
}

std::string_view vocabulary::bytes(token_id id) const noexcept {
  auto e = find(id);
  return e ? std::string_view(arena_).substr(e->begin, e->length) : std::string_view{};
}

bool vocabulary::special(token_id id) const noexcept {
  auto e = find(id);
  return e && e->special;
}

bool vocabulary::holds(token_id id) const noexcept {
  auto e = find(id);
  return e && e->used;
}

vocabulary::margins vocabulary::spaces(token_id id) const noexcept {
  auto e = find(id);
  return e ? e->spaces : margins{};
}

}  // namespace lorica
