#include "app/yaml_tree.h"

#include <gtest/gtest.h>

#include "support.h"

namespace kith::app {
namespace {

std::string problems_of(std::string_view text, const YamlLimits& limits = {}) {
  Problems problems;
  parse_yaml(text, "f", problems, limits);
  return lines(problems);
}

TEST(YamlTree, keys_and_values_know_their_places) {
  Problems problems;
  Node root = parse_yaml("a: 1\nb:\n  - x\n  - {c: \"two words\"}\n", "f", problems).root;
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(root.find("a")->value.text, "1");
  EXPECT_EQ(root.find("a")->value.place, (Place{1, 4}));
  EXPECT_EQ(root.find("b")->place, (Place{2, 1}));
  const Node& second = root.find("b")->value.items.at(1);
  EXPECT_EQ(second.find("c")->value.text, "two words");
  EXPECT_EQ(second.find("c")->place, (Place{4, 6}));
  EXPECT_EQ(root.find("z"), nullptr);
}

TEST(YamlTree, an_empty_document_is_null) {
  for (const char* text : {"", "# only a comment\n", "---\n"}) {
    Problems problems;
    YamlDocument document = parse_yaml(text, "f", problems);
    EXPECT_TRUE(document.complete && problems.empty()) << text;
    EXPECT_EQ(document.root.kind, Node::Kind::null) << text;
  }
}

TEST(YamlTree, json_is_yaml) {
  Problems problems;
  Node root = parse_yaml(R"({"a": [true, null, "x\n"], "b": {}})", "f", problems).root;
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(root.find("a")->value.items.at(0).text, "true");
  EXPECT_EQ(root.find("a")->value.items.at(1).kind, Node::Kind::null);
  EXPECT_EQ(root.find("a")->value.items.at(2).text, "x\n");
}

TEST(YamlTree, what_attackers_like_is_refused_by_name) {
  EXPECT_EQ(problems_of("a: &x 1\nb: *x\n"),
            "f:1:4: error: anchors are not supported: write the value out where it is used\n"
            "f:2:4: error: aliases are not supported: write the value out\n");
  EXPECT_EQ(problems_of("a:\n  <<: {b: 1}\n"),
            "f:2:3: error: merge keys are not supported: write the values out\n");
  EXPECT_EQ(problems_of("a: !!binary aGk=\n"), "f:1:4: error: tags are not supported: remove the \"!...\"\n");
  EXPECT_EQ(problems_of("a: 1\na: 2\na: 3\n"),
            "f:2:1: error: the key \"a\" is given twice, first given in line 1\n"
            "f:3:1: error: the key \"a\" is given twice, first given in line 1\n");
  EXPECT_EQ(problems_of("a: 1\n---\nb: 2\n"),
            "f:2:1: error: a second document begins here, but one file holds one document\n");
  EXPECT_NE(problems_of("? [a, b]\n: 1\n").find("expected a plain key"), std::string::npos);
}

TEST(YamlTree, limits_hold_before_the_tree_grows) {
  YamlLimits limits{100, 4, 10};
  EXPECT_NE(problems_of(std::string(101, ' '), limits).find("larger than"), std::string::npos);
  EXPECT_NE(problems_of("[[[[[1]]]]]", limits).find("nested deeper than 4 levels"), std::string::npos);
  EXPECT_NE(problems_of("[1,1,1,1,1,1,1,1,1,1,1]", limits).find("more than 10 values"), std::string::npos);
  EXPECT_NE(problems_of(std::string(100'000, '[')).find("nested deeper than 64 levels"), std::string::npos);
}

TEST(YamlTree, a_syntax_error_has_a_place_and_ends_the_reading) {
  Problems problems;
  YamlDocument document = parse_yaml("a: 1\nb: [1,\nc: 2\n", "f", problems);
  EXPECT_FALSE(document.complete);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_GT(problems[0].place.line, 1);
  EXPECT_TRUE(problems[0].message.starts_with("not YAML: "));
}

TEST(YamlTree, a_file_of_nothing_but_mistakes_is_given_up) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "a: 1\n";
  Problems problems;
  EXPECT_FALSE(parse_yaml(text, "f", problems).complete);
  EXPECT_EQ(problems.size(), 100U);
}

}  // namespace
}  // namespace kith::app
