#include "text/byte_level_tokenizer.hpp"

#include <algorithm>
#include <utility>

#include "core/utf8.hpp"
#include "text/unicode.hpp"

namespace lorica {
namespace {

// Offsets are 32 bits, and a text of this length is no prompt.
constexpr std::size_t text_limit = std::size_t{1} << 30;

// One walk of a text through the steps; collects tokens with their bytes in the text.
class encoding {
 public:
  explicit encoding(const byte_level_tokenizer::parts& parts) : parts_(parts), merge_(parts.merges) {}

  result<void> add_text(std::string_view text) {
    for (auto& section : parts_.raw.cut(text)) {
      if (section.token) {
        add_found(*section.token, section.begin, section.end);
        continue;
      }
      base_ = section.begin;
      auto ok = normalise(text.substr(section.begin, section.end - section.begin));
      if (!ok) return ok;
    }
    return {};
  }

  std::vector<placed_token> take() { return std::move(out_); }

 private:
  void add(token_id id, std::size_t begin, std::size_t end) {
    out_.push_back(
        {.id = id, .begin = static_cast<std::uint32_t>(begin), .end = static_cast<std::uint32_t>(end)});
  }

  void add_found(token_id id, std::size_t begin, std::size_t end) {
    add(id, begin, end);
    out_.back().added = true;
  }

  result<void> normalise(std::string_view text) {
    if (!parts_.nfc) return add_normalised(text);
    auto normal = normalise_nfc(text);
    if (!normal) return std::move(normal).error();
    auto first = out_.size();
    auto base = std::exchange(base_, 0);
    auto ok = add_normalised(normal->text);
    for (auto i = first; i < out_.size(); ++i) {
      auto [begin, end] = normal->origin(out_[i].begin, out_[i].end);
      out_[i].begin = static_cast<std::uint32_t>(base + begin);
      out_[i].end = static_cast<std::uint32_t>(base + end);
    }
    return ok;
  }

  result<void> add_normalised(std::string_view text) {
    auto base = base_;
    for (auto& section : parts_.normalised.cut(text)) {
      if (section.token) {
        add_found(*section.token, base + section.begin, base + section.end);
        continue;
      }
      base_ = base + section.begin;
      auto ok = add_plain(text.substr(section.begin, section.end - section.begin));
      if (!ok) return ok;
    }
    return {};
  }

  result<void> add_plain(std::string_view text) {
    auto pieces = parts_.pre.split(text);
    if (!pieces) return std::move(pieces).error();
    for (auto& piece : *pieces) {
      auto bytes = text.substr(piece.begin, piece.end - piece.begin);
      if (piece.space_before)
        add_spaced(bytes, base_ + piece.begin);
      else
        for (auto& token : merge_(bytes))
          add(token.id, base_ + piece.begin + token.begin, base_ + piece.begin + token.end);
    }
    return {};
  }

  // The space in front stands for no text of its own and is counted to the first character.
  void add_spaced(std::string_view bytes, std::size_t begin) {
    std::string spaced(1, ' ');
    spaced += bytes;
    for (auto& token : merge_(spaced))
      add(token.id, begin + std::max(token.begin, 1u) - 1, begin + std::max(token.end, 2u) - 1);
  }

  const byte_level_tokenizer::parts& parts_;
  bpe_run merge_;
  std::size_t base_ = 0;  // where the stretch at hand begins in the text
  std::vector<placed_token> out_;
};

struct traced_span : token_span {
  vocabulary::margins spaces;
};

// Offsets as the `tokenizers` library trims them: one leading space at the start may be the one that was
// added, of several none was.
void trim(std::vector<traced_span>& spans, const trim_offsets& rule) {
  for (auto& span : spans) {
    auto [leading, trailing] = span.spaces;
    bool first = &span == &spans.front() || span.start == 0;
    bool added = rule.add_prefix_space && first && leading == 1;
    if (!added) span.start = std::min(span.start + leading, span.stop);
    if (span.stop >= trailing) span.stop = std::max(span.stop - trailing, span.start);
  }
}

// Characters of a text by number, and the number of the character that holds a byte.
class character_index {
 public:
  explicit character_index(std::string_view text) : text_(text), number_(text.size()) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (!utf8_is_tail(text[i])) begins_.push_back(static_cast<std::uint32_t>(i));
      number_[i] = static_cast<std::uint32_t>(begins_.size() - 1);
    }
    begins_.push_back(static_cast<std::uint32_t>(text.size()));
  }

