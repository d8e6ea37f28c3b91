#include "membership/record.h"

#include <gtest/gtest.h>

namespace kith::membership {
namespace {

crypto::SigningKey key_of(uint8_t seed) { return crypto::SigningKey::from_seed(Bytes(32, seed)); }

NodeRecord record_of(const crypto::SigningKey& key) {
  NodeRecord record;
  record.key = key.public_key();
  record.id = crypto::node_id(record.key);
  record.incarnation = 17;
  record.sequence = 4;
  record.name = "n1";
  record.software = "kith 0.1";
  record.region = "eu";
  record.zone = "eu-1";
  record.membership = *Multiaddr::parse("/dns4/n1.example.org/tcp/9450");
  record.data = *Multiaddr::parse("/ip6/2001:db8::1/tcp/9451");
  record.min_version = 1;
  record.max_version = 3;
  record.state = State::draining;
  record.keys = {*KeyId::from(Bytes(KeyId::kSize, 7)), *KeyId::from(Bytes(KeyId::kSize, 8))};
  record.bans = {*NodeId::from(Bytes(NodeId::kSize, 9))};
  return record;
}

TEST(NodeRecord, ComesBackFromItsBytes) {
  auto key = key_of(1);
  NodeRecord out = record_of(key);
  auto in = NodeRecord::decode(out.encode(key));
  ASSERT_TRUE(in) << in.error().message();
  EXPECT_EQ(in->id, out.id);
  EXPECT_EQ(in->key, out.key);
  EXPECT_EQ(in->version(), out.version());
  EXPECT_EQ(in->name, "n1");
  EXPECT_EQ(in->software, "kith 0.1");
  EXPECT_EQ(in->region, "eu");
  EXPECT_EQ(in->zone, "eu-1");
  EXPECT_EQ(in->membership, out.membership);
  EXPECT_EQ(in->data, out.data);
  EXPECT_EQ(in->max_version, 3);
  EXPECT_EQ(in->state, State::draining);
  EXPECT_EQ(in->keys, out.keys);
  EXPECT_EQ(in->bans, out.bans);
}

TEST(NodeRecord, IsRefusedWhenAnyBitOfItIsChanged) {
  auto key = key_of(1);
  Bytes good = record_of(key).encode(key);
  for (size_t at = 0; at < good.size(); ++at) {
    Bytes bad = good;
    bad[at] ^= 1;
    auto record = NodeRecord::decode(bad);
    ASSERT_FALSE(record) << "byte " << at;
    EXPECT_EQ(record.error().side(), Side::peer);
  }
}

TEST(NodeRecord, IsRefusedWhenCutAtAnyLength) {
  auto key = key_of(1);
  Bytes good = record_of(key).encode(key);
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(NodeRecord::decode(ByteView(good).first(size))) << size;
}

// The record of one key with the signature of another: what a member that forges would send.
TEST(NodeRecord, CannotBeSignedByAnotherNode) {
  auto victim = key_of(1), forger = key_of(2);
  Bytes record = record_of(victim).encode(victim);
  Bytes forged = record;
  forged[41] = 0xff;  // inside the sequence: a later word
  Bytes body(forged.begin(), forged.end() - 64);
  Bytes signed_text = to_bytes("kith node record 1");
  append(signed_text, body);
  auto signature = forger.sign(signed_text);
  append(body, signature);
  auto refused = NodeRecord::decode(body);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message().find("signature"), std::string::npos);
}

TEST(NodeRecord, OfALaterVersionMayCarryMoreFields) {
  auto key = key_of(1);
  Bytes record = record_of(key).encode(key);
  Bytes body(record.begin(), record.end() - 64);
  append(body, std::string_view("fields of a later version"));
  Bytes signed_text = to_bytes("kith node record 1");
  append(signed_text, body);
  append(body, key.sign(signed_text));
  EXPECT_TRUE(NodeRecord::decode(body));
}

TEST(NodeRecord, AboveItsLimitIsRefusedUnread) {
  EXPECT_FALSE(NodeRecord::decode(Bytes(kMaxRecordBytes + 1, 1)));
  EXPECT_FALSE(peek_record(Bytes(kMaxRecordBytes + 1, 1)));
}

TEST(NodeRecord, CutsLabelsThatAreTooLongAndRefusesControlCharacters) {
  auto key = key_of(1);
  NodeRecord record = record_of(key);
  record.name = std::string(100, 'x');
  auto cut = NodeRecord::decode(record.encode(key));
  ASSERT_TRUE(cut);
  EXPECT_EQ(cut->name.size(), kMaxLabelBytes);
  record.name = "a\nb";
  EXPECT_FALSE(NodeRecord::decode(record.encode(key)));
}

TEST(NodeRecord, ShowsItsHeadWithoutACheckOfTheSignature) {
  auto key = key_of(3);
  auto head = peek_record(record_of(key).encode(key));
  ASSERT_TRUE(head);
  EXPECT_EQ(head->id, crypto::node_id(key.public_key()));
  EXPECT_EQ(head->version, (RecordVersion{17, 4}));
}

// Bytes recorded from this version: the next one has to read them.
constexpr std::string_view kFormatOne =
    "018a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c110000000000000004000000000000"
    "000201000300026e31086b69746820302e310265750465752d311d2f646e73342f6e312e6578616d706c652e6f72672f"
    "7463702f39343530192f6970362f323030313a6462383a3a312f7463702f393435310207070707070707070808080808"
    "080808010909090909090909090909090909090931e7e0ed7cc3bb6e9ec663df8f1706cf86b013d42d5d953d24e96bbc"
    "9b68b0ee0360ec51a3dea0f0a2c905534a13a989d94ffe0ac1e41303dc561b8b4d967103";
// And from before records named keys, and bans.
constexpr std::string_view kWithoutKeys =
    "018a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c110000000000000004000000000000"
    "000201000300026e31086b69746820302e310265750465752d311d2f646e73342f6e312e6578616d706c652e6f72672f"
    "7463702f39343530192f6970362f323030313a6462383a3a312f7463702f39343531ddfef55d251f79fab939d0e75323"
    "05044b02cf853402cd1955d41eda47c7f3fd58c6b865836fe532980513b053412d7728939fc3b4d929b35259ef6bbc41"
    "a00a";
constexpr std::string_view kWithoutBans =
    "018a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c110000000000000004000000000000"
    "000201000300026e31086b69746820302e310265750465752d311d2f646e73342f6e312e6578616d706c652e6f72672f"
    "7463702f39343530192f6970362f323030313a6462383a3a312f7463702f393435310207070707070707070808080808"
    "0808085b030321fe45da104e6bb3d322de0cd3830499c41b9be13ede7bd28c995e718efd28de5f26c76adb848b1482a6"
    "6a9cdd359eac792db103dd79354f7c35902504";

TEST(NodeRecord, OfFormatOneIsReadForEver) {
  Bytes recorded = *unhex(kFormatOne);
  auto record = NodeRecord::decode(recorded);
  ASSERT_TRUE(record) << record.error().message();
  EXPECT_EQ(record->name, "n1");
  EXPECT_EQ(record->keys.size(), 2u);
  EXPECT_EQ(record->bans.size(), 1u);
  EXPECT_EQ(hex(record->encode(key_of(1))), kFormatOne);
  EXPECT_EQ(hex(record_of(key_of(1)).encode(key_of(1))), kFormatOne);
}

TEST(NodeRecord, OfFormatOneMayEndBeforeTheKeysOrTheBans) {
  for (std::string_view text : {kWithoutKeys, kWithoutBans}) {
    auto record = NodeRecord::decode(*unhex(text));
    ASSERT_TRUE(record) << record.error().message();
    EXPECT_EQ(record->name, "n1");
    EXPECT_EQ(record->keys.size(), text == kWithoutKeys ? 0u : 2u);
    EXPECT_TRUE(record->bans.empty());
  }
}

}  // namespace
}  // namespace kith::membership
