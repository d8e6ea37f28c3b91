// The header fields of one message, in order.
//
// A message has ten or twenty fields and each is looked at by several rules; strings of their own and
// comparisons letter by letter made up half of a request's cost. Here the text of all fields lies in one
// arena, fields are views into it, and each carries a key of its name that settles most comparisons.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/recycle.h"
#include "base/text_arena.h"

namespace kith::http {

// Names are compared without regard to case, and where spoofing is at stake folded: a letter in lower
// case, a digit as it is, anything else as '-', since gateways and languages differ in what they map to
// what (X_User, X.User and X-User are one name to somebody).
constexpr char fold_name(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c + 32);
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '-';
}
bool same_folded(std::string_view a, std::string_view b);

// Equal for names that fold to the same text; made of the length and three letters.
constexpr uint32_t name_key(std::string_view name) {
  if (name.empty()) return 0;
  auto at = [name](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(fold_name(name[i]))); };
  const auto length = static_cast<uint32_t>(name.size() & 0xff);
  return length | at(0) << 8 | at(name.size() / 2) << 16 | at(name.size() - 1) << 24;
}

// A name that stands in the code; its key is made by the compiler.
struct Name {
  std::string_view text;
  uint32_t key;
  consteval Name(const char* literal) : text(literal), key(name_key(text)) {}
};

struct Header {
  std::string_view name;   // as received
  std::string_view value;  // no leading or trailing blanks, no control characters
  uint32_t key = 0;        // name_key(name)
  bool checked = false;    // name and value are known to be fit for the wire

  bool is(Name other) const { return key == other.key && same(other.text); }  // without regard to case

 private:
  bool same(std::string_view other) const;
};

// A fixed set of names; almost all that are not in it are refused by one look at a bit.
class NameSet {
 public:
  NameSet() = default;
  NameSet(std::initializer_list<std::string_view> names);
  void add(std::string_view name);
  bool empty() const { return names_.empty(); }
  // Folded comparison.
  bool contains(const Header& header) const { return may_contain(header.key) && find(header); }
  bool contains(std::string_view name) const { return contains(Header{name, {}, name_key(name)}); }

 private:
  static uint64_t bit(uint32_t key) { return uint64_t{1} << ((key * 0x9e3779b1u) >> 26); }
  bool may_contain(uint32_t key) const { return (bits_ & bit(key)) != 0; }
  bool find(const Header& header) const;

  uint64_t bits_ = 0;
  std::vector<Header> names_;  // views into text_
  TextArena text_;
};

class Headers {
 public:
  Headers() = default;
  Headers(const Headers& other);
  Headers(Headers&& other) noexcept = default;
  Headers& operator=(const Headers& other);
  Headers& operator=(Headers&& other) noexcept = default;

  // Room for so many fields with so many bytes of names and values, to be filled without growing.
  void reserve(size_t fields, size_t bytes);
  void add(std::string_view name, std::string_view value) {
    push(text_.copy(name), text_.copy(value), false);
  }
  void add(const Header& header);  // keeps what is known of it
  // For the parser: text that stays as long as the headers, and fields that are views into it.
  std::string_view own(std::string_view text) { return text_.copy(text); }
  void add_parsed(std::string_view name, std::string_view value) { push(name, value, true); }

  // The name may be a view into these headers. Replaces all of that name.
  void set(std::string_view name, std::string_view value);
  void remove(std::string_view name);
  // Removes all whose folded name equals that of name: the rule against spoofing.
  void remove_folded(std::string_view name);
  template <class Predicate>  // bool(const Header&)
  void remove_if(Predicate predicate) {
    std::erase_if(list_, predicate);
  }
  std::optional<std::string_view> find(std::string_view name) const;  // the first
  std::string_view get(std::string_view name) const;                  // the first, or ""
  size_t count(std::string_view name) const;
  // Whether a comma-separated list header contains the token (RFC 9110 section 5.6.1), any case.
  bool has_token(std::string_view name, std::string_view token) const;

  bool empty() const { return list_.empty(); }
  size_t size() const { return list_.size(); }
  auto begin() const { return list_.begin(); }
  auto end() const { return list_.end(); }
  // What the fields take on the wire: "name: value\r\n" each.
  size_t wire_size() const;

 private:
  void push(std::string_view name, std::string_view value, bool checked) {
    list_.push_back({name, value, name_key(name), checked});
  }

  recycle::Vector<Header> list_;  // views into text_
  TextArena text_;
};

}  // namespace kith::http
