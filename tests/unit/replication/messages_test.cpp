#include "replication/messages.h"

#include <gtest/gtest.h>

namespace kith::replication {
namespace {

Replica replica(uint8_t id) {
  Replica result;
  result.node.bytes[0] = id;
  result.incarnation = 7;
  return result;
}

// The record of the op that a node with this key wrote.
crypto::SigningKey signer() { return crypto::SigningKey::from_seed(Bytes(32, 1)); }
Bytes record_of(const Op& op) { return make_record(op, signer(), "main"); }

Op sample_op() {
  Op op;
  op.dot = {replica(1), 9};
  op.kind = 3;
  op.key.bytes[5] = 4;
  op.hlc = 123456789;
  op.expires_ms = 1'800'000'000'000;
  op.payload = {1, 2, 3};
  return op;
}

TEST(Ops, ComeBackWithTheirNumbers) {
  OpsWriter writer(replica(1));
  const Bytes body = record_of(sample_op());
  ASSERT_TRUE(writer.add(9, body));
  ASSERT_TRUE(writer.add(12, body));
  const Bytes bytes = writer.take();
  OpsReader reader(bytes);
  auto first = reader.next();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->first, sample_op());
  EXPECT_EQ(Bytes(first->second.begin(), first->second.end()), body);
  EXPECT_EQ(reader.next()->first.dot.seq, 12u);
  EXPECT_FALSE(reader.next());
  EXPECT_TRUE(reader.ok());
}

TEST(Ops, OfALaterVersionKeepTheFieldsThatWeDoNotKnow) {
  Bytes body = encode_op_body(sample_op());
  body.insert(body.end(), {9, 9, 9});
  Op op;
  ASSERT_TRUE(decode_op_body(body, op));
  EXPECT_EQ(op.payload, sample_op().payload);
  body.insert(body.end(), kProofBytes, 0);
  OpsWriter writer(replica(1));
  writer.add(1, body);
  const Bytes bytes = writer.take();
  OpsReader reader(bytes);
  auto next = reader.next();
  ASSERT_TRUE(next);
  EXPECT_EQ(next->first.payload, sample_op().payload);
  EXPECT_EQ(next->second.size(), body.size());
}

Op signed_op() {
  Op op = sample_op();
  op.dot.origin.node = crypto::node_id(signer().public_key());
  return op;
}

TEST(Records, ProveTheirWriterPlaceAndCluster) {
  const Op op = signed_op();
  const Bytes record = record_of(op);
  EXPECT_TRUE(is_proven(record, op.dot, "main"));
  EXPECT_FALSE(is_proven(record, op.dot, "other"));
  EXPECT_FALSE(is_proven(record, Dot{op.dot.origin, 10}, "main"));
  EXPECT_FALSE(is_proven(record, Dot{{op.dot.origin.node, 8}, 9}, "main"));
  EXPECT_FALSE(is_proven(record, Dot{replica(1), 9}, "main"));
  for (size_t at = 0; at < record.size(); ++at) {
    Bytes changed = record;
    changed[at] ^= 1;
    EXPECT_FALSE(is_proven(changed, op.dot, "main")) << at;
    EXPECT_FALSE(is_proven(ByteView(record).first(at), op.dot, "main")) << at;
  }
}

// The example of docs/formats/replication.md.
TEST(Records, AreSignedAsTheFormatSays) {
  const Op op = signed_op();
  const Bytes record = record_of(op);
  EXPECT_EQ(hex(ByteView(record).last(kProofBytes)),
            "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
            "e91232801321054c2f3025c2cd3643b7b35e7322c475efa7d5201c996538132c"
            "2d153dd16c795f4b71bd48d890152d41bc93959d09fe402e0745173a9317ab0a");
}

TEST(Ops, CutAtAnyByteAreRefusedOrShorter) {
  OpsWriter writer(replica(1));
  const Bytes body = record_of(sample_op());
  writer.add(1, body);
  const Bytes bytes = writer.take();
  for (size_t size = 0; size < bytes.size(); ++size) {
    OpsReader reader(ByteView(bytes).first(size));
    while (reader.next()) {
    }
    EXPECT_FALSE(reader.ok()) << size;
  }
}

TEST(Ops, WithAPayloadAboveTheLimitAreRefused) {
  Op op = sample_op();
  op.payload.resize(kMaxPayload);
  Op out;
  EXPECT_TRUE(decode_op_body(encode_op_body(op), out));
  op.payload.resize(kMaxPayload + 1);
  EXPECT_FALSE(decode_op_body(encode_op_body(op), out));
}

TEST(Ops, FillABatchUpToItsLimitAndTheGreatestOpFitsAlone) {
  Op op = sample_op();
  op.payload.resize(kMaxPayload);
  const Bytes body = record_of(op);
  OpsWriter writer(replica(1));
  EXPECT_TRUE(writer.add(1, body));
  EXPECT_FALSE(writer.add(2, body));
  EXPECT_LE(writer.take().size(), kMaxMessage);
}

// Every message, cut at every byte and with a byte too many.
template <class Decode>
void expect_exact(const Bytes& bytes, Decode decode, bool open_ended = false) {
  EXPECT_TRUE(decode(bytes));
  for (size_t size = 0; size < bytes.size() && !open_ended; ++size)
    EXPECT_FALSE(decode(ByteView(bytes).first(size))) << size;
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_FALSE(decode(longer));
}

TEST(Messages, AreReadWholeOrNotAtAll) {
  Coverage some(4);
  some.add(9);
  const Dot dot{replica(2), 8};
  expect_exact(encode(RangeRequest{5, replica(1), {{1, 3}, {7, 7}}}), decode_range_request);
  expect_exact(encode(RangeEnd{5, replica(1), true, 300}), decode_range_end);
  expect_exact(encode(SnapshotRequest{300}), decode_snapshot_request);
  expect_exact(encode(SnapshotAck{300, 2}), decode_snapshot_ack);
  expect_exact(encode(PullRequest{1, StoreId::session, Key{}, dot}), decode_pull);
  expect_exact(encode(PullAnswer{1, true, false, {{replica(1), some}}, Bytes{1, 2}}), decode_pulled);
  expect_exact(encode(VectorMessage{true, false, {{replica(1), some}}}), decode_vector, true);
  const StateEntry entry{StoreId::session, Key{}, Bytes{4, 5}};
  expect_exact(encode(SnapshotChunk{1, 2, true, false, {{replica(1), some}}, {{replica(2), some}}, {entry}}),
               decode_snapshot, true);
}

TEST(Messages, CarryTheirFields) {
  Coverage some(4);
  some.add(9);
  const auto chunk = decode_snapshot(encode(
      SnapshotChunk{1, 2, true, false, {{replica(1), some}}, {}, {{StoreId::session, Key{}, Bytes{4, 5}}}}));
  ASSERT_TRUE(chunk);
  EXPECT_EQ(chunk->chunk, 2u);
  EXPECT_TRUE(chunk->last);
  EXPECT_EQ(chunk->ahead.at(replica(1)), some);
  EXPECT_EQ(chunk->entries.at(0).state, (Bytes{4, 5}));
  const auto answer = decode_pulled(encode(PullAnswer{1, true, false, {}, std::nullopt}));
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->covers);
  EXPECT_FALSE(answer->state);
}

TEST(Messages, SayWhenAVectorHadToBeCut) {
  SnapshotChunk chunk;
  for (uint64_t i = 0; i < 4000; ++i) {
    Replica origin = replica(1);
    origin.incarnation = i;
    chunk.ahead.emplace(origin, Coverage(1));
  }
  const Bytes bytes = encode(chunk);
  EXPECT_LE(bytes.size(), kMaxMessage);
  const auto back = decode_snapshot(bytes);
  ASSERT_TRUE(back);
  EXPECT_TRUE(back->cut);
  EXPECT_LT(back->ahead.size(), chunk.ahead.size());
}

TEST(Messages, RefuseRangesThatDoNotAscend) {
  EXPECT_FALSE(decode_range_request(encode(RangeRequest{5, replica(1), {{3, 5}, {5, 7}}})));
  EXPECT_FALSE(decode_range_request(encode(RangeRequest{5, replica(1), {}})));
  EXPECT_FALSE(decode_range_request(encode(RangeRequest{5, replica(1), {{0, 7}}})));
  EXPECT_FALSE(decode_range_request(
      encode(RangeRequest{5, replica(1), std::vector<Interval>(kMaxRangeIntervals + 1, Interval{1, 1})})));
}

}  // namespace
}  // namespace kith::replication
