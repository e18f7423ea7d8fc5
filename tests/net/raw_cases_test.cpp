// Bytes that a client may send to a connection: whole, byte by byte, and cut at each CR and LF, they must get
// the same answers and leave the connection in the same state.
#include <algorithm>
#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "tests/catch.hpp"
#include "tests/net/fake_services.hpp"
#include "tests/net/raw_cases.hpp"
#include "tests/net/raw_client.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

using pieces = std::vector<std::string_view>;

pieces whole(std::string_view bytes) {
  return {bytes};
}

/// Single bytes; of long cases the first 4 KiB and then pieces of 997 bytes, which are cut anywhere.
pieces single_bytes(std::string_view bytes) {
  pieces out;
  while (!bytes.empty()) {
    auto size = std::min<std::size_t>(out.size() < 4096 ? 1 : 997, bytes.size());
    out.push_back(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
  return out;
}

/// Cut before and behind each CR and LF.
pieces at_line_ends(std::string_view bytes) {
  pieces out;
  while (!bytes.empty()) {
    auto end = bytes.find_first_of("\r\n", 0);
    auto size = end == bytes.npos ? bytes.size() : end == 0 ? 1 : end;
    out.push_back(bytes.substr(0, size));
    bytes.remove_prefix(size);
  }
  return out;
}

std::string method_of(std::string_view bytes) {
  return bytes.starts_with("HEAD ") ? "HEAD" : "GET";
}

/// What the server did, as `200 200 open`.
std::string outcome(std::uint16_t port, const raw_case& c, const pieces& cut) {
  raw_client client(port);
  for (auto piece : cut)
    if (!client.send(piece)) break;  // refused before its end: the answer is there
  if (c.ends_sending) client.half_close();
  std::string out;
  for (std::size_t i = 0; i < c.statuses.size(); ++i) {
    auto reply = client.read(method_of(c.bytes));
    while (reply.status == 100)
      reply = client.read(method_of(c.bytes));
    out += std::to_string(reply.status) + (reply.complete ? " " : " cut ");
  }
  if (c.then == fate::closed) return out + (client.at_end() ? "closed" : "open or more answers");
  client.send("GET /ping HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  auto next = client.read();
  return out + (next.status == 200 && client.at_end() ? "open" : "closed or more answers");
}

std::string expected(const raw_case& c) {
  std::string out;
  for (auto status : c.statuses)
    out += std::to_string(status) + " ";
  return out + (c.then == fate::closed ? "closed" : "open");
}

struct verdict {
  std::string wanted;
  std::map<std::string, std::string> got;  ///< by the way of cutting
};

/// All cases in all ways, several connections at a time.
std::vector<verdict> run_all(std::uint16_t port, const std::vector<raw_case>& cases) {
  std::vector<verdict> out(cases.size());
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&] {
      for (auto i = next++; i < cases.size(); i = next++) {
        auto& c = cases[i];
        out[i].wanted = expected(c);
        out[i].got["whole"] = outcome(port, c, whole(c.bytes));
        out[i].got["byte by byte"] = outcome(port, c, single_bytes(c.bytes));
        out[i].got["cut at CR and LF"] = outcome(port, c, at_line_ends(c.bytes));
      }
    });
  for (auto& t : threads)
    t.join();
  return out;
}

void check(const std::vector<raw_case>& cases) {
  test_server s([](fake_run& run) { run.play({std::get<std::string>(run.request.prompts.at(0))}); });
  auto verdicts = run_all(s.port(), cases);
  for (std::size_t i = 0; i < cases.size(); ++i)
    for (auto& [way, got] : verdicts[i].got) {
      INFO(cases[i].name << ", " << way);
      CHECK(got == verdicts[i].wanted);
    }
  CHECK(s.wait_quiet());
}

}  // namespace

TEST_CASE("request lines get the answer of the standard, however they are cut") {
  check(start_line_cases());
}
TEST_CASE("Host and other fields get the answer of the standard, however they are cut") {
  check(field_cases());
}
TEST_CASE("bodies get the answer of the standard, however they are cut") {
  check(body_cases());
}
TEST_CASE("connections end or go on as the standard says, however requests are cut") {
  check(connection_cases());
}

TEST_CASE("the table of raw cases has at least 250 cases, no name twice") {
  std::set<std::string> names;
  std::size_t count = 0;
  for (auto& cases : {start_line_cases(), field_cases(), body_cases(), connection_cases()}) {
    count += cases.size();
    for (auto& c : cases)
      names.insert(c.name);
  }
  CHECK(count >= 250);
  CHECK(names.size() == count);
}
