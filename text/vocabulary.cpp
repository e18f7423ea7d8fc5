#include "text/vocabulary.hpp"

#include "core/utf8.hpp"
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
  for (auto rest = text; !rest.empty(); rest.remove_suffix(rest.size() - utf8_last(rest))) {
    if (!is_space(rest.substr(utf8_last(rest)))) break;
    ++out.trailing;
  }
  return out;
}

result<void> vocabulary::add(token_id id, std::string_view text, const token_decoder& decoder) {
  if (holds(id)) return fail(errc::bad_model, "token " + std::to_string(id) + " is defined twice");
  return replace(id, text, decoder);
}

result<void> vocabulary::replace(token_id id, std::string_view text, const token_decoder& decoder) {
  auto refuse = [&](std::string_view what) {
    return fail(errc::bad_model, "token " + std::to_string(id) + " " + std::string(what));
  };
  if (id < 0 || id >= id_limit)
    return refuse("is out of range, ids run from 0 to " + std::to_string(id_limit - 1));
  if (text.size() > text_limit) return refuse("is longer than 65535 bytes");
  if (utf8_valid_prefix(text) != text.size()) return refuse("is not valid UTF-8");
  auto meaning = decoder.decode(text);
  if (!meaning) return refuse("cannot be decoded: " + meaning.error().text);
  auto& [bytes, first] = *meaning;
  if (bytes.size() > text_limit || first.size() > text_limit)
    return refuse("decodes to more than 65535 bytes");
  auto index = static_cast<std::size_t>(id);
  if (index >= entries_.size()) entries_.resize(index + 1);
  auto& slot = entries_[index];
  slot.begin = arena_.size();
  slot.length = static_cast<std::uint16_t>(bytes.size());
  slot.spaces = spaces_of(text);
  slot.used = true;
  arena_ += bytes;
  bool inside = bytes.ends_with(first);
  slot.first_begin = arena_.size() - (inside ? first.size() : 0);
  slot.first_length = static_cast<std::uint16_t>(first.size());
  if (!inside) arena_ += first;
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

std::string_view vocabulary::first_bytes(token_id id) const noexcept {
  auto e = find(id);
  return e ? std::string_view(arena_).substr(e->first_begin, e->first_length) : std::string_view{};
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
