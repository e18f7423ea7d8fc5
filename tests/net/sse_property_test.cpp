// Streams of random tokens through our sink and formats, read back by four readers that cut lines
// differently. Texts are made of what has broken one reader or another: line ends of Unicode, NUL, quotes,
// backslashes, text that looks like an event, characters of two to four bytes.
#include <random>

#include "core/json.hpp"
#include "net/chat_reply.hpp"
#include "net/completion_reply.hpp"
#include "net/sse_stream.hpp"
#include "net/tgi_reply.hpp"
#include "tests/catch.hpp"
#include "tests/net/sse_readers.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

constexpr int streams = 10'000;

/// Keeps what a connection would write, each event apart.
class recorded_channel final : public reply_channel {
 public:
  void attach(std::shared_ptr<generation_handle>) override {}
  void expect_stream(http_reply) override {}
  void reply(http_reply) override { FAIL("a stream was to come"); }
  bool begin_stream(http_reply head) override {
    type = head.content_type;
    return true;
  }
  void send(std::string event) override { writes.push_back(std::move(event)); }
  void refuse_stream(http_reply, std::vector<std::string>) override { FAIL("a stream was to come"); }
  void end_stream() override { ended = true; }
  void break_stream() override { FAIL("the stream was to end"); }
  bool saturated() const noexcept override { return false; }

  std::string type;
  std::vector<std::string> writes;
  bool ended = false;
};

const std::string pieces[] = {
    "a",
    "Hello",
    " ",
    "\n",
    "\r",
    "\r\n",
    "\n\n",
    "\t",
    "\v",
    "\f",
    "\x1c",
    "\x1d",
    "\x1e",
    "\x7f",
    "\"",
    "\\",
    "\\n",
    "\\u2028",
    "data: ",
    "data: {}",
    "\n\ndata: {}",
    "[DONE]",
    ": ping",
    "event: x\n",
    "\xc2\x85",
    "\xe2\x80\xa8",
    "\xe2\x80\xa9",
    "\xc3\xa9",
    "\xe2\x82\xac",
    "\xf0\x9f\xa6\x9c",
    "\xef\xbb\xbf",
    "\xcc\x81",
    std::string(1, '\0'),
    std::string("\x01\x02\x1f"),
    "\xe4\xb8\xad\xe6\x96\x87",
    "</s>",
    "{\"error\":1}",
};

std::string random_text(std::mt19937& random) {
  std::string out;
  for (auto left = random() % 6; left > 0; --left)
    out += pieces[random() % std::size(pieces)];
  return out;
}

enum class dialect { native, completion, chat };

std::unique_ptr<event_format> format_of(dialect d) {
  if (d == dialect::native) return tgi_events({});
  openai_identity identity{"cmpl-1", 1, "sql", "f"};
  return d == dialect::chat ? chat_events(std::move(identity), {}, 1)
                            : completion_events(std::move(identity), {}, 1);
}

std::string text_at(const value& event, dialect d) {
  if (d == dialect::native) return *event.find("token")->find("text")->as_string();
  auto& choice = event.find("choices")->as_array()->front();
  if (d == dialect::completion) return *choice.find("text")->as_string();
  auto content = choice.find("delta")->find("content");
  return content ? *content->as_string() : std::string();
}

enum class ending { good, failure };

/// One stream: what was generated, and all that went out, with heartbeats between.
struct played {
  std::vector<std::string> texts;
  std::string bytes;
  std::size_t events = 0;
};

played play(std::mt19937& random, dialect d, ending end) {
  auto channel = std::make_shared<recorded_channel>();
  played out;
  {
    sse_stream sink(channel, {}, format_of(d));
    sink.started({});
    std::string all;
    auto count = 1 + random() % 8;
    for (std::size_t i = 0; i < count; ++i) {
      out.texts.push_back(random_text(random));
      all += out.texts.back();
      sink.chunk({0,
                  {{static_cast<token_id>(i + 1), out.texts.back(), -0.5f, false, {}}},
                  end == ending::good && i + 1 == count});
    }
    if (end == ending::good) {
      sink.finished({0, finish_reason::length, all, static_cast<std::uint32_t>(count), 1});
      sink.done({});
    } else {
      sink.failed(fail(errc::generation_failed, random_text(random)));
    }
  }
  REQUIRE(channel->ended);
  REQUIRE(channel->type == "text/event-stream");
  out.events = channel->writes.size();
  for (auto& event : channel->writes) {
    if (random() % 4 == 0) out.bytes += ":\n\n";
    // One write is one event, whole.
    REQUIRE(read_by_strict_lines(event).size() == 1);
    out.bytes += event;
  }
  return out;
}

void check(const played& stream, const std::vector<std::string>& payloads, dialect d, ending end) {
  REQUIRE(payloads.size() == stream.events);
  REQUIRE((payloads.back() == "[DONE]") == (d != dialect::native));
  std::string got, wanted;
  bool failed = false;
  for (auto& payload : payloads) {
    if (payload == "[DONE]") continue;
    auto event = parse_json(payload);
    REQUIRE(event);
    failed = failed || event->find("error");
    if (!event->find("error")) got += text_at(*event, d);
  }
  for (auto& text : stream.texts)
    wanted += text;
  REQUIRE(got == wanted);
  REQUIRE(failed == (end == ending::failure));
}

}  // namespace

TEST_CASE("four kinds of readers read back 10,000 streams of random tokens, whatever is in them") {
  constexpr sse_reader readers[] = {read_as_event_source, read_by_unicode_lines, read_by_blank_lines,
                                    read_by_strict_lines};
  constexpr unsigned seed = 20250311;
  std::mt19937 random(seed);
  for (int i = 0; i < streams; ++i) {
    INFO("seed " << seed << ", stream " << i);
    auto d = static_cast<dialect>(i % 3);
    auto end = i % 10 == 0 ? ending::failure : ending::good;
    auto stream = play(random, d, end);
    for (auto reader : readers)
      check(stream, reader(stream.bytes), d, end);
  }
}

TEST_CASE("the readers do see what they are there for") {
  CHECK(read_as_event_source("data: a\r\rdata:b\n\n") == std::vector<std::string>{"a", "b"});
  CHECK_THROWS(read_as_event_source("data: a\n"));
  CHECK_THROWS(read_by_unicode_lines("data: a\xe2\x80\xa8z\n\n"));
  CHECK_THROWS(read_by_unicode_lines("data: a\xc2\x85z\n\n"));
  CHECK_THROWS(read_by_blank_lines("data: a\r\n\r\n"));
  CHECK_THROWS(read_by_blank_lines("data: a\n\n\ndata: b\n\n"));
  CHECK_THROWS(read_by_strict_lines("data:[DONE]\n\n"));
  CHECK(read_by_strict_lines(": ping\n\ndata: [DONE]\n\n") == std::vector<std::string>{"[DONE]"});
}
