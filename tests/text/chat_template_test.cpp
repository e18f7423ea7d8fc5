#include "text/chat_template.hpp"

#include <thread>

#include "tests/text/template_cases.hpp"

namespace lorica {
namespace {

using Catch::Contains;

// The bytes that a rendering marks, others as dots.
std::string marked(const std::string& source, const std::string& variables) {
  auto out = rendered(source, variables);
  INFO(source << ": " << (out ? "" : out.error().text));
  REQUIRE(out);
  std::string shown(out->text.size(), '.');
  for (auto& span : out->from_request) {
    REQUIRE(span.begin < span.end);
    REQUIRE(span.end <= shown.size());
    shown.replace(span.begin, span.end - span.begin, out->text, span.begin, span.end - span.begin);
  }
  return shown;
}

void check_failure(const std::string& source, const std::string& text, const std::string& variables = "{}") {
  auto out = rendered(source, variables);
  INFO(source);
  REQUIRE_FALSE(out);
  CHECK(out.error().code == errc::template_failed);
  CHECK_THAT(out.error().text, Contains(text));
}

void check_refused(const std::string& source, const std::string& text) {
  auto parsed = chat_template::parse(source);
  INFO(source);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().code == errc::bad_model);
  CHECK_THAT(parsed.error().text, Contains(text));
}

std::string repeated(const std::string& text, std::size_t count) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i)
    out += text;
  return out;
}

}  // namespace

TEST_CASE("what a template does not support is refused when it is parsed, by line and name") {
  check_refused("a\n{% include 'x' %}", "line 2: the tag 'include' is not supported");
  check_refused("{% block a %}{% endblock %}", "'block' is not supported");
  check_refused("{% extends 'x' %}", "'extends'");
  check_refused("{% import 'x' as y %}", "'import'");
  check_refused("{% autoescape true %}{% endautoescape %}", "'autoescape'");
  check_refused("\n\n{{ x | urlize }}", "line 3: the filter 'urlize' is not supported");
  check_refused("{% if a %}{{ x | xmlattr }}{% endif %}", "'xmlattr'");
  check_refused("{{ x | nosuch }}", "No filter named 'nosuch'");
  check_refused("{{ x is nosuch }}", "No test named 'nosuch'");
  check_refused("{{ '\\N{DASH}' }}", "character names");
  check_refused("{% for i in x %}", "'endfor' is missing");
  check_refused("\n{% nosuch %}", "line 2: Encountered unknown tag 'nosuch'");
  check_refused("{{ \xff }}", "not valid UTF-8");
}

