// A table: framing of bodies, and what a connection goes through, after RFC 9112.
#include <string_view>

#include "tests/net/raw_cases.hpp"

namespace lorica::testing {
namespace {

using namespace std::string_literals;

const std::string head = "POST /generate HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n";
const std::string json = R"({"inputs":"Hey"})";  // 16 bytes: 0x10
const std::string health = "GET /health HTTP/1.1\r\nHost: h\r\n\r\n";

std::string with(const std::string& fields, const std::string& body = json) {
  return head + fields + "\r\n" + body;
}
std::string length(const std::string& value, const std::string& body = json) {
  return with("Content-Length: " + value + "\r\n", body);
}
std::string coding(const std::string& value) {
  return with("Transfer-Encoding: " + value + "\r\n", "10\r\n" + json + "\r\n0\r\n\r\n");
}
/// A chunked body as it is given.
std::string chunks(const std::string& body) {
  return with("Transfer-Encoding: chunked\r\n", body);
}
/// A chunked body whose one chunk has this line for its size.
std::string size_line(const std::string& text) {
  return chunks(text + "\r\n" + json + "\r\n0\r\n\r\n");
}
/// A chunked body that ends with this instead of an empty trailer.
std::string trailer(const std::string& lines) {
  return chunks("10\r\n" + json + "\r\n0\r\n" + lines + "\r\n");
}
std::string repeated(const std::string& what, int times) {
  std::string out;
  for (int i = 0; i < times; ++i)
    out += what;
  return out;
}

}  // namespace

std::vector<raw_case> body_cases() {
  using enum fate;
  return {
      {"a body with its length", length("16"), {200}, open},
      {"length with leading zeros", length("0000000016"), {200}, open},
      {"length with blanks around it", length(" \t16 \t"), {200}, open},
      {"negative length", length("-1"), {400}},
      {"length with a plus", length("+16"), {400}},
      {"length as a list of equals", length("16,16"), {400}},
      {"length as a list", length("16, 17"), {400}},
      {"two equal lengths", with("Content-Length: 16\r\nContent-Length: 16\r\n"), {400}},
      {"two lengths", with("Content-Length: 16\r\nContent-Length: 5\r\n"), {400}},
      {"length in hex", length("0x10"), {400}},
      {"length with letters", length("16b"), {400}},
      {"length with a point", length("16.0"), {400}},
      {"length with a space inside", length("1 6"), {400}},
      {"an empty length", length(""), {400}},
      {"length of 20 digits", length("99999999999999999999"), {400}},
      {"length of 2^64", length("18446744073709551616"), {400}},
      {"length of 2^63", length("9223372036854775808"), {413}},
      {"length above the limit", length("2000001", {}), {413}},
      {"length and chunked", with("Content-Length: 16\r\nTransfer-Encoding: chunked\r\n"), {400}},
      {"chunked and length", with("Transfer-Encoding: chunked\r\nContent-Length: 16\r\n"), {400}},
      {"a body on GET is read",
       "GET /health HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
       {200},
       open},
      {"a chunked body on GET is read",
       "GET /health HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
       {200},
       open},
      {"POST without length has no body", head + "\r\n", {400}, open},
      {"length 0", length("0", {}), {400}, open},
      {"a body that stops in the middle", length("16", "{\"inp"), {}, closed, true},
      {"chunked", coding("chunked"), {200}, open},
      {"Chunked", coding("Chunked"), {200}, open},
      {"CHUNKED with blanks", coding("  CHUNKED \t"), {200}, open},
      {"chunked twice", coding("chunked, chunked"), {400}},
      {"gzip, chunked", coding("gzip, chunked"), {501}},
      {"gzip, deflate, chunked", coding("gzip, deflate, chunked"), {501}},
      {"chunked, gzip", coding("chunked, gzip"), {400}},
      {"gzip alone", coding("gzip"), {400}},
      {"identity", coding("identity"), {400}},
      {"identity, chunked", coding("identity, chunked"), {501}},
      {"xchunked", coding("xchunked"), {400}},
      {"chunkedx", coding("chunkedx"), {400}},
      {"chunked with a parameter", coding("chunked;a=b"), {400}},
      {"chunked in quotes", coding("\"chunked\""), {400}},
      {"a vertical tab in chunked",
       coding("chunk\x0b"
              "ed"),
       {400}},
      {"a tab before chunked of another kind",
       coding("\x0c"
              "chunked"),
       {400}},
      {"an empty coding", coding(""), {400}},
      {"an empty member before", coding(", chunked"), {400}},
      {"an empty member behind", coding("chunked,"), {400}},
      {"two codings", with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), {400}},
      {"two codings, one of them none",
       with("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n"),
       {400}},
      {"chunked on 1.0",
       "POST /generate HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n" + json + "\r\n0\r\n\r\n",
       {400}},
      {"two chunks",
       chunks("8\r\n" + json.substr(0, 8) + "\r\n8\r\n" + json.substr(8) + "\r\n0\r\n\r\n"),
       {200},
       open},
      {"size with leading zeros", size_line("0000010"), {200}, open},
      {"size with 0x", size_line("0x10"), {400}},
      {"size with a plus", size_line("+10"), {400}},
      {"size with a minus", size_line("-10"), {400}},
      {"size with an underscore", size_line("1_0"), {400}},
      {"space before a size", size_line(" 10"), {400}},
      {"space behind a size", size_line("10 "), {400}},
      {"space inside a size", size_line("1 0"), {400}},
      {"size of 17 digits", size_line("00000000000000010"), {400}},
      {"size of 17 digits that overflows", size_line("10000000000000000"), {400}},
      {"size of 2^63", size_line("8000000000000000"), {413}},
      {"size of 2^64 - 1", size_line("ffffffffffffffff"), {413}},
      {"size above the limit", size_line("1e8481"), {413}},
      {"sizes above the limit together",
       chunks("1e8480\r\n" + std::string(2'000'000, ' ') + "\r\n1\r\n"),
       {413}},
      {"an empty size", size_line(""), {400}},
      {"a size of other letters", size_line("g"), {400}},
      {"a size that ends with LF only", chunks("10\n" + json + "\r\n0\r\n\r\n"), {400}},
      {"a size that ends with CR only", chunks("10\r" + json + "\r\n0\r\n\r\n"), {400}},
      {"no CRLF behind a chunk", chunks("10\r\n" + json + "0\r\n\r\n"), {400}},
      {"LF behind a chunk", chunks("10\r\n" + json + "\n0\r\n\r\n"), {400}},
      {"a chunk longer than its size", chunks("f\r\n" + json + "\r\n0\r\n\r\n"), {400}},
      {"an extension", size_line("10;a=b"), {200}, open},
      {"an extension without value", size_line("10;a"), {200}, open},
      {"blanks before an extension", size_line("10 \t;a=b"), {200}, open},
      {"a quoted extension", size_line("10;a=\"b;c d\""), {200}, open},
      {"a quoted extension with an escaped quote", size_line("10;a=\"b\\\"c\""), {200}, open},
      {"an extension with LF", chunks("10;a=b\n" + json + "\r\n0\r\n\r\n"), {400}},
      {"an extension with LF, then CRLF", chunks("10;a\nb\r\n" + json + "\r\n0\r\n\r\n"), {400}},
      {"a quoted extension with CRLF", chunks("10;a=\"\r\n\"\r\n" + json + "\r\n0\r\n\r\n"), {400}},
      {"a quoted extension with CR", chunks("10;a=\"\r\"\r\n" + json + "\r\n0\r\n\r\n"), {400}},
      {"an extension with NUL", size_line("10;a=\0b"s), {400}},
      {"an extension of 256 bytes", size_line("10;" + std::string(255, 'e')), {200}, open},
      {"an extension of 257 bytes", size_line("10;" + std::string(256, 'e')), {400}},
      {"extensions of 5 KB together",
       chunks(repeated("1;" + std::string(250, 'e') + "\r\n \r\n", 20) + "10\r\n" + json + "\r\n0\r\n\r\n"),
       {400}},
      {"an extension without an end", chunks("10;" + std::string(5000, 'e')), {400}},
      {"5,000 chunks of a byte", chunks(repeated("1\r\n \r\n", 5000) + "0\r\n\r\n"), {400}},
      {"several zeros as the last chunk", chunks("10\r\n" + json + "\r\n000\r\n\r\n"), {200}, open},
      {"the last chunk with an extension", chunks("10\r\n" + json + "\r\n0;a=b\r\n\r\n"), {200}, open},
      {"a trailer", trailer("X-Sum: 1\r\n"), {200}, open},
      {"a trailer Content-Length does not count", trailer("Content-Length: 5\r\n"), {200}, open},
      {"a trailer Transfer-Encoding does not count", trailer("Transfer-Encoding: chunked\r\n"), {200}, open},
      {"a trailer Host does not count", trailer("Host: a\r\nHost: b\r\n"), {200}, open},
      {"a trailer of 1 MB", trailer("X: " + std::string(1'000'000, 'a') + "\r\n"), {431}},
      {"101 trailers", trailer(repeated("X: a\r\n", 101)), {431}},
      {"a folded trailer", trailer("X: a\r\n b\r\n"), {400}},
      {"a trailer without colon", trailer("nonsense\r\n"), {400}},
      {"a trailer without name", trailer(": a\r\n"), {400}},
      {"a trailer with NUL", trailer("X: a\0b\r\n"s), {400}},
      {"a trailer that ends with LF", trailer("X: a\n"), {400}},
      {"no end behind the last chunk", chunks("10\r\n" + json + "\r\n0\r\n"), {}, closed, true},
      {"a chunk that stops in the middle", chunks("10\r\n{\"in"), {}, closed, true},
      {"a size that stops in the middle", chunks("1"), {}, closed, true},
      {"another type of body",
       "POST /generate HTTP/1.1\r\nHost: h\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
       {415}},
      {"a body in gzip", with("Content-Encoding: gzip\r\nContent-Length: 16\r\n"), {415}},
      {"a body as it is", with("Content-Encoding: identity\r\nContent-Length: 16\r\n"), {200}, open},
  };
}

