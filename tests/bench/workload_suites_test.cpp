#include "bench/workload_suites.hpp"

#include <algorithm>
#include <set>

#include "tests/catch.hpp"

using namespace lorica::bench;

namespace {

std::vector<std::string> names(const std::vector<workload>& all) {
  std::vector<std::string> out;
  for (auto& w : all)
    out.push_back(w.name);
  return out;
}

}  // namespace

TEST_CASE("every suite has workloads, and all of them together have each name once") {
  std::set<std::string> parts;
  for (auto& suite : suite_names())
    for (auto& name : names(workloads(suite, 16))) {
      INFO(suite);
      if (suite != "all") parts.insert(name);
    }
  auto all = names(workloads("all", 16));
  CHECK(all.size() == parts.size());
  CHECK(std::set<std::string>(all.begin(), all.end()) == parts);
  CHECK(workloads("none", 16).empty());
}

TEST_CASE("the sweep has 1 to 32 adapters of four ranks beside 32 streams of the base") {
  auto sweep = workloads("adapters", 16);
  std::vector<std::uint32_t> counts;
  for (auto& w : sweep) {
    CHECK(w.streams == 32);
    counts.push_back(w.adapters);
    if (w.adapters != 0) CHECK(w.ranks == std::vector<std::uint32_t>{8, 16, 32, 64});
  }
  CHECK(counts == std::vector<std::uint32_t>{0, 1, 2, 4, 8, 16, 32});
}

TEST_CASE("a workload with adapters knows the base's that differs in adapters only") {
  const auto all = workloads("all", 16);
  auto base = [&](const std::string& name) {
    auto w = std::ranges::find(all, name, &workload::name);
    REQUIRE(w != all.end());
    auto found = base_of(*w, all);
    return found ? found->name : "";
  };
  CHECK(base("decode 8, 8 adapters") == "decode 8");
  CHECK(base("decode 1, 1 adapter of rank 64") == "decode 1");
  CHECK(base("prefill 8 x 64, 8 adapters") == "prefill 8 x 64");
  CHECK(base("prefill 512, 1 adapter") == "prefill 512");
  CHECK(base("decode 8").empty());
  CHECK(base_of(all.at(1), {}) == nullptr);
}

TEST_CASE("a base that differs in more than adapters is none") {
  const workload with{"w", 8, 8, 64, 128, {16}, false};
  auto same = with;
  same.adapters = 0;
  CHECK(base_of(with, {same}) != nullptr);
  for (auto change :
       {+[](workload& w) { ++w.streams; }, +[](workload& w) { ++w.prompt; }, +[](workload& w) { ++w.decode; },
        +[](workload& w) { w.one_step = true; }, +[](workload& w) { ++w.adapters; }}) {
    auto other = same;
    change(other);
    CHECK(base_of(with, {other}) == nullptr);
  }
}

TEST_CASE("patterns choose among the names") {
  const auto all = workloads("usual", 16);
  CHECK(names(matching(all, {"decode 8*"})) ==
        std::vector<std::string>{"decode 8", "decode 8, 1 adapter", "decode 8, 8 adapters"});
  CHECK(names(matching(all, {"decode 1", "prefill 512"})) ==
        std::vector<std::string>{"decode 1", "prefill 512"});
  CHECK(matching(all, {}).size() == all.size());
  CHECK(matching(all, {"nothing"}).empty());
}