  token_span span(const placed_token& token) const {
    token_span out;
    out.id = token.id;
    if (token.begin >= token.end) return out;
    out.start = number_[token.begin];
    out.stop = number_[token.end - 1] + 1;
    return out;
  }

  std::string text(const token_span& span) const {
    if (span.start >= span.stop) return {};
    return std::string(text_.substr(begins_[span.start], begins_[span.stop] - begins_[span.start]));
  }

 private:
  std::string_view text_;
  std::vector<std::uint32_t> begins_;
  std::vector<std::uint32_t> number_;
};

template <class Token>
void add_around(std::vector<Token>& tokens, const surround& rule) {
  auto as_token = [](token_id id) {
    Token out{};
    if constexpr (std::is_same_v<Token, token_id>)
      out = id;
    else
      out.id = id;
    return out;
  };
  std::vector<Token> out;
  out.reserve(rule.before.size() + tokens.size() + rule.after.size());
  std::transform(rule.before.begin(), rule.before.end(), std::back_inserter(out), as_token);
  std::move(tokens.begin(), tokens.end(), std::back_inserter(out));
  std::transform(rule.after.begin(), rule.after.end(), std::back_inserter(out), as_token);
  tokens = std::move(out);
}

}  // namespace

byte_level_tokenizer::byte_level_tokenizer(parts p) : parts_(std::move(p)) {}

result<std::vector<placed_token>> byte_level_tokenizer::place(std::string_view text) const {
  if (text.size() > text_limit) return fail(errc::invalid, "text of more than 1 GiB cannot be tokenized");
  encoding run(parts_);
  auto ok = run.add_text(text);
  if (!ok) return std::move(ok).error();
  return run.take();
}

result<std::vector<token_id>> byte_level_tokenizer::encode(std::string_view text,
                                                           bool add_special_tokens) const {
  if (utf8_valid_prefix(text) != text.size()) return encode(utf8_repaired(text), add_special_tokens);
  auto placed = place(text);
  if (!placed) return std::move(placed).error();
  std::vector<token_id> out;
  out.reserve(placed->size());
  for (auto& token : *placed)
    out.push_back(token.id);
  if (!add_special_tokens) return out;
  for (auto& step : parts_.post)
    if (auto rule = std::get_if<surround>(&step)) add_around(out, *rule);
  return out;
}

result<std::vector<token_span>> byte_level_tokenizer::encode_spans(std::string_view text,
                                                                   bool add_special_tokens) const {
  if (utf8_valid_prefix(text) != text.size()) return encode_spans(utf8_repaired(text), add_special_tokens);
  auto placed = place(text);
  if (!placed) return std::move(placed).error();
  character_index characters(text);
  std::vector<traced_span> spans;
  spans.reserve(placed->size());
  for (auto& token : *placed) {
    auto span = characters.span(token);
    auto spaces = token.added ? vocabulary::spaces_of(characters.text(span)) : parts_.words.spaces(token.id);
    spans.push_back({std::move(span), spaces});
  }
  for (auto& step : parts_.post) {
    if (auto rule = std::get_if<trim_offsets>(&step)) trim(spans, *rule);
    if (auto rule = std::get_if<surround>(&step); rule && add_special_tokens) add_around(spans, *rule);
  }
  std::vector<token_span> out;
  out.reserve(spans.size());
  for (auto& span : spans) {
    span.text = characters.text(span);
    out.push_back(std::move(span));
  }
  return out;
}

std::string_view byte_level_tokenizer::bytes(token_id id) const {
  return parts_.words.bytes(id);
}
bool byte_level_tokenizer::is_special(token_id id) const {
  return parts_.words.special(id);
}
std::uint32_t byte_level_tokenizer::size() const {
  return parts_.words.size();
}
const std::vector<token_id>& byte_level_tokenizer::eos() const {
  return parts_.eos;
}

}  // namespace lorica
