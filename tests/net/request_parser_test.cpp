#include "net/request_parser.hpp"

#include <random>

#include "tests/catch.hpp"

using namespace lorica;

namespace {

/// What a parser made of some bytes: the requests, or the status of the refusal that ended them.
struct outcome {
  std::vector<http_request> requests;
  int refused = 0;
};

outcome parse(std::string_view bytes, const std::vector<std::size_t>& cuts, parser_limits limits = {}) {
  outcome out;
  request_parser parser(limits);
  std::size_t from = 0;
  auto all = cuts;
  all.push_back(bytes.size());
  for (auto cut : all) {
    parser.append(bytes.substr(from, cut - from));
    from = cut;
    while (true) {
      auto step = parser.advance();
      if (auto why = std::get_if<protocol_error>(&step)) {
        out.refused = why->status;
        return out;
      }
      if (std::get<parse_step>(step) == parse_step::need_more) break;
      if (std::get<parse_step>(step) == parse_step::complete) out.requests.push_back(parser.take());
    }
  }
  return out;
}

std::vector<std::size_t> every_byte(std::string_view bytes) {
  std::vector<std::size_t> out;
  for (std::size_t i = 1; i < bytes.size(); ++i)
    out.push_back(i);
  return out;
}

std::string flat(const outcome& o) {
  std::string out = std::to_string(o.refused) + "\n";
  for (auto& r : o.requests) {
    out +=
        r.method + " " + r.target + " " + std::to_string(r.version) + (r.keep_alive ? " keep\n" : " close\n");
    for (auto& f : r.fields)
      out += f.name + "=" + f.value + "\n";
    out += r.body + "\n";
  }
  return out;
}

std::string with(std::string_view fields, std::string_view body = {}) {
  return "POST /generate HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

}  // namespace

TEST_CASE("requests come out the same for every split of their bytes") {
  const std::string bytes =
      "\r\nPOST /generate?a=b HTTP/1.1\r\nHost: h\r\nX-Thing:  spaced \r\nContent-Length: 11\r\n\r\nhello "
      "world"
      "GET /health HTTP/1.1\r\nHost: h\r\n\r\n"
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=1\r\nhello\r\n006\r\n "
      "world\r\n0\r\nT: v\r\n\r\n"
      "GET /ping HTTP/1.0\r\n\r\n";
  auto whole = parse(bytes, {});
  REQUIRE(whole.requests.size() == 4);
  CHECK(whole.requests[0].path() == "/generate");
  CHECK(whole.requests[0].body == "hello world");
  CHECK(*whole.requests[0].find("x-thing") == "spaced");
  CHECK(whole.requests[2].body == "hello world");
  CHECK_FALSE(whole.requests[2].find("t"));
  CHECK_FALSE(whole.requests[3].keep_alive);
  CHECK(flat(parse(bytes, every_byte(bytes))) == flat(whole));
  for (std::size_t cut = 1; cut < bytes.size(); ++cut)
    REQUIRE(flat(parse(bytes, {cut})) == flat(whole));
}

TEST_CASE("what two servers could read differently is refused, however it is split") {
  struct expectation {
    std::string bytes;
    int status;
  };
  const expectation table[] = {
      {"GET / HTTP/1.1\nHost: h\n\n", 400},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
      {"GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET nopath HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET /a/../b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET /a/%2e%2e/b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {"GET http://other/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
      {with("X : y\r\n"), 400},
      {with("X: y\r\n z\r\n"), 400},
      {with(std::string("X: a\0b\r\n", 8)), 400},
      {with("Content-Length: -1\r\n"), 400},
      {with("Content-Length: +5\r\n"), 400},
      {with("Content-Length: 5, 6\r\n"), 400},
      {with("Content-Length: 5\r\nContent-Length: 5\r\n"), 400},
      {with("Content-Length: 99999999999999999999\r\n"), 400},
      {with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), 400},
      {with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), 400},
      {with("Transfer-Encoding: gzip, chunked\r\n"), 501},
      {with("Transfer-Encoding: identity\r\n"), 400},
      {with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {with("Authorization: a\r\nAuthorization: b\r\n"), 400},
      {with("Transfer-Encoding: chunked\r\n", "0x5\r\nhello\r\n0\r\n\r\n"), 400},
      {with("Transfer-Encoding: chunked\r\n", "-5\r\nhello\r\n0\r\n\r\n"), 400},
      {with("Transfer-Encoding: chunked\r\n", "5\r\nhelloXX0\r\n\r\n"), 400},
      {with("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\nhello"), 400},
      {with("Transfer-Encoding: chunked\r\n", std::string("5;").append(300, 'e') + "\r\nhello\r\n"), 400},
      {with("Expect: something\r\nContent-Length: 5\r\n"), 417},
      {with("Content-Length: 2000001\r\n"), 413},
      {with("Transfer-Encoding: chunked\r\n", "1e8481\r\n"), 413},
      {std::string("GET /").append(9000, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n", 414},
      {with(std::string("X: ").append(8193, 'a') + "\r\n"), 431},
      {with([] {
         std::string out;
         for (int i = 0; i < 101; ++i)
           out.append("a").append(std::to_string(i)).append(": b\r\n");
         return out;
       }()),
       431},
      {with([] {
         std::string out;
         for (int i = 0; i < 5; ++i)
           out.append("a").append(std::to_string(i)).append(": ").append(8000, 'b').append("\r\n");
         return out;
       }()),
       431},
  };
  for (auto& row : table) {
    INFO(row.bytes.substr(0, 120));
    CHECK(parse(row.bytes, {}).refused == row.status);
    if (row.bytes.size() < 1000) CHECK(parse(row.bytes, every_byte(row.bytes)).refused == row.status);
  }
}

TEST_CASE("an endless header is refused at its limit, before its end") {
  request_parser parser({});
  parser.append("GET / HTTP/1.1\r\nHost: h\r\nX: ");
  int refused = 0;
  for (int i = 0; i < 100 && refused == 0; ++i) {
    parser.append(std::string(1024, 'a'));
    auto step = parser.advance();
    if (auto why = std::get_if<protocol_error>(&step)) refused = why->status;
  }
  CHECK(refused == 431);
  CHECK(parser.buffered() < 34 * 1024);
}

TEST_CASE("four thousand chunks of a byte are refused, the same bytes in larger chunks are not") {
  auto body = [](std::size_t chunk, std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i)
      out += (chunk == 1 ? "1\r\n" : "20\r\n") + std::string(chunk, 'a') + "\r\n";
    return out + "0\r\n\r\n";
  };
  CHECK(parse(with("Transfer-Encoding: chunked\r\n", body(1, 5000)), {}).refused == 400);
  CHECK(parse(with("Transfer-Encoding: chunked\r\n", body(32, 5000)), {}).requests.size() == 1);
}

TEST_CASE("a body as large as the limit is taken, one byte more is not") {
  parser_limits limits;
  limits.body = 1000;
  auto exact = with("Content-Length: 1000\r\n", std::string(1000, 'a'));
  CHECK(parse(exact, {}, limits).requests.size() == 1);
  CHECK(parse(with("Content-Length: 1001\r\n"), {}, limits).refused == 413);
  auto chunked = with("Transfer-Encoding: chunked\r\n", "1f4\r\n" + std::string(500, 'a') + "\r\n1f5\r\n" +
                                                            std::string(501, 'a') + "\r\n0\r\n\r\n");
  CHECK(parse(chunked, {}, limits).refused == 413);
}

TEST_CASE("random damage never gives more than it was fed, and splits never matter") {
  const std::string base =
      "POST /generate HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
      "GET /health HTTP/1.1\r\nHost: h\r\n\r\n";
  constexpr unsigned seed = 20240817;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 3000; ++round) {
    auto bytes = base;
    for (int i = 0; i < 3; ++i)
      bytes[random() % bytes.size()] = static_cast<char>(random() % 256);
    auto whole = parse(bytes, {});
    REQUIRE(flat(parse(bytes, every_byte(bytes))) == flat(whole));
    for (auto& r : whole.requests)
      REQUIRE(r.body.size() <= bytes.size());
  }
}
