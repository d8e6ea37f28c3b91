#include "base/text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>

namespace kith {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = lower(c);
  return out;
}

bool iequals(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  if (a == b) return true;  // as it is spelled most of the time
  return std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::optional<uint64_t> parse_u64(std::string_view text) {
  if (text.empty() || text.size() > 20) return std::nullopt;
  uint64_t value = 0;
  for (char c : text) {
    if (!is_digit(c)) return std::nullopt;
    uint64_t digit = static_cast<uint64_t>(c - '0');
    if (value > (UINT64_MAX - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  return value;
}

Result<Duration> parse_duration(std::string_view text) {
  auto bad = [&] {
    return Error(Code::invalid, "'" + printable(text, 40) + "' is not a duration such as 30s, 1.5h or 2h45m",
                 Side::config);
  };
  if (text == "0") return Duration(0);
  if (text.empty()) return bad();
  double total = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    size_t digits = 0;
    int dots = 0;
    while (digits < rest.size() && (is_digit(rest[digits]) || rest[digits] == '.')) {
      if (rest[digits] == '.') ++dots;
      ++digits;
    }
    if (digits == 0 || digits > 18 || dots > 1 || rest.substr(0, digits) == ".") return bad();
    double number = std::strtod(std::string(rest.substr(0, digits)).c_str(), nullptr);
    rest.remove_prefix(digits);
    size_t letters = 0;
    while (letters < rest.size() && !is_digit(rest[letters]) && rest[letters] != '.') ++letters;
    std::string_view unit = rest.substr(0, letters);
    rest.remove_prefix(letters);
    double scale = unit == "ns"   ? 1
                   : unit == "us" ? 1e3
                   : unit == "ms" ? 1e6
                   : unit == "s"  ? 1e9
                   : unit == "m"  ? 60e9
                   : unit == "h"  ? 3600e9
                                  : 0;
    if (scale == 0) return bad();
    total += number * scale;
  }
  if (total > 9.2e18) return bad();
  return Duration(std::llround(total));
}

std::string format_duration(Duration duration) {
  int64_t ns = duration.count();
  auto plain = [](double value, const char* unit) {
    char buffer[32];
    std::snprintf(buffer, sizeof buffer, "%.4g%s", value, unit);
    return std::string(buffer);
  };
  if (ns < 1'000) return std::to_string(ns) + "ns";
  if (ns < 1'000'000) return plain(static_cast<double>(ns) / 1e3, "us");
  if (ns < 1'000'000'000) return plain(static_cast<double>(ns) / 1e6, "ms");
  if (ns < 60'000'000'000) return plain(static_cast<double>(ns) / 1e9, "s");
  int64_t seconds = ns / 1'000'000'000;
  std::string text;
  if (seconds >= 3600) text += std::to_string(seconds / 3600) + "h";
  if (seconds % 3600 >= 60) text += std::to_string(seconds % 3600 / 60) + "m";
  if (seconds % 60 != 0) text += std::to_string(seconds % 60) + "s";
  return text;
}

std::string format_rfc3339(WallTime time) {
  int64_t ms = unix_ms(time);
  int64_t seconds = ms / 1000 - (ms % 1000 < 0 ? 1 : 0);
  std::time_t when = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&when, &parts);
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
                parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
                static_cast<int>(ms - seconds * 1000));
  return buffer;
}

std::optional<std::string_view> nearest(std::string_view word,
                                        const std::vector<std::string_view>& candidates) {
  std::optional<std::string_view> best;
  size_t best_distance = std::max<size_t>(2, word.size() / 3) + 1;
  std::string folded = lower(word);
  for (std::string_view candidate : candidates) {
    std::string other = lower(candidate);
    std::vector<size_t> row(other.size() + 1);
    for (size_t j = 0; j <= other.size(); ++j) row[j] = j;
    for (size_t i = 1; i <= folded.size(); ++i) {
      size_t diagonal = row[0];
      row[0] = i;
      for (size_t j = 1; j <= other.size(); ++j) {
        size_t above = row[j];
        row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (folded[i - 1] != other[j - 1])});
        diagonal = above;
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

std::string printable(std::string_view text, size_t max) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (char c : text.substr(0, max)) {
    auto byte = static_cast<uint8_t>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\x";
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    } else {
      out += c;
    }
  }
  if (text.size() > max) out += "...";
  return out;
}

Result<HostPort> parse_host_port(std::string_view text) {
  auto bad = [&] {
    return Error(Code::invalid, "'" + printable(text, 80) + "' is not host:port", Side::config);
  };
  HostPort out;
  size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad();
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return bad();
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return bad();
  }
  auto port = parse_u64(text.substr(colon + 1));
  if (!port || *port > 65535) return bad();
  out.host = std::string(host);
  out.port = static_cast<uint16_t>(*port);
  return out;
}

}  // namespace kith
