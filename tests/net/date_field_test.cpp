#include "net/date_field.hpp"

#include "tests/catch.hpp"
#include "tests/net/fake_services.hpp"
#include "tests/net/raw_client.hpp"

using namespace lorica;
using namespace lorica::testing;

TEST_CASE("dates are written as the standard wants them") {
  // The example of RFC 9110, 5.6.7; the others by `date -u -d @SECONDS`.
  CHECK(http_date(784'111'777) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(http_date(951'782'399) == "Mon, 28 Feb 2000 23:59:59 GMT");
  CHECK(http_date(951'782'400) == "Tue, 29 Feb 2000 00:00:00 GMT");
  CHECK(http_date(4'102'444'799) == "Thu, 31 Dec 2099 23:59:59 GMT");
}

TEST_CASE("a date is written anew when the second changes") {
  date_field date;
  CHECK(date.at(784'111'777) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(date.at(784'111'777) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(date.at(784'111'778) == "Sun, 06 Nov 1994 08:49:38 GMT");
}

TEST_CASE("every reply has the date, streams and refusals too") {
  test_server s;
  auto dated = [](raw_reply reply) {
    auto date = reply.fields["date"];
    return date.size() == 29 && date.ends_with(" GMT");
  };
  CHECK(dated(get(s.port(), "/health")));
  CHECK(dated(get(s.port(), "/nothing")));
  CHECK(dated(post(s.port(), "/generate_stream", R"({"inputs":"a"})")));
  raw_client client(s.port());
  client.send("nonsense\r\n");
  CHECK(dated(client.read()));
}
