#include "mesh/frames.h"

#include <gtest/gtest.h>

#include <random>

namespace kith::mesh {
namespace {

Bytes pattern(size_t size, uint8_t seed) {
  Bytes bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<uint8_t>(seed + i * 7 + (i >> 8));
  return bytes;
}

std::vector<Received> read_all(FrameReader& reader, ByteView plaintext) {
  std::vector<Received> all;
  reader.feed(plaintext);
  while (auto received = reader.next()) all.push_back(std::move(*received));
  return all;
}

TEST(Frames, DeliverMessagesOfEverySizeHoweverTheyAreCut) {
  SendQueue queue;
  const std::vector<size_t> sizes = {0, 1,      kMaxFramePayload - 1, kMaxFramePayload, kMaxFramePayload + 1,
                                     0, 100000, kMaxMessage};
  for (size_t i = 0; i < sizes.size(); ++i) {
    queue.push(Lane::cache, static_cast<uint8_t>(i), pattern(sizes[i], static_cast<uint8_t>(i)));
  }
  Bytes wire;
  for (Bytes record = queue.next_record(); !record.empty(); record = queue.next_record()) {
    EXPECT_LE(record.size(), kRecordSize);
    append(wire, record);
  }
  EXPECT_EQ(queue.queued_bytes(), 0u);
  for (size_t step : {size_t{1000}, size_t{4097}, wire.size()}) {
    FrameReader reader;
    reader.allow_messages();
    std::vector<Received> got;
    for (ByteView rest = wire; !rest.empty();) {
      ByteView part = rest.first(std::min(step, rest.size()));
      rest = rest.subspan(part.size());
      for (Received& received : read_all(reader, part)) got.push_back(std::move(received));
    }
    ASSERT_EQ(got.size(), sizes.size());
    for (size_t i = 0; i < sizes.size(); ++i) {
      EXPECT_EQ(got[i].type, i);
      EXPECT_EQ(got[i].payload, pattern(sizes[i], static_cast<uint8_t>(i)));
    }
  }
}

TEST(Frames, LetAnUrgentLaneOvertakeAHalfSentMessage) {
  SendQueue queue;
  FrameReader reader;
  reader.allow_messages();
  queue.push(Lane::repair, 1, pattern(100000, 1));
  std::vector<Received> got = read_all(reader, queue.next_record());
  EXPECT_TRUE(got.empty());
  queue.push(Lane::session, 2, pattern(40000, 2));
  queue.push(Lane::control, 3, pattern(10, 3));
  for (Bytes record = queue.next_record(); !record.empty(); record = queue.next_record()) {
    for (Received& received : read_all(reader, record)) got.push_back(std::move(received));
  }
  ASSERT_EQ(got.size(), 3u);
  EXPECT_EQ(got[0].type, 3);
  EXPECT_EQ(got[1].type, 2);
  EXPECT_EQ(got[2].type, 1);
  EXPECT_EQ(got[2].payload, pattern(100000, 1));
}

TEST(Frames, PackManySmallMessagesIntoOneRecord) {
  SendQueue queue;
  for (int i = 0; i < 1000; ++i) queue.push(Lane::session, 1, pattern(12, 0));
  EXPECT_EQ(queue.queued_bytes(Lane::session), 12000u);
  EXPECT_EQ(queue.next_record().size(), 16000u);
  EXPECT_TRUE(queue.next_record().empty());
}

TEST(Frames, CountWhatWaitsPerLane) {
  SendQueue queue;
  queue.push(Lane::control, 1, pattern(5, 0));
  queue.push(Lane::repair, 1, pattern(50000, 0));
  EXPECT_EQ(queue.queued_bytes(), 50005u);
  (void)queue.next_record();
  EXPECT_EQ(queue.queued_bytes(Lane::control), 0u);
  EXPECT_EQ(queue.queued_bytes(Lane::repair), 50000u - (kRecordSize - 4 - 5 - 4));
  queue.keep_only(Lane::control);
  EXPECT_EQ(queue.queued_bytes(), 0u);
}

TEST(Frames, RefuseHeadersThatMeanNothing) {
  struct Case {
    Bytes wire;
    Refusal reason;
  };
  const Case kCases[] = {
      {{0x05, 1, 0, 0}, Refusal::malformed},  // no such lane
      {{0x06, 1, 0, 0}, Refusal::malformed},
      {{0x08, 1, 0, 0}, Refusal::malformed},  // reserved bits
      {{0x40, 1, 0, 0}, Refusal::malformed},
      {{0x87, 1, 0, 0}, Refusal::malformed},                       // a fragment of the link's own lane
      {{0x80, 1, 0, 0}, Refusal::malformed},                       // an empty fragment
      {{0x80, 1, 1, 0, 9, 0x00, 2, 1, 0, 9}, Refusal::malformed},  // type changes within a message
      {{0x00, 1, 0xfd, 0x3f}, Refusal::frame_limit},               // above the largest payload
      {{0x07, 1, 0x01, 0x20}, Refusal::frame_limit},               // above the largest HELLO
  };
  for (const Case& c : kCases) {
    FrameReader reader;
    reader.allow_messages();
    EXPECT_TRUE(read_all(reader, c.wire).empty());
    EXPECT_EQ(reader.error(), c.reason) << hex(c.wire);
    EXPECT_TRUE(read_all(reader, Bytes{0x00, 1, 0, 0}).empty());  // final
  }
}

TEST(Frames, RefuseMessagesBeforeTheyAreAllowed) {
  FrameReader reader;
  EXPECT_EQ(read_all(reader, Bytes{0x07, 1, 1, 0, 42}).size(), 1u);
  EXPECT_TRUE(read_all(reader, Bytes{0x00, 1, 0, 0}).empty());
  EXPECT_EQ(reader.error(), Refusal::malformed);
}

TEST(Frames, RefuseAMessageThatGrowsAboveItsLimit) {
  FrameReader reader;
  reader.allow_messages();
  Bytes fragment{0x84, 1, 0xfc, 0x3f};
  append(fragment, Bytes(kMaxFramePayload, 1));
  size_t fragments = 0;
  while (reader.error() == Refusal::none) {
    EXPECT_TRUE(read_all(reader, fragment).empty());
    ASSERT_LE(++fragments, kMaxMessage / kMaxFramePayload + 1);
  }
  EXPECT_EQ(reader.error(), Refusal::frame_limit);
}

TEST(Frames, SurviveRandomBytes) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    FrameReader reader;
    if (round % 2 == 0) reader.allow_messages();
    Bytes noise(random() % 300);
    for (uint8_t& byte : noise) byte = static_cast<uint8_t>(random() % 4 == 0 ? random() : random() % 8);
    (void)read_all(reader, noise);
  }
}

}  // namespace
}  // namespace kith::mesh
