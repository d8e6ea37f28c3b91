#include "platform/log_sink.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <thread>

#include "base/json.h"
#include "platform/time_layout.h"

namespace kith::platform {
namespace {

// What a sink writes into a pipe.
class Pipe {
 public:
  Pipe() {
    EXPECT_EQ(pipe2(ends_, O_CLOEXEC), 0);
    fcntl(ends_[0], F_SETFL, O_NONBLOCK);
  }
  ~Pipe() {
    close(ends_[0]);
    close(ends_[1]);
  }
  int in() const { return ends_[1]; }
  void close_reader() {
    close(ends_[0]);
    ends_[0] = -1;
  }
  std::string text() {
    std::string out;
    char buffer[65536];
    for (ssize_t n = 0; (n = read(ends_[0], buffer, sizeof buffer)) > 0;)
      out.append(buffer, static_cast<size_t>(n));
    return out;
  }

 private:
  int ends_[2] = {-1, -1};
};

std::string one_line(LoggerConfig config, std::initializer_list<Field> fields,
                     std::string_view message = "hello you", std::string component = "gateway") {
  Pipe pipe;
  config.time_format = "TimeOnly";
  Log log(make_log_sink(config, pipe.in()), std::move(component));
  log.info(message, fields);
  std::string line = pipe.text();
  size_t time = line.find(config.json_output ? "\"time\":\"" : "ts=");
  EXPECT_NE(time, std::string::npos);
  return line;
}

// The line from its level on; the time differs from run to run.
std::string rest(const std::string& line) { return line.substr(line.find("level")); }

TEST(LogSink, writes_key_value_lines) {
  EXPECT_EQ(rest(one_line({}, {{"peer", "a b"}, {"n", 7}, {"ok", true}, {"empty", ""}})),
            "level=info service=gateway msg=\"hello you\" peer=\"a b\" n=7 ok=true empty=\"\"\n");
}

TEST(LogSink, writes_json_lines_that_keep_types) {
  LoggerConfig config;
  config.json_output = true;
  std::string line = one_line(config, {{"peer", "a\"b"}, {"n", 7}, {"rate", 1.5}, {"ok", false}});
  auto parsed = parse_json(line);
  ASSERT_TRUE(parsed) << line;
  const json::object& object = parsed->as_object();
  EXPECT_EQ(object.at("level"), "info");
  EXPECT_EQ(object.at("msg"), "hello you");
  EXPECT_EQ(object.at("component"), "gateway");
  EXPECT_EQ(object.at("peer"), "a\"b");
  EXPECT_EQ(object.at("n"), 7);
  EXPECT_TRUE(object.at("rate").is_double());
  EXPECT_EQ(object.at("ok"), false);
}

TEST(LogSink, nothing_a_field_holds_leaves_its_line_or_its_quotes) {
  const std::string attacks[] = {
      "a\nlevel=error msg=fake",   "a\r\n\x1b[31mred",  "\" level=error",         "\\\" x=\"y",
      std::string("nul\0byte", 8), "\xc2\x85next",      "\xe2\x80\xa8sep",        "\xe2\x80\xaertl",
      "\xff\xfe broken",           "\xc0\xaf overlong", "\xed\xa0\x80 surrogate", "\xf5\x80\x80\x80"};
  for (bool json_output : {false, true}) {
    LoggerConfig config;
    config.json_output = json_output;
    for (const std::string& attack : attacks) {
      std::string line = one_line(config, {{"v", attack}}, attack, attack);
      EXPECT_EQ(line.find('\n'), line.size() - 1) << line;
      EXPECT_EQ(line.find('\x1b'), std::string::npos);
      EXPECT_EQ(line.find("\xe2\x80\xa8"), std::string::npos);
      EXPECT_TRUE(!json_output || parse_json(line)) << line;
    }
  }
}

TEST(LogSink, a_field_that_claims_to_be_a_number_is_quoted_unless_it_is_one) {
  LoggerConfig config;
  config.json_output = true;
  for (const char* value : {"1,\"admin\":true", "nan", "-inf", "", "-", "1.", "0x1", "1.2.3", "01", "1e5"}) {
    Field field("n", value);
    field.quoted = false;
    Pipe pipe;
    make_log_sink(config, pipe.in())->write(Level::info, "c", "m", std::span<const Field>(&field, 1));
    EXPECT_TRUE(parse_json(pipe.text())) << value;
  }
}

TEST(LogSink, long_values_are_cut_and_a_line_is_one_atomic_write) {
  for (bool json_output : {false, true}) {
    LoggerConfig config;
    config.json_output = json_output;
    std::string line =
        one_line(config, {{"a", std::string(100'000, '\x01')}, {"b", std::string(5000, 'x')}, {"c", 1}});
    EXPECT_LE(line.size(), kMaxLogLine);
    EXPECT_NE(line.find("...\""), std::string::npos);
    EXPECT_NE(line.find(json_output ? "\"c\":1" : " c=1"), std::string::npos);
  }
}

TEST(LogSink, levels_below_the_configured_one_are_not_written) {
  Pipe pipe;
  LoggerConfig config;
  config.level = Level::warn;
  Log log(make_log_sink(config, pipe.in()), "c");
  EXPECT_FALSE(log.enabled(Level::info));
  log.info("no");
  log.warn("yes");
  std::string text = pipe.text();
  EXPECT_EQ(text.find("msg=no"), std::string::npos);
  EXPECT_NE(text.find("level=warn"), std::string::npos);
}

TEST(LogSink, the_session_reference_is_left_out_unless_asked_for) {
  LoggerConfig config;
  EXPECT_EQ(one_line(config, {{"session_ref", "abc"}}).find("session_ref"), std::string::npos);
  config.log_session_id = true;
  EXPECT_NE(one_line(config, {{"session_ref", "abc"}}).find("session_ref=abc"), std::string::npos);
}

TEST(LogSink, field_ordering_puts_known_fields_first_and_others_by_name) {
  LoggerConfig config;
  config.field_ordering = true;
  EXPECT_TRUE(rest(one_line(config, {{"zeta", 1}, {"status", 200}, {"alpha", 2}, {"method", "GET"}}))
                  .ends_with("method=GET status=200 alpha=2 zeta=1\n"));
  config.field_ordering = false;
  EXPECT_TRUE(rest(one_line(config, {{"zeta", 1}, {"status", 200}})).ends_with("zeta=1 status=200\n"));
}

TEST(LogSink, a_reader_that_went_away_or_stands_still_does_not_stop_us) {
  std::signal(SIGPIPE, SIG_IGN);
  Pipe gone;
  gone.close_reader();
  Log(make_log_sink({}, gone.in()), "c").info("into nothing");

  Pipe still;
  Log log(make_log_sink({}, still.in()), "c");
  std::string big(1000, 'x');
  for (int i = 0; i < 500; ++i) log.info("filling", {{"v", big}});  // more than a pipe holds
  std::string first = still.text();
  EXPECT_GT(first.size(), 1000U);
  log.info("back");
  std::string then = still.text();
  EXPECT_NE(then.find("lines were lost"), std::string::npos) << then;
  EXPECT_NE(then.find("msg=back"), std::string::npos);
}

TEST(LogSink, lines_of_many_threads_do_not_mix) {
  Pipe pipe;
  Log log(make_log_sink({}, pipe.in()), "c");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&log] {
      for (int i = 0; i < 20; ++i) log.info("line", {{"v", std::string(50, 'x')}});
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::string text = pipe.text();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 80);
  std::string_view all = text;
  while (!all.empty()) {
    std::string_view line = all.substr(0, all.find('\n') + 1);
    EXPECT_TRUE(line.starts_with("ts=") && line.ends_with("v=" + std::string(50, 'x') + "\n")) << line;
    all.remove_prefix(line.size());
  }
}

TEST(TimeLayout, writes_the_named_layouts_as_go_does) {
  const WallTime time = from_unix_ms(1136214245'070);  // Mon Jan 2 15:04:05.070 2006 UTC
  const std::pair<const char*, const char*> table[] = {
      {"ANSIC", "Mon Jan  2 15:04:05 2006"},
      {"unixdate", "Mon Jan  2 15:04:05 UTC 2006"},
      {"RubyDate", "Mon Jan 02 15:04:05 +0000 2006"},
      {"RFC822", "02 Jan 06 15:04 UTC"},
      {"RFC822Z", "02 Jan 06 15:04 +0000"},
      {"RFC850", "Monday, 02-Jan-06 15:04:05 UTC"},
      {"RFC1123", "Mon, 02 Jan 2006 15:04:05 UTC"},
      {"RFC1123Z", "Mon, 02 Jan 2006 15:04:05 +0000"},
      {"RFC3339", "2006-01-02T15:04:05Z"},
      {"RFC3339Milli", "2006-01-02T15:04:05.070Z"},
      {"RFC3339NANO", "2006-01-02T15:04:05.07Z"},
      {"Kitchen", "3:04PM"},
      {"Stamp", "Jan  2 15:04:05"},
      {"StampMilli", "Jan  2 15:04:05.070"},
      {"StampMicro", "Jan  2 15:04:05.070000"},
      {"StampNano", "Jan  2 15:04:05.070000000"},
      {"DateTime", "2006-01-02 15:04:05"},
      {"DateOnly", "2006-01-02"},
      {"TimeOnly", "15:04:05"},
      {"2/1/2006 at 03h pm", "2/1/2006 at 03h pm"},
  };
  for (const auto& [layout, expected] : table) {
    auto known = time_layout(layout);
    ASSERT_TRUE(known) << layout;
    EXPECT_EQ(format_time(*known, time), expected) << layout;
  }
  EXPECT_EQ(format_time(*time_layout("RFC3339Nano"), from_unix_ms(0)), "1970-01-01T00:00:00Z");
  EXPECT_FALSE(time_layout("epoch"));
  EXPECT_FALSE(time_layout(""));
}

}  // namespace
}  // namespace kith::platform