std::vector<raw_case> connection_cases() {
  using enum fate;
  auto get = [](const std::string& fields, const std::string& path = "/health") {
    return "GET " + path + " HTTP/1.1\r\nHost: h\r\n" + fields + "\r\n";
  };
  auto any = [](const std::string& request_line, const std::string& rest = {}) {
    return request_line + " HTTP/1.1\r\nHost: h\r\n" + rest + "\r\n";
  };
  return {
      {"Connection: close", get("Connection: close\r\n"), {200}},
      {"Connection: Close", get("Connection: Close\r\n"), {200}},
      {"keep-alive, close", get("Connection: keep-alive, close\r\n"), {200}},
      {"close in a second field", get("Connection: keep-alive\r\nConnection: close\r\n"), {200}},
      {"other words in Connection", get("Connection: X-Hop, something\r\nX-Hop: 1\r\n"), {200}, open},
      {"Keep-Alive and Proxy-Connection",
       get("Keep-Alive: timeout=5\r\nProxy-Connection: close\r\n"),
       {200},
       open},
      {"two in one go", health + health, {200, 200}, open},
      {"three in one go", health + length("16") + health, {200, 200, 200}, open},
      {"eight in one go", repeated(health, 8), std::vector<int>(8, 200), open},
      {"CRLF between two", health + "\r\n" + health, {200, 200}, open},
      {"an error in the second of three", health + "GET /health HTTP/1.1\r\n\r\n" + health, {200, 400}},
      {"no such path in the second of three", health + get({}, "/nothing") + health, {200, 404, 200}, open},
      {"a request behind Connection: close", get("Connection: close\r\n") + health, {200}},
      {"a request behind a chunked body", coding("chunked") + health, {200, 200}, open},
      {"a request behind a chunked body with trailers", trailer("X: a\r\n") + health, {200, 200}, open},
      {"a refused body that looks like a request",
       any("POST /nothing", "Content-Length: " + std::to_string(health.size()) + "\r\n") + health,
       {404}},
      {"a body of another type that looks like a request",
       any("POST /generate",
           "Content-Type: text/html\r\nContent-Length: " + std::to_string(health.size()) + "\r\n") +
           health,
       {415}},
      {"a body without meaning leaves the connection", length("5", "hello") + health, {400, 200}, open},
      {"1.0 is answered and closed", "GET /health HTTP/1.0\r\n\r\n", {200}},
      {"1.0 with keep-alive too", "GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", {200}},
      {"1.0 with a body", "POST /generate HTTP/1.0\r\nContent-Length: 16\r\n\r\n" + json, {200}},
      {"1.0 gets no stream", "POST /generate_stream HTTP/1.0\r\nContent-Length: 16\r\n\r\n" + json, {400}},
      {"a request behind 1.0", "GET /health HTTP/1.0\r\n\r\n" + health, {200}},
      {"a client that only ends sending", health, {200}, closed, true},
      {"a client that ends sending behind two", length("16") + health, {200, 200}, closed, true},
      {"a client that ends sending in a header", "GET /health HTTP/1.1\r\nHo", {}, closed, true},
      {"a client that sends nothing", "", {}, closed, true},
      {"Expect", with("Expect: 100-continue\r\nContent-Length: 16\r\n"), {200}, open},
      {"Expect in other letters", with("Expect: 100-Continue\r\nContent-Length: 16\r\n"), {200}, open},
      {"Expect with chunks",
       with("Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n", "10\r\n" + json + "\r\n0\r\n\r\n"),
       {200},
       open},
      {"Expect without body", get("Expect: 100-continue\r\n"), {200}, open},
      {"Expect of 1.0",
       "POST /generate HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 16\r\n\r\n" + json,
       {200}},
      {"Expect of something else", with("Expect: tea\r\nContent-Length: 16\r\n"), {417}},
      {"Expect of two things", with("Expect: 100-continue, tea\r\nContent-Length: 16\r\n"), {417}},
      {"Expect for no such path",
       any("POST /nothing", "Expect: 100-continue\r\nContent-Length: 5\r\n"),
       {404}},
      {"Expect for too much", with("Expect: 100-continue\r\nContent-Length: 2000001\r\n", {}), {413}},
      {"HEAD", any("HEAD /health"), {200}, open},
      {"HEAD of something with a body", any("HEAD /metrics"), {200}, open},
      {"HEAD of a stream of events", any("HEAD /v1/adapters/events"), {200}, open},
      {"QUERY, which no route has", any("QUERY /generate"), {405}, open},
      {"HEAD where there is only POST", any("HEAD /generate"), {405}, open},
      {"HEAD of no such path", any("HEAD /nothing"), {404}, open},
      {"OPTIONS", any("OPTIONS /generate"), {204}, open},
      {"OPTIONS of no such path", any("OPTIONS /nothing"), {404}, open},
      {"OPTIONS with a body", any("OPTIONS /generate", "Content-Length: 2\r\n") + "{}", {204}},
      {"TRACE", any("TRACE /health"), {405}},
      {"CONNECT", any("CONNECT h:443"), {405}},
      {"PATCH", any("PATCH /health"), {405}, open},
      {"DELETE of what is only read", any("DELETE /health"), {405}, open},
      {"GET of what is only posted", any("GET /generate"), {405}, open},
      {"a stream, then a request",
       "POST /generate_stream HTTP/1.1\r\nHost: h\r\nContent-Length: 16\r\n\r\n" + json + health,
       {200, 200},
       open},
  };
}

}  // namespace lorica::testing
