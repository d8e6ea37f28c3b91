#include "platform/time_layout.h"

#include <array>
#include <ctime>
#include <optional>

#include "base/text.h"

namespace kith::platform {

namespace {

struct Named {
  std::string_view name, layout;
};
// Go's package time, and RFC3339Milli, which is ours.
constexpr Named kNamed[] = {
    {"ANSIC", "Mon Jan _2 15:04:05 2006"},
    {"UnixDate", "Mon Jan _2 15:04:05 MST 2006"},
    {"RubyDate", "Mon Jan 02 15:04:05 -0700 2006"},
    {"RFC822", "02 Jan 06 15:04 MST"},
    {"RFC822Z", "02 Jan 06 15:04 -0700"},
    {"RFC850", "Monday, 02-Jan-06 15:04:05 MST"},
    {"RFC1123", "Mon, 02 Jan 2006 15:04:05 MST"},
    {"RFC1123Z", "Mon, 02 Jan 2006 15:04:05 -0700"},
    {"RFC3339", "2006-01-02T15:04:05Z07:00"},
    {"RFC3339Milli", "2006-01-02T15:04:05.000Z07:00"},
    {"RFC3339Nano", "2006-01-02T15:04:05.999999999Z07:00"},
    {"Kitchen", "3:04PM"},
    {"Stamp", "Jan _2 15:04:05"},
    {"StampMilli", "Jan _2 15:04:05.000"},
    {"StampMicro", "Jan _2 15:04:05.000000"},
    {"StampNano", "Jan _2 15:04:05.000000000"},
    {"DateTime", "2006-01-02 15:04:05"},
    {"DateOnly", "2006-01-02"},
    {"TimeOnly", "15:04:05"},
};

constexpr std::string_view kDays[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                      "Thursday", "Friday", "Saturday"};
constexpr std::string_view kMonths[] = {"January",   "February", "March",    "April",
                                        "May",       "June",     "July",     "August",
                                        "September", "October",  "November", "December"};

std::string padded(int value, size_t width, char pad = '0') {
  std::string digits = std::to_string(value);
  return digits.size() < width ? std::string(width - digits.size(), pad) + digits : digits;
}

// The elements of a layout, longest first where one begins another.
constexpr std::string_view kElements[] = {
    "Z07:00", "-07:00", "January", "Monday", "-0700", "Z0700", "2006", "Jan", "Mon", "MST", "-07", "_2", "01",
    "02",     "03",     "04",      "05",     "06",    "15",    "PM",   "pm",  "1",   "2",   "3",   "4",  "5"};

std::string element(std::string_view name, const std::tm& parts) {
  int hour12 = parts.tm_hour % 12 == 0 ? 12 : parts.tm_hour % 12;
  if (name == "2006") return padded(parts.tm_year + 1900, 4);
  if (name == "06") return padded(parts.tm_year % 100, 2);
  if (name == "January") return std::string(kMonths[parts.tm_mon]);
  if (name == "Jan") return std::string(kMonths[parts.tm_mon].substr(0, 3));
  if (name == "01") return padded(parts.tm_mon + 1, 2);
  if (name == "1") return std::to_string(parts.tm_mon + 1);
  if (name == "Monday") return std::string(kDays[parts.tm_wday]);
  if (name == "Mon") return std::string(kDays[parts.tm_wday].substr(0, 3));
  if (name == "02") return padded(parts.tm_mday, 2);
  if (name == "_2") return padded(parts.tm_mday, 2, ' ');
  if (name == "2") return std::to_string(parts.tm_mday);
  if (name == "15") return padded(parts.tm_hour, 2);
  if (name == "03") return padded(hour12, 2);
  if (name == "3") return std::to_string(hour12);
  if (name == "04") return padded(parts.tm_min, 2);
  if (name == "4") return std::to_string(parts.tm_min);
  if (name == "05") return padded(parts.tm_sec, 2);
  if (name == "5") return std::to_string(parts.tm_sec);
  if (name == "PM") return parts.tm_hour < 12 ? "AM" : "PM";
  if (name == "pm") return parts.tm_hour < 12 ? "am" : "pm";
  if (name == "MST") return "UTC";
  if (name == "-0700") return "+0000";
  if (name == "-07:00") return "+00:00";
  if (name == "-07") return "+00";
  return "Z";  // Z07:00 and Z0700 in UTC
}

// ".000" writes all digits, ".999" drops zeros at the end; both only after the seconds.
struct Fraction {
  size_t digits = 0;
  bool trim = false;
};
std::optional<Fraction> fraction(std::string_view rest) {
  if (rest.size() < 2 || (rest[0] != '.' && rest[0] != ',') || (rest[1] != '0' && rest[1] != '9'))
    return std::nullopt;
  size_t end = rest.find_first_not_of(rest[1], 1);
  size_t digits = (end == std::string_view::npos ? rest.size() : end) - 1;
  bool more_digits = end != std::string_view::npos && is_digit(rest[end]);
  if (digits > 9 || more_digits) return std::nullopt;
  return Fraction{digits, rest[1] == '9'};
}

std::string write_fraction(const Fraction& form, char mark, int64_t milliseconds) {
  std::string digits = (padded(static_cast<int>(milliseconds), 3) + "000000").substr(0, form.digits);
  if (form.trim) {
    while (digits.ends_with('0')) digits.pop_back();
  }
  return digits.empty() ? "" : mark + digits;
}

std::optional<std::string_view> element_at(std::string_view rest) {
  for (std::string_view name : kElements) {
    if (rest.starts_with(name)) return name;
  }
  return std::nullopt;
}

}  // namespace

Result<std::string> time_layout(std::string_view name_or_layout) {
  for (const Named& one : kNamed) {
    if (iequals(one.name, name_or_layout)) return std::string(one.layout);
  }
  for (size_t i = 0; i < name_or_layout.size(); ++i) {
    if (element_at(name_or_layout.substr(i))) return std::string(name_or_layout);
  }
  return Error(Code::invalid, "'" + printable(name_or_layout, 60) + "' is no time layout", Side::config);
}

std::string format_time(std::string_view layout, WallTime time) {
  int64_t ms = unix_ms(time);
  int64_t seconds = ms / 1000 - (ms % 1000 < 0 ? 1 : 0);
  int64_t rest_ms = ms - seconds * 1000;
  std::time_t when = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&when, &parts);
  std::string out;
  while (!layout.empty()) {
    if (auto form = fraction(layout)) {
      out += write_fraction(*form, layout[0], rest_ms);
      layout.remove_prefix(1 + form->digits);
    } else if (auto name = element_at(layout)) {
      out += element(*name, parts);
      layout.remove_prefix(name->size());
    } else {
      out += layout[0];
      layout.remove_prefix(1);
    }
  }
  return out;
}

}  // namespace kith::platform
