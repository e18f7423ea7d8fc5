#include "text/bpe_tokenizer.hpp"

#include <algorithm>
#include <utility>

#include "core/utf8.hpp"
#include "text/traced_text.hpp"

namespace lorica {
namespace {

// Offsets are 32 bits, and a text of this length is no prompt.
constexpr std::size_t text_limit = std::size_t{1} << 30;

// A token with its bytes in the text.
struct traced_token {
  token_id id = 0;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  std::optional<vocabulary::margins> spaces;  // of what an added token matched
};

// Where the tokens of a walk go. Ways back to the text are asked for only where they are wanted.
struct id_list {
  std::vector<token_id> ids;

  void add(token_id id, const traced_text&, std::size_t, std::size_t) { ids.push_back(id); }
  void add_found(token_id id, std::string_view, std::pair<std::size_t, std::size_t>) { ids.push_back(id); }
};

struct trace_list {
  std::vector<traced_token> tokens;

  void add(token_id id, const traced_text& text, std::size_t begin, std::size_t end) {
    add(id, text.origin(begin, end), {});
  }
  void add_found(token_id id, std::string_view match, std::pair<std::size_t, std::size_t> place) {
    add(id, place, vocabulary::spaces_of(match));
  }

 private:
  void add(token_id id, std::pair<std::size_t, std::size_t> place,
           std::optional<vocabulary::margins> spaces) {
    tokens.push_back({.id = id,
                      .begin = static_cast<std::uint32_t>(place.first),
                      .end = static_cast<std::uint32_t>(place.second),
                      .spaces = spaces});
  }
};

// One walk of a text through the steps.
template <class List>
class encoding {
 public:
  /// `marks` are of the text that is run, or null; what lies in them is no added token.
  explicit encoding(const bpe_tokenizer::parts& parts, const template_text* marks = nullptr)
      : parts_(parts), marks_(marks), merge_(parts.merges) {}

  result<List> run(std::string_view text) {
    if (text.size() > text_limit) return fail(errc::invalid, "text of more than 1 GiB cannot be tokenized");
    added_token_matcher::permission allowed;
    if (marks_) allowed = [this](std::size_t begin, std::size_t end) { return !marks_->marked(begin, end); };
    for (auto& section : parts_.raw.cut(text, allowed)) {
      auto part = text.substr(section.begin, section.end - section.begin);
      if (section.token) {
        out_.add_found(*section.token, part, {section.begin, section.end});
        continue;
      }
      if (auto ok = add_raw(traced_text(part, section.begin)); !ok) return std::move(ok).error();
    }
    return std::move(out_);
  }

 private:
  result<void> add_raw(traced_text text) {
    if (auto ok = parts_.normal.apply(text); !ok) return ok;
    added_token_matcher::permission allowed;
    if (marks_) allowed = [&](std::size_t begin, std::size_t end) { return !from_request(text, begin, end); };
    for (auto& section : parts_.normalised.cut(text.text(), allowed)) {
      traced_text part(text, section.begin, section.end);
      if (section.token) {
        out_.add_found(*section.token, part.text(), text.origin(section.begin, section.end));
        continue;
      }
      if (auto ok = add_plain(std::move(part)); !ok) return ok;
    }
    return {};
  }

  result<void> add_plain(traced_text text) {
    auto pieces = parts_.pre.split(text);
    if (!pieces) return std::move(pieces).error();
    for (auto& piece : *pieces)
      for (auto& token : merge_(text.text().substr(piece.begin, piece.end - piece.begin))) {
        auto begin = piece.begin + token.begin, end = piece.begin + token.end;
        // A vocabulary may spell a special token with its merges: nothing else stands for this text then.
        bool spelt = marks_ && parts_.words.special(token.id) &&
                     parts_.words.bytes(token.id) == text.text().substr(begin, end - begin);
        if (spelt && from_request(text, begin, end))
          return fail(errc::invalid, "the conversation holds text that is a special token of the model");
        out_.add(token.id, text, begin, end);
      }
    return {};
  }

  bool from_request(const traced_text& text, std::size_t begin, std::size_t end) const {
    auto place = text.origin(begin, end);
    return marks_->marked(place.first, place.second);
  }

  const bpe_tokenizer::parts& parts_;
  const template_text* marks_;
  bpe_run merge_;
  List out_;
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

  token_span span(const traced_token& token) const {
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

std::vector<token_span> spans_of(const std::vector<traced_token>& tokens, const bpe_tokenizer::parts& parts,
                                 std::string_view text, bool add_special_tokens) {
  character_index characters(text);
  std::vector<traced_span> spans;
  spans.reserve(tokens.size());
  for (auto& token : tokens)
    spans.push_back({characters.span(token), token.spaces.value_or(parts.words.spaces(token.id))});
  for (auto& step : parts.post) {
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

// Each stretch between the edges of marks by itself, so that marks stay with their bytes.
template_text repaired(const template_text& text) {
  template_text out;
  std::size_t done = 0;
  auto put = [&](std::size_t end, bool marked) {
    out.append(utf8_repaired(std::string_view(text.text).substr(done, end - done)), marked);
    done = end;
  };
  for (auto& span : text.from_request) {
    put(span.begin, false);
    put(span.end, true);
  }
  put(text.text.size(), false);
  return out;
}

}  // namespace

bpe_tokenizer::bpe_tokenizer(parts p) : parts_(std::move(p)) {}

result<std::vector<token_id>> bpe_tokenizer::encode(std::string_view text, bool add_special_tokens) const {
  if (utf8_valid_prefix(text) != text.size()) return encode(utf8_repaired(text), add_special_tokens);
  auto list = encoding<id_list>(parts_).run(text);
  if (!list) return std::move(list).error();
  auto out = std::move(list->ids);
  if (!add_special_tokens) return out;
  for (auto& step : parts_.post)
    if (auto rule = std::get_if<surround>(&step)) add_around(out, *rule);
  return out;
}

result<std::vector<token_id>> bpe_tokenizer::encode_rendered(const template_text& text) const {
  if (utf8_valid_prefix(text.text) != text.text.size()) return encode_rendered(repaired(text));
  auto list = encoding<id_list>(parts_, &text).run(text.text);
  if (!list) return std::move(list).error();
  return std::move(list->ids);
}

result<std::vector<token_span>> bpe_tokenizer::encode_spans(std::string_view text,
                                                            bool add_special_tokens) const {
  if (utf8_valid_prefix(text) != text.size()) return encode_spans(utf8_repaired(text), add_special_tokens);
  auto list = encoding<trace_list>(parts_).run(text);
  if (!list) return std::move(list).error();
  return spans_of(list->tokens, parts_, text, add_special_tokens);
}

result<std::vector<token_span>> bpe_tokenizer::rendered_spans(const template_text& text) const {
  if (utf8_valid_prefix(text.text) != text.text.size()) return rendered_spans(repaired(text));
  auto list = encoding<trace_list>(parts_, &text).run(text.text);
  if (!list) return std::move(list).error();
  return spans_of(list->tokens, parts_, text.text, /*add_special_tokens=*/false);
}

std::string_view bpe_tokenizer::bytes(token_id id) const {
  return parts_.words.bytes(id);
}
std::string_view bpe_tokenizer::first_bytes(token_id id) const {
  return parts_.words.first_bytes(id);
}
bool bpe_tokenizer::is_special(token_id id) const {
  return parts_.words.special(id);
}
std::uint32_t bpe_tokenizer::size() const {
  return parts_.words.size();
}
const std::vector<token_id>& bpe_tokenizer::eos() const {
  return parts_.eos;
}

}  // namespace lorica
