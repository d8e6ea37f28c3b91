// Result<T>: a value or an Error, in the shape of std::expected (C++23), which C++20 does not have.
#pragma once

#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/error.h"

namespace kith {

template <class T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  template <class U = T>
  requires std::is_constructible_v<T, U&&> &&
      (!std::is_same_v<std::remove_cvref_t<U>, Error>)&&(!std::is_same_v<std::remove_cvref_t<U>, Result>)
          Result(U&& value)
      : state_(std::in_place_index<0>, std::forward<U>(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & {
    KITH_CHECK(has_value());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    KITH_CHECK(has_value());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    KITH_CHECK(has_value());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& {
    KITH_CHECK(!has_value());
    return *std::get_if<1>(&state_);
  }
  Error&& error() && {
    KITH_CHECK(!has_value());
    return std::move(*std::get_if<1>(&state_));
  }

  template <class U>
  T value_or(U&& fallback) const& {
    return has_value() ? value() : static_cast<T>(std::forward<U>(fallback));
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool has_value() const { return !error_; }
  explicit operator bool() const { return has_value(); }
  void value() const { KITH_CHECK(has_value()); }

  const Error& error() const& {
    KITH_CHECK(error_.has_value());
    return *error_;
  }
  Error&& error() && {
    KITH_CHECK(error_.has_value());
    return std::move(*error_);
  }

 private:
  std::optional<Error> error_;
};

}  // namespace kith

#define KITH_CONCAT_(a, b) a##b
#define KITH_CONCAT(a, b) KITH_CONCAT_(a, b)

// KITH_TRY(declaration, expression): binds the value or returns the error; KITH_CO_TRY the same
// inside a coroutine; KITH_TRY_VOID / KITH_CO_TRY_VOID for Result<void>.
//   KITH_TRY(auto port, parse_port(text));
#define KITH_TRY_(tmp, ret, decl, ...)                 \
  auto tmp = (__VA_ARGS__);                            \
  if (!tmp) ret ::kith::Error(std::move(tmp).error()); \
  decl = std::move(tmp).value()
#define KITH_TRY(decl, ...) KITH_TRY_(KITH_CONCAT(kith_try_, __LINE__), return, decl, __VA_ARGS__)
#define KITH_CO_TRY(decl, ...) KITH_TRY_(KITH_CONCAT(kith_try_, __LINE__), co_return, decl, __VA_ARGS__)
#define KITH_TRY_VOID(...)                                                               \
  do {                                                                                   \
    if (auto kith_try_ = (__VA_ARGS__); !kith_try_) return std::move(kith_try_).error(); \
  } while (false)
#define KITH_CO_TRY_VOID(...)                                              \
  do {                                                                     \
    auto kith_try_ = (__VA_ARGS__);                                        \
    if (!kith_try_) co_return ::kith::Error(std::move(kith_try_).error()); \
  } while (false)
