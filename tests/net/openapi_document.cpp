#include "tests/net/openapi_document.hpp"

#include "core/json.hpp"
#include "tests/catch.hpp"
#include "tests/net/fake_services.hpp"
#include "tests/net/raw_client.hpp"

namespace lorica::testing {
namespace {

value fetched() {
  test_server s;
  auto reply = get(s.port(), "/openapi.json");
  REQUIRE(reply.status == 200);
  REQUIRE(reply.fields.at("content-type") == "application/json");
  auto read = parse_json(reply.body);
  REQUIRE(read);
  return *std::move(read);
}

void collect(const value& node, std::set<std::string>& into) {
  if (auto list = node.as_array())
    for (auto& item : *list)
      collect(item, into);
  auto members = node.as_object();
  if (!members) return;
  for (auto& [name, inner] : *members) {
    if (name == "properties" && inner.as_object())
      for (auto& [property, schema] : *inner.as_object())
        into.insert(property);
    collect(inner, into);
  }
}

}  // namespace

const value& described_api() {
  static const value document = fetched();
  return document;
}

const value& schema_at(std::string_view pointer) {
  INFO(pointer);
  auto at = &described_api();
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    auto end = std::min(pointer.find('/'), pointer.size());
    at = at->find(pointer.substr(0, end));
    REQUIRE(at != nullptr);
    pointer.remove_prefix(end);
  }
  return *at;
}

std::set<std::string> properties_of(const value& schema) {
  std::set<std::string> out;
  if (auto target = schema.find("$ref")) out.merge(properties_of(schema_at(target->as_string()->substr(1))));
  for (auto word : {"anyOf", "oneOf", "allOf"})
    if (auto parts = schema.find(word))
      for (auto& part : *parts->as_array())
        out.merge(properties_of(part));
  if (auto own = schema.find("properties"))
    for (auto& [name, property] : *own->as_object())
      if (!property.find("x-ignored") && !property.find("x-late")) out.insert(name);
  return out;
}

std::set<std::string> all_property_names() {
  std::set<std::string> out;
  collect(described_api(), out);
  return out;
}

}  // namespace lorica::testing
