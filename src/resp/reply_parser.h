// What servers of the Redis protocol answer, RESP2 and RESP3 (redis.io, "Redis serialization protocol
// specification"), in whatever pieces it arrives. Attributes are read and dropped. Streamed strings and
// aggregates, which no server sends unasked, are refused.
//
// A server is believed as little as a client: counts, depth and bytes are checked before memory is taken for
// them. Nested replies have broken parsers before (CVE-2021-32765 of hiredis: a count times a size).
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "base/input_buffer.h"
#include "resp/reply.h"

namespace kith::resp {

// Of one reply; beyond, the server is refused.
struct ReplyLimits {
  size_t max_elements = 64 << 10;  // in all aggregates together; a map of a cluster of 1,000 nodes has 20,000
  size_t max_depth = 8;            // aggregates in aggregates; the map of a cluster has 5
  size_t max_bytes = 4 << 20;      // with framing and attributes
};

class ReplyParser {
 public:
  enum class State : uint8_t {
    incomplete,  // more bytes are needed
    reply,       // take() gives it
    refused,     // for good; error() says why
  };

  explicit ReplyParser(ReplyLimits limits = {}) : limits_(limits) {}

  // Room to receive into, at least 1 byte; then commit() what came. Only when next() last said incomplete.
  MutableByteView space();
  void commit(size_t bytes) { input_.commit(bytes); }
  // The same for bytes that lie somewhere else.
  void feed(ByteView bytes);

  State next();
  // Once after each State::reply.
  Reply take() { return std::move(result_); }
  std::string_view error() const { return error_; }
  // Whether it was refused for a limit of ours; else it is malformed.
  bool over_limit() const { return over_limit_; }

  // Whether nothing has come beyond the last reply.
  bool idle() const { return input_.empty() && stack_.empty() && !bulk_; }
  // Gives memory back that a large reply took, when idle().
  void shrink() { input_.shrink(); }

 private:
  struct Frame {
    Reply reply;
    size_t left;
    bool attribute;
  };
  struct Bulk {
    Reply::Type type;
    size_t size;
  };

  // reply: one value was read, incomplete: more bytes are needed, refused.
  State read_value();
  State read_line_value(char type, std::string_view line);
  State read_bulk();
  State begin_bulk(Reply::Type type, std::string_view line);
  State begin_aggregate(char type, std::string_view line);
  State read_number(std::string_view line);
  State read_real(std::string_view line);
  // Puts a whole value where it belongs; the last one of an aggregate ends that as well.
  State place(Reply value);
  State refuse(std::string_view why);
  State refuse_size(std::string_view why);

  ReplyLimits limits_;
  InputBuffer input_;
  std::vector<Frame> stack_;  // the aggregates that are being read, outermost first
  std::optional<Bulk> bulk_;  // a string whose length is known and whose bytes are to come
  size_t seen_ = 0;           // how far the present line was looked through
  size_t elements_ = 0;       // promised by the aggregates of this reply
  size_t bytes_ = 0;          // read of this reply
  bool whole_ = false;        // result_ holds it
  Reply result_;
  std::string_view error_;  // a literal
  bool over_limit_ = false;
};

}  // namespace kith::resp
