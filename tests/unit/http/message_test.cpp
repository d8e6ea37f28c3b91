#include <gtest/gtest.h>

#include "http/message.h"

namespace kith::http {
namespace {

using namespace std::string_view_literals;

TEST(Headers, CompareNamesWithoutCaseAndFoldUnderscores) {
  Headers headers;
  headers.add("X-User", "a");
  headers.add("x_user", "b");
  headers.add("X-USER", "c");
  EXPECT_EQ(headers.get("x-user"), "a");
  EXPECT_EQ(headers.count("x-user"), 2u);
  EXPECT_EQ(headers.find("missing"), std::nullopt);
  headers.set("x-user", "d");
  EXPECT_EQ(headers.count("X-User"), 1u);
  headers.remove_folded("X-User");
  EXPECT_TRUE(headers.empty());
}

TEST(Headers, FindTokensInLists) {
  Headers headers;
  headers.add("Connection", "keep-alive,  Upgrade");
  headers.add("connection", "x");
  EXPECT_TRUE(headers.has_token("connection", "upgrade"));
  EXPECT_TRUE(headers.has_token("connection", "X"));
  EXPECT_FALSE(headers.has_token("connection", "up"));
}

TEST(Target, IsBroughtIntoOneForm) {
  const std::pair<std::string_view, std::string_view> same[] = {
      {"/", "/"},
      {"/a/b/", "/a/b/"},
      {"/%41%7e%2D", "/A~-"},
      {"/%e2%82%ac", "/%E2%82%AC"},
      {"/a|b[c]", "/a%7Cb%5Bc%5D"},
      {"/%26&%3d=", "/&&=="},
      {"/v1/users%3Aexport", "/v1/users:export"},
      {"/%21%24%26%27%28%29%2A%2B%2C%3D%3A%40", "/!$&'()*+,=:@"},
      {"/a%20b%3Fc%23", "/a%20b%3Fc%23"},
      {"/100%25", "/100%25"},
      {"//a///b//", "/a/b/"},
      {"/...", "/..."},
      {"/.a/..b/c.", "/.a/..b/c."},
      {"/a?b=c%zz/../;[]", "/a?b=c%zz/../;[]"},
      {"/a?", "/a?"},
      {"/a@b:c", "/a@b:c"},
  };
  for (const auto& [text, expected] : same) {
    auto target = parse_target(text);
    ASSERT_TRUE(target) << text;
    EXPECT_EQ(target->text(), expected);
    auto again = parse_target(target->text());
    ASSERT_TRUE(again) << text;
    EXPECT_EQ(again->text(), expected);
  }
}

TEST(Target, RefusesWhatAServerBehindMightReadDifferently) {
  const std::string_view refused[] = {"",
                                      "a",
                                      "*",
                                      "?a",
                                      "/..",
                                      "/.",
                                      "/a/..",
                                      "/a/../b",
                                      "/a/./b",
                                      "/%2e%2e/a",
                                      "/a/%2E",
                                      "/a/.%2e/",
                                      "/a%2fb",
                                      "/a%2Fb",
                                      "/a\\b",
                                      "/a%5cb",
                                      "/a%00b",
                                      "/a%0ab",
                                      "/a%0d%0aX:y",
                                      "/a%7f",
                                      "/a;b=c",
                                      "/a%3bb",
                                      "/a..;/b",
                                      "/%",
                                      "/%4",
                                      "/%zz",
                                      "/%%",
                                      "/a b",
                                      "/a\tb",
                                      "/a\0b"sv,
                                      "/a#b",
                                      "/a?b#c",
                                      "/a?b c",
                                      "/a?b\x80",
                                      "/\xc3\xa9",
                                      "/%c0%ae",
                                      "/%c0%af",
                                      "/%e0%80%af",
                                      "/%f0%80%80%af",
                                      "/%ed%a0%80",
                                      "/%f5%80%80%80",
                                      "/%e2%82",
                                      "/%ff",
                                      "/%80",
                                      "/%252e%252e/",
                                      "/%2541",
                                      "/%252f",
                                      "//..//"};
  for (std::string_view text : refused) EXPECT_FALSE(parse_target(text)) << text;
}

TEST(Url, IsParsedStrictly) {
  auto url = parse_url("HTTPS://Example.ORG/a?b");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->scheme, "https");
  EXPECT_EQ(url->port, 443);
  EXPECT_EQ(url->text(), "https://example.org/a?b");
  EXPECT_EQ(parse_url("http://a:8080")->text(), "http://a:8080/");
  EXPECT_EQ(parse_url("http://a:80?x")->text(), "http://a/?x");
  auto v6 = parse_url("http://[2001:DB8::1]:81/");
  ASSERT_TRUE(v6);
  EXPECT_EQ(v6->host, "2001:db8::1");
  EXPECT_EQ(v6->authority(), "[2001:db8::1]:81");
  for (std::string_view text : {"",
                                "a",
                                "//a/",
                                "ftp://a/",
                                "http:/a",
                                "http://",
                                "http:///a",
                                "http://u@a/",
                                "http://u:p@a/",
                                "http://a:/",
                                "http://a:0/",
                                "http://a:65536/",
                                "http://a b/",
                                "http://a/#f",
                                "http://a#f",
                                "http://a\\@b/",
                                "http://a/../b",
                                "http://[::1/",
                                "http://::1/",
                                "http://a%2fb/",
                                "javascript:alert(1)",
                                "http://[1.2.3.4]/"})
    EXPECT_FALSE(parse_url(text)) << text;
}

TEST(Cookies, AreFoundUnlessAmbiguous) {
  Headers headers;
  headers.add("Cookie", "a=1; kith=abc=; b");
  headers.add("cookie", " c = 2 ;; A=3");
  EXPECT_EQ(find_cookie(headers, "kith").value, "abc=");
  EXPECT_EQ(find_cookie(headers, "c").value, "2");
  EXPECT_EQ(find_cookie(headers, "a").value, "1");
  EXPECT_FALSE(find_cookie(headers, "kit").value);
  headers.add("Cookie", "kith=abc=");
  CookieLookup twice = find_cookie(headers, "kith");
  EXPECT_TRUE(twice.duplicate);
  EXPECT_FALSE(twice.value);
}

TEST(Cookies, AreStrippedByName) {
  Headers headers;
  headers.add("Cookie", "a=1; kith=x;kith=y; b=2");
  headers.add("Cookie", "kith=z");
  headers.add("Cookie", "c=3");
  strip_cookies(headers, [](std::string_view name) { return name == "kith" || name == "other"; });
  EXPECT_EQ(headers.count("cookie"), 2u);
  EXPECT_EQ(headers.get("cookie"), "a=1; b=2");
  EXPECT_FALSE(find_cookie(headers, "kith").value);
  EXPECT_EQ(find_cookie(headers, "c").value, "3");
}

TEST(Form, DecodesStrictlyAndRefusesPollution) {
  auto form = parse_form("a=1+2&b=%C3%A9%0A&c&d=");
  ASSERT_TRUE(form);
  ASSERT_EQ(form->size(), 4u);
  EXPECT_EQ((*form)[0].second, "1 2");
  EXPECT_EQ((*form)[1].second, "\xc3\xa9\n");
  EXPECT_EQ((*form)[2], std::make_pair(std::string("c"), std::string()));
  EXPECT_TRUE(parse_form("")->empty());
  EXPECT_EQ(parse_form("a&b&c", 2).error().code(), Code::limit);
  for (std::string_view text :
       {"a=1&a=2", "a=1&%61=2", "=1", "a=%", "a=%zz", "a=%00", "a b=1", "a=\x80", "a=\r\n"})
    EXPECT_FALSE(parse_form(text)) << text;
}

TEST(Component, RoundTrips) {
  std::string all;
  for (int c = 1; c < 256; ++c) all += static_cast<char>(c);
  std::string encoded = encode_component(all);
  EXPECT_EQ(encoded.find('/'), std::string::npos);
  EXPECT_EQ(*decode_component(encoded), all);
  EXPECT_EQ(*decode_component("a+b"), "a+b");
  EXPECT_EQ(*decode_component("a+b", true), "a b");
}

}  // namespace
}  // namespace kith::http
