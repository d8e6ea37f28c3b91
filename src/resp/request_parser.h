// What clients of the Redis protocol send (redis.io, "Redis serialization protocol specification"): arrays of
// bulk strings, and inline commands for people with a terminal; both may be pipelined.
//
//   parser.commit(read into parser.space());
//   while (parser.next() == RequestParser::State::command) serve(parser.args());
//
// Arguments are views of the buffer that the bytes were received in: nothing is copied. What is taken of
// memory follows what has arrived, never what a length claims.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/input_buffer.h"

namespace kith::resp {

// Beyond, a client is refused. The bytes of a command count with their framing.
struct RequestLimits {
  size_t max_args = 1024;              // of one command: an MGET of many keys
  size_t max_bulk_bytes = 512 << 10;   // of one argument: well above any value that we keep
  size_t max_command_bytes = 1 << 20;  // what a connection can make us hold
  size_t max_inline_bytes = 64 << 10;  // of an inline command's line, as Redis
  bool authenticated = true;           // chooses the words of a refusal, as Redis does

  // For whom we do not know yet, as Redis: an AUTH or HELLO fits.
  static constexpr RequestLimits before_auth() {
    return {.max_args = 10,
            .max_bulk_bytes = 16 << 10,
            .max_command_bytes = 64 << 10,
            .max_inline_bytes = 16 << 10,
            .authenticated = false};
  }
};

class RequestParser {
 public:
  enum class State : uint8_t {
    incomplete,  // more bytes are needed
    command,     // args() holds the next one, at least one argument
    refused,     // for good; error() says why
  };

  explicit RequestParser(RequestLimits limits = {}) : limits_(limits) {}

  // Hold from the next command on. Called between commands only: after next() gave one.
  void set_limits(const RequestLimits& limits) { limits_ = limits; }

  // Room to receive into, at least 1 byte; then commit() what came. Only when next() last said incomplete, or
  // at first: what is buffered is bounded by the limits then.
  MutableByteView space();
  void commit(size_t bytes) { input_.commit(bytes); }
  // The same for bytes that lie somewhere else; they are copied.
  void feed(ByteView bytes);

  // The next command. Empty lines and empty arrays are passed over.
  State next();
  // Valid until the next call of next(), space(), feed() or shrink().
  std::span<const std::string_view> args() const { return args_; }
  // In Redis's own words, to be sent as the text of an error: "Protocol error: invalid bulk length". May hold
  // one byte of what was received.
  const std::string& error() const { return error_; }

  // Whether nothing of a further command has come. After next() gave one, that one does not count.
  bool idle() const { return input_.size() == size_; }
  // Gives memory back that a large command took, when idle() and the last command's views are done with.
  void shrink();

 private:
  struct Piece {
    size_t offset;
    size_t size;
  };

  void finish_last();
  State parse();
  State parse_inline();
  State parse_array();
  State parse_count();
  State parse_bulk_header();
  bool split_inline(size_t size);
  State complete();
  State refuse(std::string why);

  RequestLimits limits_;
  InputBuffer input_{kRead};
  std::vector<std::string_view> args_;
  std::vector<Piece> pieces_;  // the arguments so far, from the front of the buffer: it may move
  size_t size_ = 0;            // of the command that args_ shows; 0: none
  size_t at_ = 0;              // how far the present command is understood
  size_t seen_ = 0;            // how far its present line was looked through
  size_t left_ = 0;            // arguments still to come; 0: the array's own line
  size_t bulk_ = kNoBulk;      // bytes of the argument at at_, when its length is known
  std::string error_;

  static constexpr size_t kNoBulk = ~size_t{0};
  static constexpr size_t kRead = 16 << 10;  // one read, as Redis
};

}  // namespace kith::resp
