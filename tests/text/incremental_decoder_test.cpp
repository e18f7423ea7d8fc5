#include "text/incremental_decoder.hpp"

#include <random>

#include "tests/text/golden_files.hpp"

namespace lorica {
namespace {

// Ids are bytes; 256 is special and stands for "<s>", 257 is an empty token, 261 loses its space at the
// start.
class byte_tokenizer final : public tokenizer {
 public:
  byte_tokenizer() {
    for (unsigned byte = 0; byte < 256; ++byte)
      bytes_.push_back(std::string(1, static_cast<char>(byte)));
    bytes_.insert(bytes_.end(), {"<s>", "", "\xf0\x9f", "\x98\x80 \xe2\x82", "\xef\xbf\xbd", " w"});
  }
  result<std::vector<token_id>> encode(std::string_view, bool) const override {
    return std::vector<token_id>{};
  }
  result<std::vector<token_id>> encode_rendered(const template_text& text) const override {
    return encode(text.text, false);
  }

  result<std::vector<token_span>> rendered_spans(const template_text&) const override {
    return std::vector<token_span>{};
  }

  result<std::vector<token_span>> encode_spans(std::string_view, bool) const override {
    return std::vector<token_span>{};
  }
  std::string_view bytes(token_id id) const override {
    return id >= 0 && id < 262 ? std::string_view(bytes_[static_cast<std::size_t>(id)]) : std::string_view{};
  }
  std::string_view first_bytes(token_id id) const override { return bytes(id).substr(id == 261 ? 1 : 0); }
  bool is_special(token_id id) const override { return id == 256; }
  std::uint32_t size() const override { return 262; }
  const std::vector<token_id>& eos() const override { return eos_; }

