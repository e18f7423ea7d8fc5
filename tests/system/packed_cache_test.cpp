#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/catch.hpp"
#include "tests/files/scratch_directory.hpp"
#include "tests/system/http_client.hpp"
#include "tests/system/server_process.hpp"

using namespace lorica;
using namespace lorica::testing;
namespace fs = std::filesystem;

namespace {

const std::string tiny_model = LORICA_TEST_DATA "/golden/models/llama-tied-gqa";

/// What one life of a server showed.
struct life {
  std::string answer;
  std::string log;
  std::string end;  ///< empty: it ended with 0
};

/// Starts a server, asks it once, waits until its log has `wanted`, and ends it.
life live(const std::string& wanted, const environment& variables,
          const std::vector<std::string>& further = {}) {
  std::vector<std::string> arguments = {"--model-id", tiny_model, "--log-level", "debug"};
  arguments.insert(arguments.end(), further.begin(), further.end());
  server_process server(arguments, variables);
  life out;
  out.answer =
      exchange(server.port(), "POST", "/generate", R"({"inputs":"a b c","parameters":{"max_new_tokens":8}})")
          .body;
  eventually([&] { return server.log().find(wanted) != std::string::npos; });
  out.log = server.log();
  out.end = server.stop();
  return out;
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t out = 0;
  for (auto at = text.find(part); at != text.npos; at = text.find(part, at + 1))
    ++out;
  return out;
}

}  // namespace

TEST_CASE("the second start reads what the first one packed, from the user's cache, and answers the same") {
  scratch_directory scratch;
  const environment variables = {{"LORICA_PACKED_CACHE", ""}, {"XDG_CACHE_HOME", scratch.path().string()}};
  const auto place = scratch.path() / "lorica" / "packed";
  const auto first = live("kept for the next start", variables);
  CHECK(first.end.empty());
  CHECK_THAT(first.log, Catch::Contains("weights: packed in"));
  REQUIRE(std::distance(fs::directory_iterator(place), fs::directory_iterator()) == 1);

  const auto second = live("read from the cache", variables);
  CHECK(second.end.empty());
  CHECK_THAT(second.log, Catch::Contains("weights: read from the cache") && !Catch::Contains("packed in"));
  CHECK(second.answer == first.answer);

  const auto file = fs::directory_iterator(place)->path();
  fs::resize_file(file, fs::file_size(file) / 2);
  const auto third = live("kept for the next start", variables);
  CHECK_THAT(third.log, Catch::Contains("packed anew: the kept file is cut short"));
  CHECK(third.answer == first.answer);
  const auto fourth = live("read from the cache", variables, {"--packed-cache", place.string()});
  CHECK_THAT(fourth.log, Catch::Contains("weights: read from the cache"));

  const auto off = live("weights: packed in", variables, {"--packed-cache", "off"});
  CHECK_THAT(off.log, !Catch::Contains("from the cache") && !Catch::Contains("kept"));
  CHECK(off.answer == first.answer);
}

TEST_CASE("a cache that cannot be written is one warning, without its path, and the server serves") {
  scratch_directory scratch;
  const auto in_the_way = scratch.write("secret", "a file");
  const auto served = live("not kept", {}, {"--packed-cache", in_the_way + "/packed"});
  CHECK(served.end.empty());
  CHECK_THAT(served.answer, Catch::Contains("generated_text"));
  CHECK(count(served.log, "weights are not kept for the next start") == 1);
  CHECK_THAT(served.log, !Catch::Contains("secret"));
}

TEST_CASE("servers that start at once share a cache") {
  scratch_directory scratch;
  const environment variables = {{"LORICA_PACKED_CACHE", scratch.path().string()}};
  server_process one({"--model-id", tiny_model, "--log-level", "debug"}, variables);
  server_process two({"--model-id", tiny_model, "--log-level", "debug"}, variables);
  auto has_said = [](const server_process& server, const char* text) {
    return server.log().find(text) != std::string::npos;
  };
  CHECK(eventually([&] { return has_said(one, "kept for the next start"); }));
  CHECK(eventually(
      [&] { return has_said(two, "kept for the next start") || has_said(two, "read from the cache"); }));
  CHECK(one.stop().empty());
  CHECK(two.stop().empty());
  CHECK(std::distance(fs::directory_iterator(scratch.path()), fs::directory_iterator()) == 1);
}
