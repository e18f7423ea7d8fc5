#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "bench/gpu/cases.hpp"
#include "bench/gpu/gpu_bench.hpp"
#include "core/json.hpp"
#include "tests/catch.hpp"
#include "tests/emulated_device/runtime.hpp"

namespace lorica::bench {
namespace {

struct outcome {
  gpu_bench_exit code;
  std::string out, told;
};

outcome run(std::vector<std::string> words) {
  std::ostringstream out, told;
  const auto code = run_gpu_bench(words, out, told);
  return {code, out.str(), told.str()};
}

/// A run of the tiny shape with its document.
struct document {
  outcome how;
  value json;

  explicit document(std::vector<std::string> words) {
    for (auto w :
         {"--shape", "tiny", "--runs", "2", "--warmups", "1", "--seconds", "0.02", "--warm-seconds", "0"})
      words.emplace_back(w);
    how = run(words);
    INFO(how.told);
    REQUIRE(how.code == gpu_bench_exit::done);
    auto parsed = parse_json(how.out);
    REQUIRE(parsed);
    json = *std::move(parsed);
  }

  std::vector<const value*> rows(std::string_view suite) const {
    std::vector<const value*> out;
    for (auto& r : *json.find("rows")->as_array())
      if (*r.find("case")->as_string() == suite) out.push_back(&r);
    return out;
  }
};

double number(const value& row, std::string_view name) {
  auto* found = row.find(name);
  INFO(name);
  REQUIRE(found);
  return found->number();
}

std::string text(const value& row, std::string_view name) {
  return std::string(*row.find(name)->as_string());
}

void check_times(const value& row, double runs = 2) {
  INFO(text(row, "name"));
  CHECK(!row.find("missing"));
  CHECK(number(row, "runs") == runs);
  CHECK(number(row, "best_ms") > 0);
  CHECK(number(row, "best_ms") <= number(row, "median_ms"));
  CHECK(number(row, "best_ms") <= number(row, "mean_ms"));
}

/// The floor's share is what floor and median say.
void check_floor(const value& row) {
  CHECK(number(row, "floor_ms") > 0);
  CHECK(number(row, "floor_share") == Approx(number(row, "floor_ms") / number(row, "median_ms")));
}

void check_over_base(const value& row) {
  const double base = number(row, "base_ms");
  CHECK(base > 0);
  CHECK(number(row, "over_base_percent") == Approx(100 * (number(row, "median_ms") / base - 1)).margin(1e-6));
}

std::set<std::string> names(const std::vector<const value*>& rows) {
  std::set<std::string> out;
  for (auto* r : rows)
    out.insert(text(*r, "name"));
  return out;
}

TEST_CASE("the document tells card, shape and rates") {
  const document d({"--only", "G-1", "--clocks", "as told"});
  const auto& card = *d.json.find("card");
  CHECK(text(card, "name") == "emulated device");
  CHECK(text(card, "driver_cuda") == "13.1");
  CHECK(text(card, "runtime_cuda") == "13.0");
  CHECK(number(card, "clock_mhz") == 1000);
  CHECK(number(card, "memory_clock_mhz") == 2000);
  CHECK(text(d.json, "clocks_told") == "as told");
  CHECK(text(d.json, "date").size() == 10);
  CHECK(text(d.json, "command").find("gpu_bench --only G-1 --clocks 'as told'") == 0);
  CHECK(number(*d.json.find("shape"), "hidden") == 64);
  const auto& rates = *d.json.find("rates");
  // A copy of 64 KiB in 1 ms, as the device tells it: read and written; and a quarter of it from the host.
  CHECK(number(rates, "copy_bytes_per_second") == 2 * 65536 / 1e-3);
  CHECK(number(rates, "to_device_bytes_per_second") == 16384 / 1e-3);
  CHECK(rates.find("products")->as_array()->size() == 3);  // of 1 and 3 rows, and of a prompt
  CHECK(text(d.json, "dtype") == "bfloat16");
  CHECK(*d.json.find("complete")->as_bool());
}

TEST_CASE("the document says what became of every case") {
  const document d({"--only", "G-1,G-2"});
  const auto& told = *d.json.find("cases")->as_array();
  REQUIRE(told.size() == cases().size());
  for (auto& c : told) {
    const bool wanted = text(c, "case") == "G-1" || text(c, "case") == "G-2";
    CHECK(text(c, "state") == (wanted ? "ended" : "not run"));
    if (wanted)
      CHECK(number(c, "seconds") > 0);
    else
      CHECK(text(c, "why") == "it was not asked for");
  }
}

TEST_CASE("when the time is over what is left is told, with a code of its own") {
  const auto out = run({"--only", "G-1,G-3,G-6", "--shape", "tiny", "--runs", "1", "--warmups", "0",
                        "--warm-seconds", "0", "--limit", "0.02"});
  CHECK(out.code == gpu_bench_exit::out_of_time);
  const auto json = parse_json(out.out);
  REQUIRE(json);
  for (auto& r : *json->find("rows")->as_array())
    if (r.find("missing")) CHECK(*r.find("out_of_time")->as_bool());
  bool late = false;
  for (auto& c : *json->find("cases")->as_array())
    late = late || text(c, "state") == "cut off" || (c.find("why") && text(c, "why") == "no time was left");
  CHECK(late);
}

TEST_CASE("weights in fp8 have floors of their own bytes and products of codes") {
  const document d({"--only", "G-1,G-2,G-10,G-7", "--dtype", "fp8"});
  CHECK(text(d.json, "dtype") == "fp8");
  CHECK(text(d.json, "weights") == "random fp8");
  CHECK(number(d.json, "maps_in_bfloat16") == 0);
  // A layer: q k v 64 x 128, o 64 x 64, gate up 64 x 192, down 96 x 64, and a scale for each output.
  const double layer = 64 * 128 + 64 * 64 + 64 * 192 + 96 * 64 + 4 * (128 + 64 + 192 + 64),
               head = 2.0 * 64 * 160;
  CHECK(number(*d.json.find("shape"), "weight_bytes_per_step") == 2 * layer + head);
  for (auto suite : {"G-1", "G-2"})
    for (auto* r : d.rows(suite)) {
      check_times(*r);
      check_floor(*r);
    }
  std::set<std::string> formats;
  for (auto& p : *d.json.find("rates")->find("products")->as_array())
    formats.insert(text(p, "dtype"));
  CHECK(formats == std::set<std::string>{"bfloat16", "fp8"});  // attention is computed in bfloat16
  CHECK(!d.rows("G-10").front()->find("targets"));
  CHECK(d.rows("G-7").empty());
  for (auto& c : *d.json.find("cases")->as_array())
    if (text(c, "case") == "G-7") CHECK(text(c, "why").find("no other case") != std::string::npos);
}

TEST_CASE("a device without products of codes refuses fp8, and nothing else is measured in its place") {
  emulated_device::set_capability({8, 0});
  const auto out = run({"--only", "G-1", "--shape", "tiny", "--dtype", "fp8"});
  emulated_device::set_capability({9, 0});
  CHECK(out.code == gpu_bench_exit::no_device);
  CHECK(out.told.find("fp8 needs compute capability 8.9 or later") != std::string::npos);
  const auto json = parse_json(out.out);
  REQUIRE(json);
  CHECK(json->find("rows")->as_array()->empty());
  CHECK(text(*json, "dtype") == "fp8");
  for (auto& c : *json->find("cases")->as_array())
    if (text(c, "case") == "G-1") CHECK(text(c, "why").find("8.9") != std::string::npos);
}

TEST_CASE("G-1 measures every number of rows") {
  const document d({"--only", "G-1"});
  const auto rows = d.rows("G-1");
  CHECK(names(rows) == std::set<std::string>{"decode 1", "decode 3"});
  for (auto* r : rows) {
    check_times(*r);
    check_floor(*r);
    CHECK(*r->find("graphs")->as_bool());
    CHECK(number(*r, "products_ms") > 0);
    CHECK(number(*r, "tokens_per_second") == Approx(1e3 * number(*r, "rows") / number(*r, "median_ms")));
    CHECK(r->find("targets")->as_array()->size() == 1);
  }
  CHECK(d.how.told.find("G-1   decode 1 ") != std::string::npos);
  const document without({"--only", "G-1", "--graphs", "off"});
  CHECK(!*without.rows("G-1").front()->find("graphs")->as_bool());
}

TEST_CASE("G-2 measures prompts beside their products") {
  const document d({"--only", "G-2"});
  const auto rows = d.rows("G-2");
  CHECK(names(rows) == std::set<std::string>{"prefill 5", "prefill 18"});
  for (auto* r : rows) {
    check_times(*r);
    check_floor(*r);
    CHECK(number(*r, "floor_ms") > number(*r, "products_ms"));  // attention counts too
    CHECK(number(*r, "tflops") > 0);
  }
}

TEST_CASE("G-3, G-4 and G-5 tell adapters over the base") {
  const document d({"--only", "G-3,G-4,G-5"});
  CHECK(names(d.rows("G-3")) ==
        std::set<std::string>{"r2, 1 adapters", "r2, 4 adapters", "r4, 1 adapters", "r4, 4 adapters"});
  CHECK(names(d.rows("G-4")) == std::set<std::string>{"no adapter in the batch"});
  CHECK(names(d.rows("G-5")) == std::set<std::string>{"prefill 8, 1 adapters", "prefill 8, 2 adapters"});
  for (auto suite : {"G-3", "G-4", "G-5"})
    for (auto* r : d.rows(suite)) {
      check_times(*r, suite == std::string("G-4") ? 8 : 2);
      check_over_base(*r);
    }
  CHECK(number(*d.rows("G-4").front(), "in_turns") == 1);
  // One adapter of rank 4 is (64+64) + 2 (64+32) + (64+64) + 2 (64+96) + (96+64) numbers of rank and layer.
  for (auto* r : d.rows("G-3"))
    if (text(*r, "name") == "r4, 1 adapters") {
      const double bytes = 2.0 * 2 * 4 * 928, copied = number(*d.json.find("rates"), "copy_bytes_per_second");
      const auto base_floor = number(*r, "floor_ms") / (1 + number(*r, "floor_over_base_percent") / 100);
      CHECK(number(*r, "floor_ms") - base_floor == Approx(1e3 * bytes / copied).epsilon(1e-6));
    }
}

TEST_CASE("G-6 measures the kernels at every point") {
  const document d({"--only", "G-6"});
  const auto rows = d.rows("G-6");
  CHECK(rows.size() == 4 * (1 + 2 + 2));  // sites, and adapters that rows allow
  CHECK(names(rows).contains("gate_up, 40 rows, r4, 3 adapters"));
  for (auto* r : rows) {
    check_times(*r);
    check_floor(*r);
    for (auto figure : {"shrink_us", "expand_us", "pair_us", "cublaslt_us", "shrink_gb_per_second"})
      CHECK(number(*r, figure) > 0);
    CHECK(number(*r, "pair_us") == Approx(1e3 * number(*r, "median_ms")));
  }
}

TEST_CASE("G-7 tells how much of a copy is seen") {
  const document d({"--only", "G-7"});
  const auto rows = d.rows("G-7");
  CHECK(names(rows) ==
        std::set<std::string>{"cold, prompt of 6", "cold, prompt of 11", "others while it comes"});
  for (auto* r : rows) {
    const bool cold = text(*r, "name").find("cold") == 0;
    check_times(*r, cold ? 6 : 2);
    if (!cold) continue;
    const double copy =
        number(*r, "adapter_bytes") / number(*d.json.find("rates"), "to_device_bytes_per_second");
    CHECK(number(*r, "copy_ms") == Approx(1e3 * copy));
    const double visible = std::max(0.0, number(*r, "visible_ms"));
    CHECK(number(*r, "visible_percent") == Approx(100 * visible / number(*r, "copy_ms")).margin(1e-6));
  }
}

TEST_CASE("G-8, G-9 and G-10 serve traffic in real time") {
  const document d({"--only", "G-8,G-9,G-10"});
  CHECK(names(d.rows("G-8")) == std::set<std::string>{"capacity", "3 adapters", "6 adapters",
                                                      "3 adapters, cv 4",
                                                      "3 adapters, cv 4, without clustering",
                                                      "3 adapters, cv 4, without prefetching"});
  CHECK(names(d.rows("G-9")) == std::set<std::string>{"all in slots", "2 slots"});
  CHECK(names(d.rows("G-10")) == std::set<std::string>{"chats"});
  for (auto suite : {"G-8", "G-9", "G-10"})
    for (auto* r : d.rows(suite)) {
      INFO(text(*r, "name"));
      REQUIRE(!r->find("missing"));
      CHECK(!r->find("cut"));
      if (suite == std::string("G-9")) continue;  // ends with the first tokens
      CHECK(number(*r, "ended") == number(*r, "requests"));
      CHECK(number(*r, "requests_per_second") == Approx(number(*r, "requests") / number(*r, "seconds")));
      CHECK(number(*r, "first_token_median_ms") <= number(*r, "first_token_p99_ms"));
      CHECK(number(*r, "attainment") >= 0);
      CHECK(number(*r, "attainment") <= 1);
    }
  auto* chats = d.rows("G-10").front();
  CHECK(number(*chats, "floor_share") ==
        Approx(number(*chats, "requests_per_second") / number(*chats, "ceiling_requests_per_second")));
  CHECK(number(*chats, "memory_over_base_percent") > 0);
}

TEST_CASE("what the card is too small for is told, and the rest is measured") {
  // The emulated device has 1 GiB: a cache for sequences of 20,000 tokens does not fit.
  const auto out = run({"--only", "G-5,G-1", "--shape",
                        "layers=64,hidden=64,heads=16,kv_heads=16,head_dim=64,ffn=64,vocab=64,positions=4096",
                        "--runs", "1", "--warmups", "0", "--warm-seconds", "0"});
  CHECK(out.code == gpu_bench_exit::done);
  const auto json = parse_json(out.out);
  REQUIRE(json);
  REQUIRE(!json->find("rows")->as_array()->empty());
  for (auto& r : *json->find("rows")->as_array()) {
    CHECK(r.find("missing"));
    CHECK(*r.find("out_of_room")->as_bool());
  }
  CHECK(out.told.find("not measured: ") != std::string::npos);
}

TEST_CASE("without a device it says so and ends with a code of its own") {
  emulated_device::set_devices(0, 1 << 20);
  const auto out = run({"--shape", "tiny"});
  emulated_device::set_devices(1, std::size_t{1} << 30);
  CHECK(out.code == gpu_bench_exit::no_device);
  CHECK(out.told.find("gpu_bench: ") == 0);
  CHECK(out.told.find("device") != std::string::npos);
  CHECK(out.out.empty());
  CHECK(run({"--nonsense"}).code == gpu_bench_exit::wrong_flag);
  CHECK(run({"--list"}).out.find("G-10") != std::string::npos);
  CHECK(run({"--help"}).out.find("--shape") != std::string::npos);
}

TEST_CASE("the document goes to a file, and a file that cannot be written is a failure") {
  char name[] = "gpu_bench_XXXXXX";
  const int file = mkstemp(name);
  REQUIRE(file >= 0);
  close(file);
  auto out = run({"--only", "G-2", "--shape", "tiny", "--runs", "1", "--warmups", "0", "--warm-seconds", "0",
                  "--output", name});
  CHECK(out.code == gpu_bench_exit::done);
  CHECK(out.out.empty());
  std::ifstream read(name);
  std::stringstream content;
  content << read.rdbuf();
  unlink(name);
  CHECK(parse_json(content.str()));
  out = run({"--only", "G-2", "--shape", "tiny", "--runs", "1", "--warmups", "0", "--warm-seconds", "0",
             "--output", "no/such/folder"});
  CHECK(out.code == gpu_bench_exit::failed);
  CHECK(out.told.find("--output") != std::string::npos);
}

TEST_CASE("a device that fails is told as a failure") {
  emulated_device::fail_after(400, cudaErrorLaunchFailure);
  const auto out =
      run({"--only", "G-2", "--shape", "tiny", "--runs", "1", "--warmups", "0", "--warm-seconds", "0"});
  emulated_device::reset();
  CHECK(out.code == gpu_bench_exit::failed);
  CHECK(out.told.find("not measured: ") != std::string::npos);
}

}  // namespace
}  // namespace lorica::bench