 private:
  std::vector<std::string> bytes_;
  std::vector<token_id> eos_;
};

std::vector<std::string> pieces(std::string_view bytes) {
  incremental_decoder decoder(std::make_shared<byte_tokenizer>(), true);
  std::vector<std::string> out;
  for (char c : bytes)
    out.push_back(decoder.push(static_cast<unsigned char>(c)));
  out.push_back(decoder.flush());
  return out;
}

// The rule, written another way: try every length of a sequence against the table of well-formed ones.
bool in(unsigned char c, unsigned low, unsigned high) {
  return c >= low && c <= high;
}
std::size_t fitting(std::string_view s) {
  struct row {
    unsigned low[4], high[4];
    std::size_t length;
  };
  static constexpr row table[] = {
      {{0x00}, {0x7f}, 1},
      {{0xc2, 0x80}, {0xdf, 0xbf}, 2},
      {{0xe0, 0xa0, 0x80}, {0xe0, 0xbf, 0xbf}, 3},
      {{0xe1, 0x80, 0x80}, {0xec, 0xbf, 0xbf}, 3},
      {{0xed, 0x80, 0x80}, {0xed, 0x9f, 0xbf}, 3},
      {{0xee, 0x80, 0x80}, {0xef, 0xbf, 0xbf}, 3},
      {{0xf0, 0x90, 0x80, 0x80}, {0xf0, 0xbf, 0xbf, 0xbf}, 4},
      {{0xf1, 0x80, 0x80, 0x80}, {0xf3, 0xbf, 0xbf, 0xbf}, 4},
      {{0xf4, 0x80, 0x80, 0x80}, {0xf4, 0x8f, 0xbf, 0xbf}, 4},
  };
  std::size_t best = 0;
  for (auto& r : table) {
    std::size_t n = 0;
    while (n < r.length && n < s.size() && in(static_cast<unsigned char>(s[n]), r.low[n], r.high[n]))
      ++n;
    if (n == r.length) return n | 0x80;
    best = std::max(best, n);
  }
  return best;
}

std::string lossy(std::string_view s) {
  std::string out;
  while (!s.empty()) {
    auto n = fitting(s);
    if (n & 0x80)
      out += s.substr(0, n & 0x7f);
    else
      out += "\xef\xbf\xbd";
    s.remove_prefix(std::max<std::size_t>(n & 0x7f, 1));
  }
  return out;
}

}  // namespace

TEST_CASE("a character comes out whole, with its last byte") {
  CHECK(pieces("\xf0\x9f\x98\x80!") == std::vector<std::string>{"", "", "", "\xf0\x9f\x98\x80", "!", ""});
}

TEST_CASE("an unfinished character becomes one U+FFFD at the end") {
  CHECK(pieces("a\xf0\x9f\x98") == std::vector<std::string>{"a", "", "", "", "\xef\xbf\xbd"});
}

TEST_CASE("an invalid sequence becomes U+FFFD at once, by maximal subparts") {
  CHECK(pieces("\xff") == std::vector<std::string>{"\xef\xbf\xbd", ""});
  CHECK(pieces("\xe2\x82g") == std::vector<std::string>{"", "", "\xef\xbf\xbdg", ""});
  CHECK(pieces("\xe0\x80") == std::vector<std::string>{"", "\xef\xbf\xbd\xef\xbf\xbd", ""});
  CHECK(pieces("\xed\xa0\x80") ==
        std::vector<std::string>{"", "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd", ""});
}

TEST_CASE("a replacement character the model wrote itself does not hold the stream") {
  CHECK(pieces("\xef\xbf\xbdx") == std::vector<std::string>{"", "", "\xef\xbf\xbd", "x", ""});
}

TEST_CASE("a skipped special leaves bytes around it to form one character") {
  auto words = std::make_shared<byte_tokenizer>();
  incremental_decoder skipping(words, true);
  CHECK(skipping.push(0xc3).empty());
  CHECK(skipping.push(256).empty());
  CHECK(skipping.push(0xa9) == "\xc3\xa9");
  incremental_decoder showing(words, false);
  CHECK(showing.push(0xc3).empty());
  CHECK(showing.push(256) == "\xef\xbf\xbd<s>");
  CHECK(showing.push(0xa9) == "\xef\xbf\xbd");
  CHECK(showing.flush().empty());
  CHECK(showing.push(-1).empty());
  CHECK(showing.push(1 << 30).empty());
}

TEST_CASE("the first token that stands for bytes begins the text, unless one before the text did") {
  auto words = std::make_shared<byte_tokenizer>();
  auto text = [&](bool skip, std::vector<token_id> before, const std::vector<token_id>& ids) {
    incremental_decoder decoder(words, skip, before);
    std::string out;
    for (auto id : ids)
      out += decoder.push(id);
    return out;
  };
  CHECK(text(true, {}, {261, 261}) == "w w");
  CHECK(text(true, {}, {256, 257, -1, 261, 261}) == "w w");
  CHECK(text(false, {}, {256, 261}) == "<s> w");
  CHECK(text(true, {'a'}, {261}) == " w");
  CHECK(text(true, {256, 257, 300}, {261}) == "w");
  CHECK(text(false, {256}, {261}) == " w");
  CHECK(text(true, {261, 256}, {261}) == " w");
}

TEST_CASE("streamed bytes give the same text as all at once, whatever the split") {
  std::mt19937 random(71);
  INFO("seed 71");
  auto words = std::make_shared<byte_tokenizer>();
  const unsigned char leads[] = {0x41, 0x80, 0xbf, 0xc2, 0xe0, 0xe2, 0xed,
                                 0xef, 0xf0, 0xf1, 0xf4, 0xff, 0x90, 0xa0};
  for (int round = 0; round < 20000; ++round) {
    std::string bytes;
    incremental_decoder decoder(words, true);
    std::string streamed;
    std::size_t held = 0;
    for (auto n = random() % 12; n > 0; --n) {
      auto id =
          random() % 8 == 0 ? static_cast<token_id>(256 + random() % 5) : leads[random() % sizeof leads];
      if (id != 256) bytes += words->bytes(id);
      streamed += decoder.push(id);
      held = lossy(bytes).size();
      REQUIRE(held >= streamed.size());
      REQUIRE(held - streamed.size() <= 3);
    }
    streamed += decoder.flush();
    REQUIRE(streamed == lossy(bytes));
  }
}

TEST_CASE("a prompt and its completion decode to what their ids decode to at once") {
  using row = std::pair<const char*, bool>;
  auto [family, loses_space] =
      GENERATE(row{"llama2", true}, row{"mistral", true}, row{"nfkc", true}, row{"gemma", false},
               row{"odd_characters", false}, row{"gpt2", false});
  auto words = golden_tokenizer(family);
  std::mt19937 random(73);
  INFO("seed 73");
  int with_lost_space = 0;
  for (int round = 0; round < 3000; ++round) {
    bool skip = random() % 2 == 0;
    incremental_decoder whole(words, skip);
    std::vector<token_id> prompt;
    std::string text;
    for (auto n = random() % 4; n > 0; --n) {
      prompt.push_back(static_cast<token_id>(random() % (random() % 2 ? 4 : words->size())));
      text += whole.push(prompt.back());
    }
    auto held = incremental_decoder(whole).flush();
    if (!held.empty()) continue;  // the prompt ends inside a character
    incremental_decoder completion(words, skip, prompt);
    for (auto n = random() % 6; n > 0; --n) {
      auto id = static_cast<token_id>(random() % words->size());
      if (text.empty() && words->bytes(id) != words->first_bytes(id)) ++with_lost_space;
      REQUIRE(completion.push(id) == whole.push(id));
    }
    REQUIRE(completion.flush() == whole.flush());
  }
  CHECK((with_lost_space > 50) == loses_space);
}

TEST_CASE("streamed ids of a real vocabulary give the text of their joined bytes") {
  auto words = golden_tokenizer(GENERATE("llama3", "llama2", "gemma"));
  std::mt19937 random(72);
  INFO("seed 72");
  for (int round = 0; round < 2000; ++round) {
    incremental_decoder decoder(words, false);
    std::string bytes;
    std::string streamed;
    bool begun = false;
    for (auto n = random() % 30; n > 0; --n) {
      auto id = static_cast<token_id>(random() % (words->size() + 2));
      bytes += begun ? words->bytes(id) : words->first_bytes(id);
      begun = begun || !words->bytes(id).empty();
      streamed += decoder.push(id);
    }
    REQUIRE(streamed + decoder.flush() == lossy(bytes));
  }
}

}  // namespace lorica
