#include "http/headers.h"

#include <algorithm>

#include "base/text.h"

namespace kith::http {

bool same_folded(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(),
                                            [](char x, char y) { return fold_name(x) == fold_name(y); });
}

bool Header::same(std::string_view other) const { return iequals(name, other); }

NameSet::NameSet(std::initializer_list<std::string_view> names) {
  for (std::string_view name : names) add(name);
}

void NameSet::add(std::string_view name) {
  if (contains(name)) return;
  const std::string_view kept = text_.copy(name);
  names_.push_back({kept, {}, name_key(kept)});
  bits_ |= bit(names_.back().key);
}

bool NameSet::find(const Header& header) const {
  return std::any_of(names_.begin(), names_.end(), [&](const Header& each) {
    return each.key == header.key && same_folded(each.name, header.name);
  });
}

Headers::Headers(const Headers& other) {
  size_t bytes = 0;
  for (const Header& header : other) bytes += header.name.size() + header.value.size();
  reserve(other.size(), bytes);
  for (const Header& header : other) add(header);
}

Headers& Headers::operator=(const Headers& other) { return *this = Headers(other); }

void Headers::reserve(size_t fields, size_t bytes) {
  list_.reserve(fields);
  text_.reserve(bytes);
}

void Headers::add(const Header& header) {
  push(text_.copy(header.name), text_.copy(header.value), header.checked);
}

void Headers::set(std::string_view name, std::string_view value) {
  remove(name);  // its text stays in the arena
  add(name, value);
}

void Headers::remove(std::string_view name) {
  const uint32_t key = name_key(name);
  std::erase_if(list_, [&](const Header& header) { return header.key == key && iequals(header.name, name); });
}

void Headers::remove_folded(std::string_view name) {
  const uint32_t key = name_key(name);
  std::erase_if(list_,
                [&](const Header& header) { return header.key == key && same_folded(header.name, name); });
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
  const uint32_t key = name_key(name);
  for (const Header& header : list_) {
    if (header.key == key && iequals(header.name, name)) return header.value;
  }
  return std::nullopt;
}

std::string_view Headers::get(std::string_view name) const { return find(name).value_or(std::string_view()); }

size_t Headers::count(std::string_view name) const {
  const uint32_t key = name_key(name);
  return static_cast<size_t>(std::count_if(list_.begin(), list_.end(), [&](const Header& header) {
    return header.key == key && iequals(header.name, name);
  }));
}

bool Headers::has_token(std::string_view name, std::string_view token) const {
  const uint32_t key = name_key(name);
  for (const Header& header : list_) {
    if (header.key != key || !iequals(header.name, name)) continue;
    std::string_view rest = header.value;
    while (!rest.empty()) {
      size_t comma = rest.find(',');
      if (iequals(trim(rest.substr(0, comma)), token)) return true;
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    }
  }
  return false;
}

size_t Headers::wire_size() const {
  size_t size = 0;
  for (const Header& header : list_) size += header.name.size() + header.value.size() + 4;
  return size;
}

}  // namespace kith::http
