#include "app/schema.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "app/keys.h"
#include "app/yaml_text.h"

namespace kith::app {
namespace {

const json::object& at(const json::object& schema, const char* name) {
  return schema.at("properties").as_object().at(name).as_object();
}

TEST(Schema, tells_editors_types_defaults_and_what_is_refused) {
  json::value whole = json_schema(config_codec().shape);
  const json::object& root = whole.as_object();
  EXPECT_EQ(root.at("$schema"), "https://json-schema.org/draft/2020-12/schema");
  EXPECT_EQ(root.at("additionalProperties"), false);
  const json::object& http = at(root, "http");
  EXPECT_EQ(at(http, "readTimeoutSeconds").at("default"), 20);
  EXPECT_EQ(at(http, "readTimeoutSeconds").at("anyOf").as_array()[0].at("maximum"), 86400);
  EXPECT_EQ(at(http, "accessLog").at("type").as_array()[0], "object");
  EXPECT_TRUE(at(root, "telemetry").contains("not"));
  EXPECT_EQ(at(at(root, "session"), "cookieDomain").at("deprecated"), true);
  const json::object& cluster = at(root, "clusters").at("items").as_object();
  EXPECT_EQ(cluster.at("required").as_array().size(), 4U);
  const json::object& app = at(root, "apps").at("items").at("anyOf").as_array()[0].as_object();
  EXPECT_EQ(app.at("required").as_array(), (json::array{"name", "type", "routePatterns", "upstream"}));
  EXPECT_FALSE(at(app, "type").contains("default")) << "it is required";
  EXPECT_EQ(at(root, "connectors").at("items").at("anyOf").as_array().size(), 2U);
}

TEST(Schema, every_key_has_a_meaning_and_no_key_is_listed_twice_for_one_type) {
  Shape shape = config_codec().shape;
  for (const Property& property : shape.properties) EXPECT_FALSE(property.doc.empty()) << property.name;
  auto keys = all_keys(shape);
  EXPECT_GT(keys.size(), 120U);
}

TEST(Schema, the_reference_page_holds_the_generated_table) {
  auto root = std::filesystem::path(__FILE__).parent_path().parent_path().parent_path().parent_path();
  std::ifstream file(root / "docs" / "reference" / "configuration.md");
  std::stringstream page;
  page << file.rdbuf();
  std::string table = reference_table(config_codec().shape);
  EXPECT_NE(page.str().find(table), std::string::npos)
      << "docs/reference/configuration.md is behind: put the output of `kith config schema -o markdown` "
         "there";
}

TEST(YamlText, is_read_back_as_it_was) {
  json::value value = json::object{{"a", 1},
                                   {"b c", json::array{"x", json::object{{"d", true}, {"e", json::array{}}}}},
                                   {"f", json::object{{"g", "line\n\"quote\""}}},
                                   {"h", nullptr}};
  EXPECT_EQ(
      to_yaml(value),
      "a: 1\n\"b c\":\n  - \"x\"\n  - d: true\n    e: []\nf:\n  g: \"line\\n\\\"quote\\\"\"\nh: null\n");
  EXPECT_EQ(to_yaml(json::object{}), "{}\n");
}

}  // namespace
}  // namespace kith::app
