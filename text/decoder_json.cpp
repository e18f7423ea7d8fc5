#include "core/checked.hpp"
#include "text/json_steps.hpp"
#include "text/tokenizer_json.hpp"

namespace lorica {
namespace {

// Reads the steps of a decoder front to back. First come those that change each token by itself, then the one
// that tells bytes, then Fuse, then those that change the text as a whole.
class decoder_reader {
 public:
  explicit decoder_reader(token_decoder::options& out) : out_(out) {}

  void read(json_part step) {
    auto type = step.text("type");
    if (type == "ByteFallback" || type == "ByteLevel") return read_bytes(step, type);
    if (type == "Fuse") return read_fuse(step);
    if (type == "Strip") return read_strip(step);
    if (type == "Metaspace") return read_symbol(step);
    if (type == "Replace") return read_replace(step);
    refuse_type(step, "ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Strip and Sequence are");
  }

 private:
  void read_bytes(json_part& step, std::string_view type) {
    // The settings of ByteLevel belong to encoding.
    if (type == "ByteLevel")
      step.allow({"type", "add_prefix_space", "trim_offsets", "use_regex"});
    else
      step.allow({"type"});
    if (!on_tokens(step)) return;
    out_.notation = type == "ByteLevel" ? byte_notation::alphabet : byte_notation::tokens;
  }

  void read_fuse(json_part& step) {
    step.allow({"type"});
    fused_ = true;
  }

  void read_strip(json_part& step) {
    step.allow({"type", "content", "start", "stop"});
    auto character = read_character(step, "content");
    auto start = count(step, "start");
    if (count(step, "stop") != 0)
      step.refuse("stop must be 0: the end of a text is not known while it is made");
    if (!fused_) {
      if (on_tokens(step)) out_.steps.emplace_back(strip_start{std::move(character), start});
      return;
    }
    if (start == 0) return;
    if (start > 1 || out_.strip_first || character.size() != 1)
      return step.refuse("behind Fuse must take one ASCII character, once");
    if (metaspace_ || out_.notation == byte_notation::alphabet)
      return step.refuse("behind Fuse does not go together with Metaspace or ByteLevel");
    out_.strip_first = character[0];
  }

  void read_symbol(const json_part& step) {
    auto fields = read_metaspace(step);
    if (!out_.steps.empty())
      return step.refuse("of type 'Metaspace' must be the only step that changes tokens");
    if (!on_tokens(step)) return;
    metaspace_ = true;
    out_.steps.emplace_back(symbol_to_space{
        fields.symbol, fields.prefix == space_prefix::never ? lost_symbols::none : lost_symbols::all});
  }

  void read_replace(json_part& step) {
    step.allow({"type", "pattern", "content"});
    if (on_tokens(step))
      out_.steps.emplace_back(replacement::source{read_pattern(step), step.text("content")});
  }

  // Tokens are single until Fuse, and their texts are text until bytes were told.
  bool on_tokens(const json_part& step) const {
    if (fused_ || out_.notation != byte_notation::none)
      step.refuse("of type '" + step.text("type") + "' must stand before ByteFallback, ByteLevel and Fuse");
    else if (metaspace_ && step.text("type") != "ByteFallback")
      // It counts tokens, so it must see all of them as they are.
      step.refuse("of type '" + step.text("type") + "' must not stand behind Metaspace");
    else
      return true;
    return false;
  }

  static std::size_t count(const json_part& step, std::string_view field) {
    auto v = step.find(field);
    auto number = v ? v->as_int() : nullptr;
    auto out = number ? checked_cast<std::size_t>(*number) : std::nullopt;
    if (!out) step.refuse(std::string(field) + " must be a number of characters");
    return out.value_or(0);
  }

  token_decoder::options& out_;
  bool fused_ = false;
  bool metaspace_ = false;
};

}  // namespace

void read_decoder(const json_part& decoder, tokenizer_parts& parts) {
  auto steps = flattened(decoder, "decoders");
  // Without any, the library puts spaces between tokens.
  if (steps.empty()) return decoder.refuse("must say how tokens become text; ByteLevel does, for instance");
  decoder_reader reader(parts.decoder);
  for (auto& step : steps)
    reader.read(step);
}

}  // namespace lorica
