// An expected failure, as a value. Its code is something a caller acts on, its side says who has to
// change something, its message is for the log: context first, cause last, never a secret.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace kith {

enum class Code : uint8_t {
  invalid,          // malformed or out of range input
  not_found,        // the named thing does not exist
  conflict,         // it exists already, or changed meanwhile
  limit,            // a stated limit would be exceeded
  timeout,          // a deadline passed
  cancelled,        // the caller's scope was stopped
  closed,           // the connection ended in order, or was closed on our side
  reset,            // the connection broke
  refused,          // nobody listens there
  unreachable,      // no route, or the name does not resolve
  io,               // the operating system said no; the message has its words
  unauthenticated,  // identity is missing or could not be proven
  denied,           // identity is known and not allowed
  protocol,         // the other side broke the protocol
  unavailable,      // not now: starting, draining, behind
  internal,         // our own fault
};

enum class Side : uint8_t { us, config, client, peer, upstream };

std::string_view to_string(Code code);
std::string_view to_string(Side side);

class [[nodiscard]] Error {
 public:
  Error(Code code, std::string message, Side side = Side::us)
      : code_(code), side_(side), message_(std::move(message)) {}

  Code code() const { return code_; }
  Side side() const { return side_; }
  const std::string& message() const { return message_; }

  // Puts "what was being done" before the cause: "reading a.pem: permission denied".
  Error&& within(std::string_view context) && {
    message_.insert(0, ": ").insert(0, context);
    return std::move(*this);
  }

 private:
  Code code_;
  Side side_;
  std::string message_;
};

}  // namespace kith
