#include "net/key_list.hpp"

#include <filesystem>
#include <fstream>

#include "net/credentials.hpp"
#include "tests/catch.hpp"
#include "tests/net/temporary_folder.hpp"

using namespace lorica;
using namespace lorica::testing;

namespace {

// printf secret | sha256sum
const std::string hash_of_secret = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

key_list keys_in(std::string_view text) {
  key_list out;
  auto ok = out.add_lines(text, "api-key-file");
  REQUIRE(ok);
  return out;
}

std::string refusal_of(std::string_view text) {
  key_list out;
  auto ok = out.add_lines(text, "api-key-file");
  REQUIRE_FALSE(ok);
  CHECK(ok.error().code == errc::bad_config);
  return ok.error().text;
}

}  // namespace

TEST_CASE("a file has keys and hashes of keys, one a line") {
  auto keys = keys_in("# of the team\n\n  first\t\r\nsecond\nsha256:" + hash_of_secret + "\n#third");
  CHECK(keys.size() == 3);
  for (auto key : {"first", "second", "secret"})
    CHECK(keys.holds(key));
  for (auto other : {"", "third", "# of the team", "First", "first ", "firs", hash_of_secret.c_str()})
    CHECK_FALSE(keys.holds(other));
  CHECK(keys_in("sha256:2BB80D537B1DA3E38BD30361AA855686BDE0EACD7162FEF6A25FE97BF527A25B").holds("secret"));
}

TEST_CASE("what is no key or hash is refused by its line, and never shown") {
  CHECK(refusal_of("good\nwith blank\n") ==
        "--api-key-file: line 2 is no key; expected up to 4096 printable ASCII characters without blanks");
  CHECK(refusal_of("\n\nsha256:abc") ==
        "--api-key-file: line 3 is no hash; expected sha256: and 64 hex digits");
  CHECK_THAT(refusal_of("sha256:" + hash_of_secret + "0"), Catch::Contains("is no hash"));
  CHECK_THAT(refusal_of("sha256:" + hash_of_secret.substr(1) + "g"), Catch::Contains("is no hash"));
  CHECK_THAT(refusal_of("caf\xc3\xa9"), Catch::Contains("is no key"));
  CHECK_THAT(refusal_of(std::string(4097, 'a')), Catch::Contains("is no key"));
  CHECK_THAT(refusal_of("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
             Catch::Contains("hash of an empty key"));
  std::string many;
  for (int i = 0; i < 10'001; ++i)
    many += "key" + std::to_string(i) + "\n";
  CHECK_THAT(refusal_of(many), Catch::Contains("line 10001 is beyond the limit"));
}

TEST_CASE("keys come from a setting and a file together") {
  temporary_folder folder;
  auto file = folder.write("keys", "one\ntwo\n");
  auto keys = read_keys("three", file, "api-key-file");
  REQUIRE(keys);
  CHECK(keys->size() == 3);
  CHECK(keys->holds("one"));
  CHECK(keys->holds("three"));
  CHECK(read_keys("", "", "api-key-file")->empty());
}

TEST_CASE("a file of keys that is missing, empty, a directory or huge is an error with its last name only") {
  temporary_folder folder;
  auto refused = [&](const std::string& path) {
    auto keys = read_keys("", path, "admin-api-key-file");
    REQUIRE_FALSE(keys);
    CHECK(keys.error().code == errc::bad_config);
    CHECK_THAT(keys.error().text, Catch::StartsWith("--admin-api-key-file: the file '"));
    CHECK_THAT(keys.error().text, !Catch::Contains(folder.path()));
    return keys.error().text;
  };
  CHECK_THAT(refused(folder.path() + "/nothing"), Catch::Contains("'nothing' is not there"));
  CHECK_THAT(refused(folder.path()), Catch::Contains("is not a file"));
  CHECK_THAT(refused(folder.write("empty", "# nobody\n")), Catch::Contains("'empty' holds no key"));
  CHECK_THAT(refused(folder.write("huge", std::string((4 << 20) + 1, '#'))),
             Catch::Contains("is larger than"));
}

TEST_CASE("no key is both a client's and the administration's, in whatever way it is given") {
  temporary_folder folder;
  credential_sources from;
  from.api_key_file = folder.write("clients", "one\nsecret\n");
  from.admin_api_key_file = folder.write("chiefs", "sha256:" + hash_of_secret + "\n");
  auto both = read_credentials(from);
  REQUIRE_FALSE(both);
  CHECK_THAT(both.error().text, Catch::Contains("every client could change adapters"));
  from.admin_api_key_file = folder.write("chiefs", "chief\n");
  auto apart = read_credentials(from);
  REQUIRE(apart);
  CHECK(apart->clients.size() == 2);
  CHECK(apart->administration.holds("chief"));
  CHECK_FALSE(apart->tls);
}
