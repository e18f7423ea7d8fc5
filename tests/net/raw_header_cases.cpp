// A table: request lines, Host and fields as clients, proxies and attackers send them, and what RFC 9110 and
// 9112 want of a strict server.
#include "tests/net/raw_cases.hpp"

namespace lorica::testing {
namespace {

using namespace std::string_literals;

const std::string line = "GET /health HTTP/1.1\r\n";
const std::string host = "Host: h\r\n";

std::string with_line(const std::string& request_line) {
  return request_line + "\r\n" + host + "\r\n";
}
std::string target(const std::string& text) {
  return with_line("GET " + text + " HTTP/1.1");
}
std::string with_host(const std::string& value) {
  return line + "Host: " + value + "\r\n\r\n";
}
std::string with(const std::string& fields) {
  return line + host + fields + "\r\n";
}
std::string fields_of(int count) {
  std::string out;
  for (int i = 0; i < count; ++i)
    out += "X-" + std::to_string(i) + ": v\r\n";
  return out;
}

}  // namespace

std::vector<raw_case> start_line_cases() {
  using enum fate;
  return {
      {"a plain request", with_line("GET /health HTTP/1.1"), {200}, open},
      {"bare LF after the request line", "GET /health HTTP/1.1\nHost: h\r\n\r\n", {400}},
      {"bare LF everywhere", "GET /health HTTP/1.1\nHost: h\n\n", {400}},
      {"CRLF before the request once", "\r\n" + with({}), {200}, open},
      {"CRLF before the request twice", "\r\n\r\n" + with({}), {400}},
      {"CRLF before the request 100 times",
       [] {
         std::string out;
         for (int i = 0; i < 100; ++i)
           out += "\r\n";
         return out + with({});
       }(),
       {400}},
      {"bare LF before the request", "\n" + with({}), {400}},
      {"CR alone before the request", "\r" + with({}), {400}},
      {"space before the method", " " + with({}), {400}},
      {"two spaces after the method", with_line("GET  /health HTTP/1.1"), {400}},
      {"two spaces before the version", with_line("GET /health  HTTP/1.1"), {400}},
      {"tab after the method", with_line("GET\t/health HTTP/1.1"), {400}},
      {"tab before the version", with_line("GET /health\tHTTP/1.1"), {400}},
      {"method in lower case", with_line("get /health HTTP/1.1"), {501}},
      {"method in mixed case", with_line("Get /health HTTP/1.1"), {501}},
      {"unknown method", with_line("BREW /health HTTP/1.1"), {501}},
      {"method of 100 KB", with_line(std::string(100'000, 'A') + " /health HTTP/1.1"), {501}},
      {"method of 100 KB without an end", std::string(100'000, 'A'), {501}},
      {"control character in the method", with_line("G\x01T /health HTTP/1.1"), {400}},
      {"separator in the method", with_line("G(T /health HTTP/1.1"), {400}},
      {"empty request line after a field", "\r\nHost: h\r\n\r\n", {400}},
      {"HTTP/1.2 is read as 1.1", with_line("GET /health HTTP/1.2"), {200}, open},
      {"HTTP/1.9 is read as 1.1", with_line("GET /health HTTP/1.9"), {200}, open},
      {"HTTP/2.0", with_line("GET /health HTTP/2.0"), {505}},
      {"HTTP/0.9 in words", with_line("GET /health HTTP/0.9"), {505}},
      {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {505}},
      {"version in lower case", with_line("GET /health http/1.1"), {400}},
      {"space after the version", with_line("GET /health HTTP/1.1 "), {400}},
      {"no version", with_line("GET /health"), {400}},
      {"no version, and nothing else", "GET /health\r\n\r\n", {400}},
      {"version without minor", with_line("GET /health HTTP/1"), {400}},
      {"version of two digits", with_line("GET /health HTTP/1.10"), {400}},
      {"version without dot", with_line("GET /health HTTP/11"), {400}},
      {"another protocol", with_line("GET /health HTTPS/1.1"), {400}},
      {"a fourth word", with_line("GET /health HTTP/1.1 more"), {400}},
      {"CR inside the request line", "GET /hea\rlth HTTP/1.1\r\n" + host + "\r\n", {400}},
      {"NUL in the target", target("/hea\0lth"s), {400}},
      {"control character in the target", target("/hea\x02lth"), {400}},
      {"DEL in the target", target("/hea\x7flth"), {400}},
      {"bytes beyond ASCII in the target", target("/h\xc3\xa4lth"), {400}},
      {"a fragment", target("/health#top"), {400}},
      {"a query", target("/health?a=%20b&c"), {200}, open},
      {"two slashes", target("//health"), {404}, open},
      {"a path that climbs", target("/a/../health"), {400}},
      {"a path that climbs at its end", target("/health/.."), {400}},
      {"a path that climbs, escaped", target("/%2e%2e/health"), {400}},
      {"a path that climbs, slash escaped too", target("/%2e%2e%2fhealth"), {400}},
      {"%00", target("/health%00"), {400}},
      {"a broken escape", target("/%zz"), {400}},
      {"half an escape", target("/health%4"), {400}},
      {"an escaped letter is no other route", target("/%68ealth"), {404}, open},
      {"absolute form of our host", target("http://h/health"), {200}, open},
      {"absolute form, scheme in upper case", target("HTTP://H/health"), {200}, open},
      {"absolute form with the port that is meant", target("http://h:80/health"), {200}, open},
      {"absolute form without path", target("http://h"), {200}, open},
      {"absolute form, query without path", target("http://h?a=b"), {200}, open},
      {"absolute form of TLS", target("https://h/health"), {200}, open},
      {"absolute form of another host", target("http://other/health"), {400}},
      {"absolute form of another port", target("http://h:81/health"), {400}},
      {"absolute form that begins as our host", target("http://hh/health"), {400}},
      {"absolute form with a user", target("http://me@h/health"), {400}},
      {"absolute form without host", target("http:///health"), {400}},
      {"absolute form that climbs", target("http://h/a/../b"), {400}},
      {"absolute form of another scheme", target("ftp://h/health"), {400}},
      {"absolute form on 1.0 without Host", "GET http://h/health HTTP/1.0\r\n\r\n", {200}},
      {"* with GET", target("*"), {400}},
      {"* with OPTIONS", with_line("OPTIONS * HTTP/1.1"), {204}, open},
      {"authority form with GET", target("h:80"), {400}},
      {"a path without slash", target("health"), {400}},
      {"a target of 8 KiB", target("/" + std::string(8191, 'a')), {404}, open},
      {"a target of 8 KiB and a byte", target("/" + std::string(8192, 'a')), {414}},
      {"a request line without an end", "GET /" + std::string(20'000, 'a'), {414}},
      {"the hello of TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s, {400}},
      {"something that is no HTTP", "SSH-2.0-OpenSSH_9.2\r\n", {400}},
  };
}

std::vector<raw_case> field_cases() {
  using enum fate;
  return {
      {"no Host", line + "\r\n", {400}},
      {"two Hosts", with("Host: other\r\n"), {400}},
      {"two equal Hosts", with(host), {400}},
      {"an empty Host", with_host(""), {400}},
      {"a list of Hosts", with_host("h, other"), {400}},
      {"a Host with a path", with_host("h/x"), {400}},
      {"a Host with a user", with_host("me@h"), {400}},
      {"a Host with a space", with_host("h h"), {400}},
      {"a Host with other characters", with_host("<h>"), {400}},
      {"a Host with a port of letters", with_host("h:http"), {400}},
      {"a Host with a port of six digits", with_host("h:123456"), {400}},
      {"a Host with a port", with_host("h:3000"), {200}, open},
      {"a Host with an empty port", with_host("h:"), {200}, open},
      {"a Host of IPv6", with_host("[::1]:3000"), {200}, open},
      {"a Host of IPv6 that does not end", with_host("[::1"), {400}},
      {"a Host of IPv6 with something behind", with_host("[::1]x"), {400}},
      {"a Host of a container's name", with_host("my_server:80"), {200}, open},
      {"HOST in upper case", line + "HOST: h\r\n\r\n", {200}, open},
      {"1.0 without Host", "GET /health HTTP/1.0\r\n\r\n", {200}},
      {"1.0 with two Hosts", "GET /health HTTP/1.0\r\n" + host + host + "\r\n", {400}},
      {"space before a colon", with("X : v\r\n"), {400}},
      {"tab before a colon", with("X\t: v\r\n"), {400}},
      {"a folded field", with("X: a\r\n b\r\n"), {400}},
      {"a field folded with a tab", with("X: a\r\n\tb\r\n"), {400}},
      {"a first field that begins with a space", line + " " + host + "\r\n", {400}},
      {"a control character in a value", with("X: a\x01z\r\n"), {400}},
      {"DEL in a value", with("X: a\x7fz\r\n"), {400}},
      {"ESC in a value", with("X: a\x1b[2Jz\r\n"), {400}},
      {"NUL in a value", with("X: a\0z\r\n"s), {400}},
      {"bare CR in a value", with("X: a\rz\r\n"), {400}},
      {"bare LF in a value", with("X: a\nY: z\r\n"), {400}},
      {"bare LF at the end of a field", with("X: a\n"), {400}},
      {"CR CR LF at the end of a field", with("X: a\r\r\n"), {400}},
      {"bare LF for the empty line", line + host + "\n", {400}},
      {"no colon", with("nonsense\r\n"), {400}},
      {"an empty name", with(": v\r\n"), {400}},
      {"a separator in a name", with("X(Y): v\r\n"), {400}},
      {"a space in a name", with("X Y: v\r\n"), {400}},
      {"bytes beyond ASCII in a name", with("X\xc3\xa4: v\r\n"), {400}},
      {"NUL in a name", with("X\0Y: v\r\n"s), {400}},
      {"bytes beyond ASCII in a value", with("X: caf\xc3\xa9\r\n"), {200}, open},
      {"an empty value", with("X:\r\n"), {200}, open},
      {"no blank after a colon", with("X:v\r\n"), {200}, open},
      {"blanks around a value", with("Connection: \t keep-alive \t \r\n"), {200}, open},
      {"a name with an underscore", with("X_Y: v\r\n"), {200}, open},
      {"Content_Length is not Content-Length", with("Content_Length: 5\r\n"), {200}, open},
      {"100 fields", with(fields_of(99)), {200}, open},
      {"101 fields", with(fields_of(100)), {431}},
      {"a line of 8 KiB", with("X: " + std::string(8189, 'a') + "\r\n"), {200}, open},
      {"a line of 8 KiB and a byte", with("X: " + std::string(8190, 'a') + "\r\n"), {431}},
      {"a line without an end", line + host + "X: " + std::string(20'000, 'a'), {431}},
      {"a name without an end", line + host + std::string(20'000, 'X'), {431}},
      {"five lines of 8,000 bytes",
       [] {
         std::string out;
         for (int i = 0; i < 5; ++i)
           out += "X: " + std::string(8000, 'a') + "\r\n";
         return with(out);
       }(),
       {431}},
      {"two Authorizations", with("Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"), {400}},
      {"two Content-Types", with("Content-Type: a/b\r\nContent-Type: a/b\r\n"), {400}},
      {"two Expects", with("Expect: 100-continue\r\nExpect: 100-continue\r\n"), {400}},
      {"two fields that nobody reads", with("X: a\r\nX: b\r\n"), {200}, open},
      {"Range", with("Range: bytes=0-1\r\n"), {200}, open},
      {"If-None-Match", with("If-None-Match: *\r\n"), {200}, open},
      {"If-Match", with("If-Match: \"x\"\r\n"), {200}, open},
      {"If-Modified-Since", with("If-Modified-Since: Sat, 29 Oct 1994 19:43:31 GMT\r\n"), {200}, open},
      {"If-Range", with("If-Range: \"x\"\r\nRange: bytes=5-\r\n"), {200}, open},
      {"Upgrade to h2c",
       with("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n"),
       {200},
       open},
      {"Upgrade to WebSocket",
       with("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
       {200},
       open},
      {"Accept that asks for something else", with("Accept: image/png\r\n"), {200}, open},
      {"Accept-Encoding", with("Accept-Encoding: gzip, br\r\n"), {200}, open},
  };
}

}  // namespace lorica::testing
