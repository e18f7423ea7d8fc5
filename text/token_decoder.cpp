#include "text/token_decoder.hpp"

#include <utility>

#include "text/byte_alphabet.hpp"

namespace lorica {
namespace {

struct stepper {
  std::string_view text;
  bool first;

  result<std::string> operator()(const replacement& r) const {
    auto edited = r.apply(text);
    if (!edited) return std::move(edited).error();
    return std::move(edited->text);
  }

  result<std::string> operator()(const strip_start& s) const {
    auto rest = text;
    for (auto left = s.count; left > 0 && rest.starts_with(s.character); --left)
      rest.remove_prefix(s.character.size());
    return std::string(rest);
  }

  result<std::string> operator()(const symbol_to_space& s) const {
    std::string out;
    auto lost = first ? s.lost_in_first : lost_symbols::none;
    std::size_t done = lost == lost_symbols::leading && text.starts_with(s.symbol) ? s.symbol.size() : 0;
    for (auto at = text.find(s.symbol, done); at != std::string_view::npos; at = text.find(s.symbol, done)) {
      out += text.substr(done, at - done);
      if (lost != lost_symbols::all) out += ' ';
      done = at + s.symbol.size();
    }
    return out += text.substr(done);
  }
};

std::string raw(std::string text, byte_notation notation) {
  if (notation == byte_notation::alphabet) return bytes_of_symbols(text).value_or(text);
  auto byte = notation == byte_notation::tokens ? byte_of_token(text) : std::nullopt;
  return byte ? std::string(1, static_cast<char>(*byte)) : text;
}

}  // namespace

result<token_decoder> token_decoder::compile(const options& o) {
  token_decoder out;
  out.notation_ = o.notation;
  out.strip_first_ = o.strip_first;
  for (auto& s : o.steps) {
    if (auto source = std::get_if<replacement::source>(&s)) {
      auto r = replacement::compile(*source);
      if (!r) return std::move(r).error();
      out.steps_.emplace_back(*std::move(r));
    } else if (auto strip = std::get_if<strip_start>(&s)) {
      out.steps_.emplace_back(*strip);
    } else {
      out.steps_.emplace_back(std::get<symbol_to_space>(s));
    }
  }
  return out;
}

result<token_decoder::meaning> token_decoder::decode(std::string_view token) const {
  meaning out{std::string(token), std::string(token)};
  for (auto& s : steps_) {
    auto later = std::visit(stepper{out.bytes, false}, s);
    if (!later) return std::move(later).error();
    auto first = std::visit(stepper{out.first, true}, s);
    if (!first) return std::move(first).error();
    out = {*std::move(later), *std::move(first)};
  }
  out.bytes = raw(std::move(out.bytes), notation_);
  out.first = raw(std::move(out.first), notation_);
  if (strip_first_ && out.first.starts_with(*strip_first_)) out.first.erase(0, 1);
  return out;
}

}  // namespace lorica
