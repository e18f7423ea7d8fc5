#include "text/traced_text.hpp"

#include "tests/catch.hpp"

namespace lorica {
namespace {

using range = std::pair<std::size_t, std::size_t>;

}  // namespace

TEST_CASE("a text that was not edited is where it was") {
  traced_text text("abc", 10);
  CHECK(text.text() == "abc");
  CHECK(text.origin(1, 3) == range{11, 13});
  CHECK(text.origin(1, 1) == range{11, 11});
}

TEST_CASE("offsets lead back through edits, one after another") {
  traced_text text("a b", 5);
  text_editor first(text.text());
  first.insert("<<");
  text.edit(first.take());
  CHECK(text.text() == "<<a b");
  text_editor second(text.text());
  second.keep(3);
  second.replace(4, "___", 1);
  text.edit(second.take());
  REQUIRE(text.text() == "<<a___b");
  CHECK(text.origin(0, 1) == range{5, 6});  // what was put in front counts to the first character
  CHECK(text.origin(0, 3) == range{5, 6});
  CHECK(text.origin(2, 4) == range{5, 7});
  CHECK(text.origin(4, 5) == range{6, 7});
  CHECK(text.origin(6, 7) == range{7, 8});
}

TEST_CASE("what was taken away belongs to nothing") {
  traced_text text("  ab  ", 0);
  text_editor editor(text.text());
  editor.replace(2, "", 0);
  editor.keep(4);
  editor.replace(6, "", 0);
  text.edit(editor.take());
  REQUIRE(text.text() == "ab");
  CHECK(text.origin(0, 1) == range{2, 3});
  CHECK(text.origin(1, 2) == range{3, 4});
}

TEST_CASE("a stretch of an edited text leads back through its parent") {
  traced_text parent("xyz", 3);
  text_editor editor(parent.text());
  editor.insert("--");
  parent.edit(editor.take());
  traced_text child(parent, 3, 5);
  REQUIRE(child.text() == "yz");
  text_editor own(child.text());
  own.insert("+");
  child.edit(own.take());
  CHECK(child.text() == "+yz");
  CHECK(child.origin(0, 2) == range{4, 5});
  CHECK(child.origin(2, 3) == range{5, 6});
}

}  // namespace lorica
