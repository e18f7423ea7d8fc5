// What became of every test case, as JSON, for runs on machines that nobody watches: LORICA_TEST_REPORT names
// the file. It is written anew after each case, so that a run that hangs or dies leaves those before it and
// the name of the one it was in.
#define CATCH_CONFIG_EXTERNAL_INTERFACES
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.hpp"
#include "tests/catch.hpp"

namespace lorica::testing {
namespace {

#if CATCH_VERSION_MAJOR >= 3
using listener_base = Catch::EventListenerBase;
#else
using listener_base = Catch::TestEventListenerBase;
#endif

/// Of one case no more than this is told.
constexpr std::size_t most_texts = 4, longest_text = 600;

struct case_outcome {
  std::string name;
  std::string_view result = "running";
  double seconds = 0;
  std::vector<std::string> texts;  ///< why it was skipped, or what failed
};

void tell(json_writer& out, const case_outcome& c) {
  out.begin_object();
  out.key("name").string(c.name);
  out.key("result").string(c.result);
  out.key("seconds").number(c.seconds);
  out.key("texts").begin_array();
  for (auto& text : c.texts)
    out.string(std::string_view(text).substr(0, longest_text));
  out.end_array().end_object();
}

class case_report : public listener_base {
 public:
  using listener_base::listener_base;

  void testCaseStarting(const Catch::TestCaseInfo& info) override {
    started_ = std::chrono::steady_clock::now();
    cases_.push_back({info.name, "running", 0, {}});
    write(false);
  }

#if CATCH_VERSION_MAJOR >= 3
  void assertionEnded(const Catch::AssertionStats& stats) override {
    see(stats.assertionResult);
  }
#else
  bool assertionEnded(const Catch::AssertionStats& stats) override {
    see(stats.assertionResult);
    return true;
  }
#endif

  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    auto& c = cases_.back();
    c.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started_).count();
    const bool skipped = !c.texts.empty() && c.texts.front().starts_with("skipped:");
    c.result = !stats.totals.assertions.allOk() ? "failed" : skipped ? "skipped" : "passed";
    write(false);
  }

  void testRunEnded(const Catch::TestRunStats&) override {
    write(true);
  }

 private:
  void see(const Catch::AssertionResult& r) {
    auto& texts = cases_.back().texts;
    if (texts.size() == most_texts) return;
    std::string said(r.getMessage().data(), r.getMessage().size());
    if (r.getResultType() == Catch::ResultWas::Warning && said.starts_with("skipped:")) texts.push_back(said);
    if (r.isOk()) return;
    const auto at = r.getSourceInfo();
    texts.push_back(std::filesystem::path(at.file).filename().string() + ':' + std::to_string(at.line) +
                    ": " + (r.hasExpression() ? r.getExpandedExpression() : said));
  }

  std::size_t count(std::string_view result) const {
    std::size_t n = 0;
    for (auto& c : cases_)
      n += c.result == result ? 1 : 0;
    return n;
  }

  void write(bool finished) const {
    if (path_.empty()) return;
    json_writer out;
    out.begin_object();
    out.key("finished").boolean(finished);
    for (auto result : {"passed", "failed", "skipped"})
      out.key(result).unsigned_integer(count(result));
    out.key("cases").begin_array();
    for (auto& c : cases_)
      tell(out, c);
    out.end_array().end_object();
    const auto part = path_ + ".part";
    std::ofstream(part) << out.take() << '\n';
    std::filesystem::rename(part, path_);
  }

  const std::string path_ = [] {
    const char* named = std::getenv("LORICA_TEST_REPORT");
    return std::string(named ? named : "");
  }();
  std::chrono::steady_clock::time_point started_;
  std::vector<case_outcome> cases_;
};

CATCH_REGISTER_LISTENER(case_report)

}  // namespace
}  // namespace lorica::testing