TEST_CASE("templates have a longest source and a greatest depth") {
  CHECK(chat_template::parse(std::string(chat_template::source_limit, 'x')));
  check_refused(std::string(chat_template::source_limit + 1, 'x'), "65536 are the most");
  CHECK(chat_template::parse("{{ " + repeated("(", 40) + "1" + repeated(")", 40) + " }}"));
  check_refused("{{ " + repeated("(", 500) + "1" + repeated(")", 500) + " }}", "nested deeper");
  check_refused("{{ " + repeated("[", 30'000), "nested deeper");
  check_refused("{{ " + repeated("not ", 10'000) + "1 }}", "nested deeper");
  check_refused("{{ " + repeated("-", 10'000) + "1 }}", "nested deeper");
  check_refused("{{ 1" + repeated(" + 1", 300) + " }}", "nested deeper");
  check_refused("{{ a" + repeated(".b", 300) + " }}", "nested deeper");
  check_refused("{{ a" + repeated("|trim", 300) + " }}", "nested deeper");
  check_refused("{{ 1" + repeated(" if 1 else 1", 300) + " }}", "nested deeper");
  CHECK(chat_template::parse(repeated("{% if 1 %}", 30) + repeated("{% endif %}", 30)));
  check_refused(repeated("{% if 1 %}", 2'000), "blocks are nested deeper");
}

TEST_CASE("a rendering stops at its limits") {
  check_failure("{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}", "steps");
  check_failure("{{ range(100001) }}", "Range too big");
  CHECK(rendered("{{ range(100000) | length }}")->text == "100000");
  check_failure("{{ 'x' * 1000000000000 }}", "256 MiB");
  check_failure("{{ ['x'] * 1000000000000 }}", "steps");
  check_failure("{{ 'abc'.ljust(1000000000000) }}", "256 MiB");
  check_failure("{{ '%10000000000000d' % 1 }}", "width too big");
  check_failure("{{ '%1000000000d' % 1 }}", "256 MiB");
  check_failure("{{ '{:>1000000000}'.format(1) }}", "256 MiB");
  check_failure(
      "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
      "256 MiB");
  check_failure("{{ ('a' * 1000000).replace('a', 'b' * 100000) }}", "256 MiB");
  check_failure("{{ 2 ** 200 }}", "128 bits");
  check_failure("{{ 10 ** 30 * 10 ** 30 }}", "128 bits");
  check_failure("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "macros nested deeper than 64");
  check_failure("{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}", "macros nested deeper than 64");
  check_failure("{% set ns = namespace(v=[]) %}{% for i in range(300) %}{% set ns.v = [ns.v] %}{% endfor %}",
                "values are nested deeper than 200");
  check_failure(
      "{% set ns = namespace(v='a') %}{% for i in range(300) %}{% set ns.v = ns.v | map('upper') %}"
      "{% endfor %}",
      "values are nested deeper than 200");
  check_failure("{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}", "namespace is printed within");
}

TEST_CASE("the output has a bound that the caller sets") {
  CHECK(rendered("{{ 'x' * 100 }}", "{}", 100)->text.size() == 100);
  auto out = rendered("{{ 'x' * 101 }}", "{}", 100);
  REQUIRE_FALSE(out);
  CHECK_THAT(out.error().text, Contains("longer than 100 bytes"));
  CHECK_FALSE(rendered(std::string(101, 'x'), "{}", 100));
}

TEST_CASE("errors say what is missing and repeat nothing of the request") {
  check_failure("{{ raise_exception('no ' ~ x) }}", "no luck", R"({"x":"luck"})");
  check_failure("{{ a.b }}", "'a' is undefined");
  check_failure("{{ a.b.c }}", "'dict object' has no attribute 'b'", R"({"a":{"secret":1}})");
  check_failure("{{ a[k].c }}", "has no attribute of that name", R"({"a":{},"k":"secret"})");
  check_failure("{{ [].append(1) }}", "'append' of 'list' object is unsafe");
  check_failure("{{ 1 / 0 }}", "division by zero");
  check_failure("{{ 'a' + 1 }}", "'str' and 'int'");
  auto hidden = rendered("{{ a[k].c }}", R"({"a":{"secret":1},"k":"secretive"})");
  CHECK(hidden.error().text.find("secret") == std::string::npos);
}

TEST_CASE("what the request gives cannot replace what the server gives") {
  auto messages = json(R"([{"role":"user","content":"hi"}])");
  auto variables = json(R"({"messages":[],"add_generation_prompt":false,"bos_token":"<b>","x":1})");
  special_token_texts tokens = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
  template_input input;
  input.messages = &messages;
  input.variables = &variables;
  input.special_tokens = &tokens;
  input.add_generation_prompt = true;
  auto out =
      parsed_template("{{ bos_token }}{{ eos_token }}{{ messages|length }}{{ add_generation_prompt }}{{ x }}")
          ->render(input);
  REQUIRE(out);
  // As in transformers a variable goes before a special token; it is marked, so it cannot be one.
  CHECK(out->text == "<b></s>1True1");
  CHECK(out->from_request == std::vector<text_span>{{0, 3}});
}

TEST_CASE("bytes of the request stay marked through every operation") {
  const std::string v =
      R"({"x":"<|a|>","l":["p","q"],"d":{"k":"v"},"s":" a,b ","n":5,"u":"éß","q":"a\"b\n"})";
  CHECK(marked("<|a|>{{ x }}", v) == ".....<|a|>");
  CHECK(marked("{{ '<' + x + '>' }}", v) == ".<|a|>.");
  CHECK(marked("{{ '<' ~ x ~ n }}", v) == ".<|a|>.");
  CHECK(marked("{{ x[1:3] }}{{ x[::-1] }}{{ x[0] }}{{ x[-2:] }}", v) == "|a>|a|<<|>");
  CHECK(marked("{{ x.replace('a', '<b>') }}", v) == "<|...|>");
  CHECK(marked("{{ 'xax' | replace('a', x) }}", v) == ".<|a|>.");
  CHECK(marked("{{ s.strip() }}{{ s | trim }}{{ s.lstrip() }}", v) == "a,ba,ba,b ");
  CHECK(marked("{{ s.split(',')[1] }}{{ s.split(',') | join('-') }}", v) == "b  a.b ");
  CHECK(marked("{{ l | join('<|') }}{{ '+'.join(l) }}", v) == "p..qp.q");
  CHECK(marked("{{ x | upper }}{{ x.lower() }}{{ x | title }}{{ x | capitalize }}", v) ==
        "<|A|><|a|><|a|><|a|>");
  CHECK(marked("{{ u | upper }}", v) == "ÉSS");
  CHECK(marked("{{ x | tojson }}{{ l | tojson }}", v) == ".<|a|>...p....q..");
  CHECK(marked("{{ q | tojson }}{{ [q] }}", v) == R"(.a\"b\n...a"b\n..)");
  CHECK(marked("{{ d | tojson(indent=1) }}", v) == "....k....v...");
  CHECK(marked("{{ d }}{{ l }}", v) == "..k....v....p....q..");
  CHECK(marked("{{ '%s|%5s' % (x, 'q') }}{{ '%d' % n }}", v) == "<|a|>.......");
  CHECK(marked("{{ '<{}>{:>7}'.format(x, x) }}", v) == ".<|a|>...<|a|>");
  CHECK(marked("{{ x * 2 }}{{ x | string }}{{ x | default('z') }}", v) == "<|a|><|a|><|a|><|a|>");
  CHECK(marked("{{ x | indent(2, true) }}{{ x | center(7) }}{{ x.zfill(6) }}", v) == "..<|a|>.<|a|>..<|a|>");
  CHECK(marked("{{ x | truncate(4, true, '..', 0) }}", v) == "<|..");
  CHECK(marked("{{ x | list | join }}{{ x | first }}{{ x | last }}{{ x | reverse }}", v) == "<|a|><>>|a|<");
  CHECK(marked("{% set y %}[{{ x }}]{% endset %}{{ y }}", v) == ".<|a|>.");
  CHECK(marked("{% filter upper %}b{{ x }}{% endfilter %}", v) == ".<|A|>");
  CHECK(marked("{% macro m(a) %}<{{ a }}{{ caller() }}>{% endmacro %}{% call m(x) %}{{ x }}c{% endcall %}",
               v) == ".<|a|><|a|>..");
  CHECK(marked("{% set ns = namespace(t='') %}{% for i in l %}{% set ns.t = ns.t ~ i ~ '.' %}{% endfor %}{{ "
               "ns.t }}",
               v) == "p.q.");
  CHECK(marked("{% for k, w in d.items() %}{{ k }}={{ w }}{% endfor %}{% for c in x %}{{ c }}-{% endfor %}",
               v) == "k.v<.|.a.|.>.");
  CHECK(marked("{{ x | urlencode }}{{ x | e }}{{ x | safe }}", v) == "%3C%7Ca%7C%3E&lt;|a|&gt;<|a|>");
  CHECK(marked("{{ l | map('upper') | list }}{{ d | dictsort }}{{ d | items | list }}", v) ==
        "..P....Q.....k....v......k....v...");
  CHECK(marked("{{ x.partition('a')[2] }}{{ x.rsplit('|', 1)[0] }}{{ s.splitlines()[0] }}", v) ==
        "|><|a a,b ");
  CHECK(marked("{{ x == '<|a|>' }}{{ x | length }}{{ n }}", v) == "......");
}

TEST_CASE("known roles count as the template's words, others do not") {
  auto messages = json(R"([{"role":"user","content":"user"},{"role":"<|x|>","content":"y"}])");
  const std::vector<std::string> roles = {"user"};
  template_input input;
  input.messages = &messages;
  input.known_roles = &roles;
  auto tree = parsed_template("{% for m in messages %}<|{{ m.role }}|>{{ m['content'] }}{% endfor %}");
  auto out = tree->render(input);
  REQUIRE(out);
  CHECK(out->text == "<|user|>user<|<|x|>|>y");
  CHECK(out->from_request == std::vector<text_span>{{8, 12}, {14, 19}, {21, 22}});
  input.known_roles = nullptr;
  CHECK(tree->render(input)->from_request == std::vector<text_span>{{2, 6}, {8, 12}, {14, 19}, {21, 22}});
}

TEST_CASE("several threads render one template at once") {
  auto tree = parsed_template(
      "{% macro m(a) %}[{{ a }}]{% endmacro %}{% set ns = namespace(n=0) %}"
      "{% for i in range(200) %}{% set ns.n = ns.n + i %}{{ m(i * n) }}{% endfor %}{{ ns.n }}");
  std::vector<value> variables;
  for (int n = 0; n < 4; ++n)
    variables.push_back(json("{\"n\":" + std::to_string(n) + "}"));
  auto text_for = [&](std::size_t n) {
    template_input input;
    input.variables = &variables[n];
    return tree->render(input)->text;
  };
  std::vector<std::string> wanted, given(4);
  for (std::size_t n = 0; n < 4; ++n)
    wanted.push_back(text_for(n));
  CHECK(wanted[1] != wanted[2]);
  std::vector<std::thread> threads;
  for (std::size_t n = 0; n < 4; ++n)
    threads.emplace_back([&, n] {
      for (int i = 0; i < 20; ++i)
        given[n] = text_for(n);
    });
  for (auto& t : threads)
    t.join();
  CHECK(given == wanted);
}

}  // namespace lorica
