#include "bench/workload_suites.hpp"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>

namespace lorica::bench {
namespace {

using workload_list = std::vector<workload>;

workload decode(std::uint32_t streams, std::uint32_t adapters, std::vector<std::uint32_t> ranks) {
  auto name = fmt::format("decode {}", streams);
  if (adapters != 0) name += fmt::format(", {} adapter{}", adapters, adapters == 1 ? "" : "s");
  return {std::move(name), streams, adapters, 64, 128, std::move(ranks)};
}

workload_list usual(std::uint32_t rank) {
  workload_list out;
  constexpr std::pair<std::uint32_t, std::uint32_t> shapes[] = {
      {1, 0}, {1, 1}, {4, 0}, {8, 0}, {8, 1}, {8, 8}, {16, 0}, {16, 16}, {32, 0}, {32, 8}, {32, 32}};
  for (auto [streams, adapters] : shapes)
    out.push_back(decode(streams, adapters, {rank}));
  out.push_back({"prefill 512", 1, 0, 512, 0, {rank}});
  out.push_back({"prefill 512, 1 adapter", 1, 1, 512, 0, {rank}});
  return out;
}

workload_list ranks() {
  workload_list out;
  for (std::uint32_t streams : {1, 8}) {
    out.push_back(decode(streams, 0, {}));
    for (std::uint32_t rank : {8, 16, 64}) {
      out.push_back(decode(streams, 1, {rank}));
      out.back().name += fmt::format(" of rank {}", rank);
    }
  }
  return out;
}

workload_list adapters() {
  workload_list out = {decode(32, 0, {})};
  for (std::uint32_t count : {1, 2, 4, 8, 16, 32}) {
    out.push_back(decode(32, count, {8, 16, 32, 64}));
    out.back().name += " of mixed ranks";
  }
  return out;
}

workload_list mixed_prefill(std::uint32_t rank) {
  return {{"prefill 8 x 64", 8, 0, 64, 0, {rank}, true},
          {"prefill 8 x 64, 8 adapters", 8, 8, 64, 0, {rank}, true}};
}

}  // namespace

std::vector<std::string> suite_names() {
  return {"usual", "ranks", "adapters", "mixed-prefill", "all"};
}

workload_list workloads(const std::string& suite, std::uint32_t rank) {
  if (suite == "usual") return usual(rank);
  if (suite == "ranks") return ranks();
  if (suite == "adapters") return adapters();
  if (suite == "mixed-prefill") return mixed_prefill(rank);
  workload_list out;
  if (suite != "all") return out;
  for (auto& part : {usual(rank), ranks(), adapters(), mixed_prefill(rank)})
    for (auto& w : part)
      if (std::ranges::find(out, w.name, &workload::name) == out.end()) out.push_back(w);
  return out;
}

workload_list matching(const workload_list& all, const std::vector<std::string>& patterns) {
  if (patterns.empty()) return all;
  workload_list out;
  std::ranges::copy_if(all, std::back_inserter(out), [&](const workload& w) {
    return std::ranges::any_of(
        patterns, [&](auto& pattern) { return ::fnmatch(pattern.c_str(), w.name.c_str(), 0) == 0; });
  });
  return out;
}

const workload* base_of(const workload& w, const workload_list& all) {
  if (w.adapters == 0) return nullptr;
  auto found = std::ranges::find_if(all, [&](const workload& b) {
    return b.adapters == 0 && b.streams == w.streams && b.prompt == w.prompt && b.decode == w.decode &&
           b.one_step == w.one_step;
  });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace lorica::bench
