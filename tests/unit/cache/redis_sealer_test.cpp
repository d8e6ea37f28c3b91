#include "cache/redis_sealer.h"

#include <gtest/gtest.h>

namespace kith::cache {
namespace {

class Counting final : public runtime::Entropy {
 public:
  void fill(MutableByteView out) override {
    for (uint8_t& byte : out) byte = next_++;
  }

 private:
  uint8_t next_ = 0;
};

crypto::Secret key(uint8_t byte) { return crypto::Secret(Bytes(32, byte)); }

RedisConfig config_with(uint8_t current, std::vector<uint8_t> old = {}) {
  RedisConfig config;
  config.addresses = {{"localhost", 6379}};
  config.encryption.current = key(current);
  for (uint8_t byte : old) config.encryption.old.push_back(key(byte));
  return config;
}
RedisConfig plain_config() {
  RedisConfig config;
  config.addresses = {{"localhost", 6379}};
  config.encryption.disabled = true;
  return config;
}

class RedisSealerTest : public ::testing::Test {
 protected:
  RedisSealer sealer(const RedisConfig& config) { return RedisSealer(config, entropy_); }
  Counting entropy_;
};

// Written down, so that another version reads what this one has written; computed by other means as well.
TEST_F(RedisSealerTest, WritesWhatTheFormatSays) {
  const RedisSealer one = sealer(config_with(1));
  const std::string name = one.name_of("/app/oidc:abc123");
  EXPECT_EQ(name, "kith:33xos4alkjx0ZK5tSLr2uMXBrYIJk43F5aCVxmb6dn0");
  EXPECT_EQ(hex(one.seal(name, to_bytes("value"))),
            "01ba13be081567fd7f000102030405060708090a0bce61d50d0c626fd5e5dbfe69107e366efd95989259");
}

TEST_F(RedisSealerTest, OpensWhatItSealed) {
  const RedisSealer one = sealer(config_with(1));
  for (const Bytes& value : {Bytes{}, Bytes{0}, Bytes(60 << 10, 9)}) {
    const Bytes stored = one.seal("name", value);
    EXPECT_LE(stored.size(), value.size() + RedisSealer::kMaxOverhead);
    auto opened = one.open("name", stored);
    ASSERT_TRUE(opened);
    EXPECT_EQ(*opened, value);
  }
}

TEST_F(RedisSealerTest, SealsEachTimeWithAnotherNonce) {
  const RedisSealer one = sealer(config_with(1));
  EXPECT_NE(one.seal("name", Bytes{1}), one.seal("name", Bytes{1}));
}

TEST_F(RedisSealerTest, OpensNothingThatWasChanged) {
  const RedisSealer one = sealer(config_with(1));
  const Bytes stored = one.seal("name", Bytes{1, 2, 3});
  for (size_t at = 0; at < stored.size(); ++at) {
    Bytes changed = stored;
    changed[at] ^= 1;
    EXPECT_FALSE(one.open("name", changed)) << at;
    EXPECT_FALSE(one.open("name", ByteView(stored).first(at))) << at;
  }
  EXPECT_FALSE(one.open("names", stored));
  EXPECT_FALSE(one.open("nam", stored));
}

TEST_F(RedisSealerTest, OpensWithOldKeysAndSealsWithTheCurrentOne) {
  const RedisSealer before = sealer(config_with(1));
  const RedisSealer after = sealer(config_with(2, {1}));
  const RedisSealer later = sealer(config_with(3, {2}));
  EXPECT_EQ(before.name_of("key"), later.name_of("key"));
  EXPECT_TRUE(after.open("name", before.seal("name", Bytes{1})));
  EXPECT_FALSE(before.open("name", after.seal("name", Bytes{1})));
  EXPECT_TRUE(later.open("name", after.seal("name", Bytes{1})));
  EXPECT_FALSE(later.open("name", before.seal("name", Bytes{1})));
}

TEST_F(RedisSealerTest, TakesPlainValuesOnlyWhereEncryptionIsDisabled) {
  const RedisSealer sealed = sealer(config_with(1));
  const RedisSealer plain = sealer(plain_config());
  const Bytes stored = plain.seal("name", Bytes{1, 2});
  EXPECT_EQ(stored, (Bytes{0, 1, 2}));
  EXPECT_EQ(*plain.open("name", stored), (Bytes{1, 2}));
  EXPECT_FALSE(sealed.open("name", stored));
  EXPECT_FALSE(plain.open("name", sealed.seal("name", Bytes{1, 2})));
  EXPECT_FALSE(plain.open("name", {}));
}

TEST_F(RedisSealerTest, NamesWithoutHashWhereThatIsAskedFor) {
  RedisConfig config = config_with(1);
  config.hash_keys = false;
  config.key_prefix = "x/";
  EXPECT_EQ(sealer(config).name_of("/app:a"), "x//app:a");
}

TEST(RedisConfig, IsCheckedBeforeItIsUsed) {
  EXPECT_TRUE(check(config_with(1, {2, 3})));
  EXPECT_TRUE(check(plain_config()));
  const auto wrong = [](auto change) {
    RedisConfig config = config_with(1);
    change(config);
    auto checked = check(config);
    return !checked && checked.error().code() == Code::invalid && checked.error().side() == Side::config;
  };
  EXPECT_TRUE(wrong([](RedisConfig& c) { c.addresses.clear(); }));
  EXPECT_TRUE(wrong([](RedisConfig& c) { c.addresses = {{"a b", 1}}; }));
  EXPECT_TRUE(wrong([](RedisConfig& c) { c.addresses = {{"a", 0}}; }));
  EXPECT_TRUE(wrong([](RedisConfig& c) { c.encryption.current = {}; }));
  EXPECT_TRUE(wrong([](RedisConfig& c) { c.encryption.current = crypto::Secret(Bytes(31)); }));
  EXPECT_TRUE(wrong([](RedisConfig& c) { c.encryption.old.emplace_back(Bytes(33)); }));
  EXPECT_TRUE(wrong([](RedisConfig& c) { c.username = "orch"; }));
  EXPECT_TRUE(wrong([](RedisConfig& c) { c.key_prefix = std::string(129, 'k'); }));
  EXPECT_TRUE(wrong([](RedisConfig& c) { c.client_name = "a b"; }));
  EXPECT_TRUE(wrong([](RedisConfig& c) { c.connect_timeout = 0s; }));
  EXPECT_TRUE(wrong([](RedisConfig& c) { c.pool_size = 0; }));
}

}  // namespace
}  // namespace kith::cache
