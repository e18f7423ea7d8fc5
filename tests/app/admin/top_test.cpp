#include <fmt/format.h>

#include "app/admin/json_text.hpp"
#include "app/admin/top_screen.hpp"
#include "core/json.hpp"
#include "tests/catch.hpp"

using namespace lorica;
using namespace lorica::admin;

namespace {

constexpr auto begin = std::chrono::steady_clock::time_point{};

/// Adapters a, b, c; `a` has answered 10 requests of 20 tokens per second of the server's life.
top_reading reading(int second, int adapters = 3) {
  top_reading out;
  out.at = begin + std::chrono::seconds(second);
  out.time = 1'700'000'000 + second;
  out.ready = true;
  out.info = *parse_json(R"({"model_id":"tiny","version":"0.1.0"})");
  for (int i = 0; i < adapters; ++i) {
    auto name = std::string(1, static_cast<char>('a' + i % 26)) + (i < 26 ? "" : std::to_string(i));
    auto text = fmt::format(R"({{"name":"{}","version":"0123456789abcdef","state":"ready","tier":"device",)"
                            R"("bytes":{},"users":{},"requests":{},"last_used":{},"pinned":{}}})",
                            name, 1000 + i, i == 1 ? 2 : 0, 10 * i, i == 2 ? 1'700'000'000 : 0, i == 2);
    out.adapters.push_back(*parse_json(text));
  }
  out.metrics = metric_sample::read(fmt::format(
      "lorica_requests_total{{adapter=\"a\"}} {}\nlorica_requests_total{{adapter=\"\"}} 5\n"
      "lorica_generated_tokens_total{{adapter=\"a\"}} {}\nlorica_steps_total {}\nlorica_step_rows_sum {}\n"
      "lorica_requests_running 4\nlorica_requests_waiting 9\nlorica_kv_blocks_used 50\n"
      "lorica_kv_blocks_total 100\nlorica_adapter_bytes 3072\nlorica_adapter_budget_bytes 12288\n"
      "lorica_memory_bytes{{part=\"weights\"}} 1048576\n",
      10 * second, 200 * second, 100 * second, 300 * second));
  return out;
}

top_state with(int adapters = 3) {
  top_state out("host:1", adapter_order::name);
  out.take(reading(100, adapters));
  return out;
}

std::vector<std::string> texts(const std::vector<screen_line>& lines) {
  std::vector<std::string> out;
  for (auto& line : lines)
    out.push_back(line.text);
  return out;
}

std::string all(const std::vector<screen_line>& lines) {
  std::string out;
  for (auto& line : lines)
    out += line.text + "\n";
  return out;
}

std::string marked(const std::vector<screen_line>& lines) {
  std::string out;
  for (auto& line : lines)
    if (line.style == line_style::selected) out += line.text.substr(0, line.text.find(' '));
  return out;
}

top_wish type(top_state& state, char c) {
  return state.press(top_key::character, c, 10);
}

std::string order_of(const top_state& state) {
  std::string out;
  for (auto& row : state.rows())
    out += row.name.empty() ? "-" : row.name;
  return out;
}

}  // namespace

TEST_CASE("rates are differences over the last ten seconds") {
  top_rates rates;
  rates.take(reading(100));
  CHECK_FALSE(rates.known());
  CHECK(rates.requests("a") == 0);
  rates.take(reading(102));
  CHECK(rates.requests("a") == 10);
  CHECK(rates.tokens("a") == 200);
  CHECK(rates.requests("") == 0);
  CHECK(rates.requests("nobody") == 0);
  CHECK(rates.rows() == 300);
  CHECK(rates.all_tokens() == 200);
  // After a quiet minute nothing of the traffic before is left.
  auto quiet = reading(102);
  for (int second = 103; second < 160; ++second) {
    quiet.at = begin + std::chrono::seconds(second);
    rates.take(quiet);
  }
  CHECK(rates.requests("a") == 0);
}

TEST_CASE("a server that started anew has no negative rates") {
  top_rates rates;
  rates.take(reading(100));
  auto anew = reading(1);
  anew.at = begin + std::chrono::seconds(101);
  rates.take(anew);
  CHECK_FALSE(rates.known());
  CHECK(rates.requests("a") == 0);
  auto next = reading(2);
  next.at = begin + std::chrono::seconds(102);
  rates.take(next);
  CHECK(rates.requests("a") == 10);
}

TEST_CASE("rows sort by name, bytes, last use and traffic") {
  auto state = with();
  state.take(reading(101));
  CHECK(order_of(state) == "-abc");
  type(state, 'b');
  CHECK(order_of(state) == "cba-");
  type(state, 'l');
  CHECK(order_of(state) == "c-ab");
  type(state, 't');
  // b has requests inside, a has a rate, c was asked for more often than the base.
  CHECK(order_of(state) == "bac-");
  type(state, 'n');
  CHECK(order_of(state) == "-abc");
}

TEST_CASE("the selection follows its adapter and stays inside the table") {
  auto state = with();
  CHECK(state.selected() == 0);
  state.press(top_key::up, 0, 10);
  CHECK(state.selected() == 0);
  state.press(top_key::down, 0, 10);
  state.press(top_key::down, 0, 10);
  CHECK(state.rows()[state.selected()].name == "b");
  type(state, 'b');
  CHECK(state.rows()[state.selected()].name == "b");
  CHECK(state.selected() == 1);
  state.press(top_key::end, 0, 10);
  CHECK(state.selected() == 3);
  state.press(top_key::page_down, 0, 10);
  CHECK(state.selected() == 3);
  state.press(top_key::home, 0, 10);
  CHECK(state.selected() == 0);
}

TEST_CASE("p pins or unpins what is selected, and never the base") {
  auto state = with();
  CHECK(type(state, 'p').what == top_wish::kind::none);
  CHECK_THAT(state.said(), Catch::Contains("Select an adapter"));
  type(state, 'j');
  auto pin = type(state, 'p');
  CHECK(pin.what == top_wish::kind::pin);
  CHECK(pin.name == "a");
  CHECK(type(state, 'p').what == top_wish::kind::unpin);  // at once, before any reading
  state.press(top_key::end, 0, 10);
  auto unpin = type(state, 'p');
  CHECK(unpin.what == top_wish::kind::unpin);
  CHECK(unpin.name == "c");
}

TEST_CASE("u asks, and only y unloads what was asked about") {
  auto state = with();
  type(state, 'j');
  CHECK(type(state, 'u').what == top_wish::kind::none);
  CHECK(state.question() == "a");
  CHECK_THAT(draw_top(state, {24, 80}).back().text, Catch::StartsWith("Unload a?"));
  CHECK(type(state, 'q').what == top_wish::kind::none);  // no
  CHECK(state.question().empty());
  type(state, 'u');
  state.press(top_key::down, 0, 10);  // no
  CHECK(state.question().empty());
  CHECK(state.rows()[state.selected()].name == "a");
  type(state, 'u');
  auto wish = type(state, 'y');
  CHECK(wish.what == top_wish::kind::unload);
  CHECK(wish.name == "a");
  // A question about an adapter that is gone meanwhile is taken back.
  state.press(top_key::end, 0, 10);
  type(state, 'u');
  CHECK(state.question() == "c");
  state.take(reading(101, 2));
  CHECK(state.question().empty());
  CHECK(type(state, 'y').what == top_wish::kind::none);
}

TEST_CASE("q quits, and help is closed by any key") {
  auto state = with();
  type(state, '?');
  CHECK(state.shows_help());
  CHECK_THAT(all(draw_top(state, {24, 80})), Catch::Contains("any key closes it"));
  CHECK(type(state, 'q').what == top_wish::kind::none);
  CHECK_FALSE(state.shows_help());
  CHECK(type(state, 'q').what == top_wish::kind::quit);
}

TEST_CASE("the screen shows figures, rows, events and keys") {
  auto state = with();
  state.take(reading(101));
  for (int i = 0; i < 200; ++i)
    state.tell("event " + std::to_string(i));
  CHECK(state.events().size() == top_state::most_events);
  auto lines = draw_top(state, {24, 120});
  REQUIRE(lines.size() == 24);
  auto text = all(lines);
  for (auto part :
       {"host:1", "tiny", "ready", "4 running, 9 waiting", "10.0 req/s", "200 tokens/s", "300 rows/s",
        "[##########..........] 50 of 100 blocks", "[#####...............] 3.0 KiB of 12.0 KiB",
        "weights 1.0 MiB", "NAME*", "(base)", "0123456789ab", "pinned", "event 199", "q quit"}) {
    INFO(text);
    CHECK_THAT(text, Catch::Contains(part));
  }
  CHECK_THAT(text, !Catch::Contains("event 100\n"));
  CHECK(marked(lines) == "(base)");
}

TEST_CASE("a screen of any size has so many lines, none too wide, and the selected row") {
  auto state = with(100);
  for (int i = 0; i < 57; ++i)
    state.press(top_key::down, 0, 10);
  auto selected = state.rows()[state.selected()].name;
  state.tell(
      "an event that is rather long, longer than most screens of this test are wide, so that it is cut");
  for (int rows = 0; rows < 60; ++rows)
    for (int columns : {0, 1, 7, 40, 79, 200}) {
      auto lines = draw_top(state, {rows, columns});
      if (columns == 0) {
        CHECK(lines.empty());
        continue;
      }
      REQUIRE(lines.size() == static_cast<std::size_t>(rows));
      for (auto& line : lines)
        REQUIRE(line.text.size() <= static_cast<std::size_t>(columns));
      if (rows >= 9 && columns >= 40) REQUIRE(marked(lines) == selected);
    }
}

TEST_CASE("words of others reach the screen as printable ASCII only") {
  auto state = with();
  auto odd = reading(101);
  odd.info = *parse_json(R"({"model_id":"evil\u001b[2J\u00e4","version":"1"})");
  state.take(odd);
  state.tell("x\x1b]0;title\x07");
  for (auto& text : texts(draw_top(state, {24, 120})))
    for (char c : text)
      REQUIRE((c >= ' ' && c <= '~'));
}

TEST_CASE("a server that is away is told of, and forgotten when it is back") {
  top_state state("host:1", adapter_order::requests);
  CHECK_THAT(all(draw_top(state, {24, 80})), Catch::Contains("away") && Catch::Contains("no answer yet"));
  state.lose("Nobody answers at host:1");
  CHECK_THAT(draw_top(state, {24, 80}).back().text,
             Catch::Contains("Nobody answers at host:1; trying again"));
  state.take(reading(100));
  CHECK_THAT(all(draw_top(state, {24, 80})), !Catch::Contains("Nobody") && !Catch::Contains("away"));
}

TEST_CASE("the document of top has every figure of the screen") {
  auto state = with();
  state.take(reading(101));
  auto d = parse_json(json_text(top_document(state)));
  REQUIRE(d);
  CHECK(d->find("running")->number() == 4);
  CHECK(d->find("tokens_per_second")->number() == 200);
  CHECK(d->find("memory")->find("weights_bytes")->number() == 1048576);
  auto& rows = *d->find("adapters")->as_array();
  REQUIRE(rows.size() == 4);
  CHECK(rows[0].find("name") == nullptr);
  CHECK(*rows[1].find("name")->as_string() == "a");
  CHECK(rows[1].find("requests_per_second")->number() == 10);
  CHECK(*rows[1].find("version")->as_string() == "0123456789abcdef");
}
