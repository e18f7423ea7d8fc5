#include "app/admin/wording.hpp"

#include <limits>

#include "app/admin/adapter_card.hpp"
#include "app/admin/event_line.hpp"
#include "app/admin/job_watch.hpp"
#include "app/admin/json_text.hpp"
#include "app/admin/metric_sample.hpp"
#include "app/admin/text_table.hpp"
#include "core/json.hpp"
#include "tests/catch.hpp"

using namespace lorica;
using namespace lorica::admin;

namespace {

value json(std::string_view text) {
  auto got = parse_json(text);
  REQUIRE(got);
  return *got;
}

}  // namespace

TEST_CASE("figures are short") {
  CHECK(in_bytes(0) == "0 B");
  CHECK(in_bytes(1023) == "1023 B");
  CHECK(in_bytes(1024) == "1.0 KiB");
  CHECK(in_bytes(1.5 * (1 << 20)) == "1.5 MiB");
  CHECK(in_bytes(std::numeric_limits<double>::max()).ends_with(" TiB"));
  CHECK(in_time(-5) == "0 s");
  CHECK(in_time(119) == "119 s");
  CHECK(in_time(120) == "2 min");
  CHECK(in_time(7200) == "2 h");
  CHECK(in_time(48 * 3600) == "2 d");
  CHECK(in_short(0) == "0");
  CHECK(in_short(0.004) == "0");
  CHECK(in_short(0.25) == "0.25");
  CHECK(in_short(12.34) == "12.3");
  CHECK(in_short(9999) == "9999");
  CHECK(in_short(12'345) == "12k");
  CHECK(in_short(std::numeric_limits<double>::infinity()) == "0");
  CHECK(in_utc(0) == "1970-01-01 00:00:00Z");
  CHECK(in_utc(1'700'000'000) == "2023-11-14 22:13:20Z");
  CHECK(in_utc(std::numeric_limits<std::int64_t>::max()).size() == 20);
}

TEST_CASE("texts of others cannot steer a terminal") {
  CHECK(printable("a\x1b[2Jb\r\n\x7f") == "a?[2Jb???");
  CHECK(printable("\xc2\x9b"
                  "31m") == "?31m");
  CHECK(printable("\xc3\xa4\xc2\xa0") == "\xc3\xa4\xc2\xa0");
}

TEST_CASE("a table aligns its columns and ends no line in blanks") {
  text_table table({{"NAME"}, {"N", alignment::right}, {"X"}});
  table.add({"\xc3\xa4", "7", ""});
  table.add({"longer", "1234", "y"});
  table.add({"less"});
  auto lines = table.lines();
  REQUIRE(lines.size() == 4);
  CHECK(lines[0] == "NAME       N  X");
  CHECK(lines[1] == "\xc3\xa4          7");
  CHECK(lines[2] == "longer  1234  y");
  CHECK(lines[3] == "less");
}

TEST_CASE("an answer leaves as the JSON it came as") {
  auto text = R"({"a":null,"b":[true,-1,18446744073709551615,0.5,"\u001b"],"c":{}})";
  CHECK(json_text(json(text)) == text);
}

TEST_CASE("a card shows status, failure, warnings and modules by kind") {
  auto adapter = json(R"({"name":"sql","state":"failed","version":null,"tier":"disk","ranks":[],"bytes":0,
    "requests":3,"hits":2,"users":1,"leases":1,"loads":4,"created":0,"last_used":100,"pinned":true,"alias_of":null,
    "error":{"error_type":"rank_too_large","message":"rank 300"},"defaults":{"temperature":0,"stop":["\n"]},
    "contents":{"version":"abc","ranks":[4,8],"bytes":2048,"file_bytes":1,"parameters":9,"warnings":["odd\u001bfield"],
      "modules":[
        {"name":"model.layers.0.self_attn.q_proj","rank":8,"scaling":2.0,"update_norm":1.5,"zero_effect":false},
        {"name":"model.layers.1.self_attn.q_proj","rank":8,"scaling":2.0,"update_norm":2.5,"zero_effect":true},
        {"name":"model.layers.3.self_attn.q_proj","rank":8,"scaling":2.0,"update_norm":2.0,"zero_effect":false},
        {"name":"lm_head","rank":4,"scaling":1.0,"update_norm":7,"zero_effect":false}]}})");
  auto card = adapter_card(adapter, module_detail::by_kind, 160);
  for (auto text : {"rank_too_large: rank 300", "warning    odd?field", "pinned", "4, 8", "2.0 KiB",
                    "60 s ago", "0-1, 3", "1.5 to 2.5", "3 since the start, 2 found it in memory",
                    R"(defaults   {"temperature":0,"stop":["\n"]})"}) {
    INFO(card);
    CHECK_THAT(card, Catch::Contains(text));
  }
  CHECK_THAT(card, !Catch::Contains("model.layers.1."));
  CHECK_THAT(adapter_card(adapter, module_detail::each, 160),
             Catch::Contains("model.layers.1.self_attn.q_proj") && Catch::Contains("none"));
  auto unread = adapter_card(json(R"({"name":"a","contents":null})"), module_detail::each, 0);
  CHECK_THAT(unread,
             Catch::Contains("not known") && Catch::Contains("never") && !Catch::Contains("defaults"));
}

TEST_CASE("jobs and events are lines") {
  CHECK(progress_line(
            json(R"({"kind":"load","name":"a","stage":"reading","bytes":1024,"total_bytes":2048})")) ==
        "load a  reading  1.0 KiB of 2.0 KiB");
  CHECK(progress_line(json(R"({"kind":"load","name":"a","stage":null,"bytes":0,"total_bytes":0})")) ==
        "load a  begins");
  auto failed = json(
      R"({"kind":"load","name":"a","state":"failed","error":{"error_type":"bad_config","message":"r is 0"}})");
  CHECK(job_card(failed) == "load of a failed: r is 0 (bad_config)\n");
  CHECK(ending_of(failed) == exit_code::refused);
  auto done =
      json(R"({"kind":"load","name":"a","state":"done","changed":false,"version":"0123456789abcdef"})");
  CHECK(job_card(done) == "a is 0123456789ab, as before\n");
  CHECK(ending_of(done) == exit_code::done);
  CHECK(ending_of(json(R"({"state":"cancelled"})")) == exit_code::refused);
  auto event = json(
      R"({"number":7,"at":1700000000123,"kind":"ready","name":"sql","version":"3f2a9c01d4e5ff","because":"why"})");
  CHECK(event_line(event) == "22:13:20Z ready     sql  3f2a9c01d4e5  why");
  CHECK_THAT(event_line(json(R"({"missed":12})")), Catch::Contains("missed    12 events"));
}

TEST_CASE("metrics are read by name and label, and what is no line of them is left out") {
  auto sample = metric_sample::read(
      "# HELP a words\n# TYPE a counter\na{x=\"1\",y=\"p\"} 2\na{x=\"2\"} 3.5\na{x=\"1\",y=\"q\"} 10 "
      "1700000000\n"
      "b 7\nweird{x=\"q\\\"uo\\\\te\\n\"} 1\nopen{x=\"1\nnan NaN\nbad\nbad2 x\nbad3{=\"1\"} 2\n{x=\"1\"} "
      "2\nempty{} 4\n"
      "exp 1.5e+06");
  CHECK(sample.sum("a") == 15.5);
  CHECK(sample.by("a", "x") == std::map<std::string, double>{{"1", 12}, {"2", 3.5}});
  CHECK(sample.sum("b") == 7);
  CHECK(sample.by("weird", "x").begin()->first == "q\"uo\\te\n");
  CHECK(sample.sum("empty") == 4);
  CHECK(sample.sum("exp") == 1.5e6);
  for (auto name : {"open", "bad", "bad2", "bad3", "none"})
    CHECK_FALSE(sample.has(name));
}
