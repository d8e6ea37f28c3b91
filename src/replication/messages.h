// The messages of replication: plain structs and their bytes (docs/formats/replication.md). Decoders
// refuse what is malformed or above a limit, before anything is allocated for it.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/node.h"
#include "replication/coverage.h"
#include "replication/op.h"

namespace kith::replication {

enum class MessageType : uint8_t {
  ops = 1,
  vector = 2,
  range_request = 3,
  range_end = 4,
  snapshot_request = 5,
  snapshot = 6,
  snapshot_ack = 7,
  pull = 8,
  pulled = 9,
};

inline constexpr size_t kMaxMessage = 128 << 10;  // no message is larger
inline constexpr size_t kBatchBytes = 64 << 10;   // batches stop growing here
inline constexpr size_t kVectorBytes = 48 << 10;  // a vector inside another message is at most this
inline constexpr size_t kBeyondBytes = 8 << 10;   // and the second one in a snapshot this
inline constexpr size_t kMaxRangeIntervals = 64;

// Ops of one log, ascending. Built piece by piece, from records (op.h) as the ring holds them.
class OpsWriter {
 public:
  explicit OpsWriter(const Replica& origin);
  // False when the batch is full; the first op always fits.
  bool add(uint64_t seq, ByteView record);
  bool empty() const { return last_ == 0; }
  Bytes take() { return std::move(out_); }

 private:
  Bytes out_;
  uint64_t last_ = 0;
};
class OpsReader {
 public:
  explicit OpsReader(ByteView payload);
  const Replica& origin() const { return origin_; }
  // The next op and its record as it came; nullopt at the end and at the first bad one: ask ok().
  std::optional<std::pair<Op, ByteView>> next();
  bool ok() const { return ok_; }

 private:
  Reader in_;
  Replica origin_;
  uint64_t last_ = 0;
  bool ok_ = true;
};

struct VectorMessage {
  bool complete = false;   // with this the sender's first vector is whole
  bool caught_up = false;  // the sender
  std::vector<std::pair<Replica, Coverage>> entries;
  bool partial = false;    // the sender holds what its vector does not tell of: logs were retired
};
struct RangeRequest {
  uint64_t request = 0;
  Replica origin;
  std::vector<Interval> wanted;  // ascending
};
struct RangeEnd {
  uint64_t request = 0;
  Replica origin;
  bool gone = false;  // some of it is not in the sender's ring any more
  uint64_t end = 0;   // the highest number that the sender has; 0: it takes its claims of this log back
};
struct SnapshotRequest {
  uint64_t request = 0;
};
struct SnapshotChunk {
  uint64_t request = 0;
  uint64_t chunk = 0;  // from 0
  bool last = false;
  bool cut = false;  // a vector was too large and claims less than it should
  Vector ahead;      // what the donor had, and the taker not, when it made the chunk
  Vector beyond;     // what its states may hold that is not in its logs
  std::vector<StateEntry> entries;
};
struct SnapshotAck {
  uint64_t request = 0;
  uint64_t chunks = 0;  // taken so far
};
struct PullRequest {
  uint64_t request = 0;
  StoreId store = StoreId::session;
  Key key;
  Dot at_least;
};
struct PullAnswer {
  uint64_t request = 0;
  bool covers = false;
  bool cut = false;
  Vector ahead;
  std::optional<Bytes> state;
};

Bytes encode(const VectorMessage& message);
Bytes encode(const RangeRequest& message);
Bytes encode(const RangeEnd& message);
Bytes encode(const SnapshotRequest& message);
Bytes encode(const SnapshotChunk& message);  // the vectors are cut at their limits, and `cut` then set
Bytes encode(const SnapshotAck& message);
Bytes encode(const PullRequest& message);
Bytes encode(const PullAnswer& message);  // likewise

std::optional<VectorMessage> decode_vector(ByteView payload);
std::optional<RangeRequest> decode_range_request(ByteView payload);
std::optional<RangeEnd> decode_range_end(ByteView payload);
std::optional<SnapshotRequest> decode_snapshot_request(ByteView payload);
std::optional<SnapshotChunk> decode_snapshot(ByteView payload);
std::optional<SnapshotAck> decode_snapshot_ack(ByteView payload);
std::optional<PullRequest> decode_pull(ByteView payload);
std::optional<PullAnswer> decode_pulled(ByteView payload);

}  // namespace kith::replication
