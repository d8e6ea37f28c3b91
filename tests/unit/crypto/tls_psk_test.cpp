#include <gtest/gtest.h>

#include <map>

#include "certificates.h"
#include "crypto/tls.h"
#include "tls_pair.h"

namespace kith::crypto {
namespace {

class Keys final : public PskLookup {
 public:
  explicit Keys(std::map<std::string, Secret> keys) : keys_(std::move(keys)) {}
  std::optional<Secret> find(ByteView identity) override {
    ++asked;
    auto it = keys_.find(to_string(identity));
    return it == keys_.end() ? std::nullopt : std::optional(it->second);
  }
  int asked = 0;

 private:
  std::map<std::string, Secret> keys_;
};

const Secret kRed(Bytes(32, 1));
const Secret kBlue(Bytes(32, 2));

TlsPair psk_pair(const std::string& identity, const Secret& key, Keys& keys) {
  auto context = make_psk_context();
  return {TlsEngine::psk_client(context, {to_bytes(identity), key}), TlsEngine::psk_server(context, keys)};
}

TEST(TlsPsk, ConnectsWithTls13AndEphemeralKeys) {
  Keys keys({{"red", kRed}});
  TlsPair pair = psk_pair("red", kRed, keys);
  ASSERT_TRUE(pair.handshake().both());
  EXPECT_EQ(pair.client.protocol(), "TLSv1.3");
  EXPECT_EQ(pair.server.cipher(), "TLS_AES_128_GCM_SHA256");
  EXPECT_EQ(pair.server.peer_subject(), "");
  EXPECT_FALSE(pair.client.received_alert());
}

TEST(TlsPsk, AcceptsEachOfTwoKeys) {
  Keys keys({{"red", kRed}, {"blue", kBlue}});
  TlsPair red = psk_pair("red", kRed, keys);
  TlsPair blue = psk_pair("blue", kBlue, keys);
  EXPECT_TRUE(red.handshake().both());
  EXPECT_TRUE(blue.handshake().both());
}

TEST(TlsPsk, RefusesAWrongKeyUnderAKnownIdentity) {
  Keys keys({{"red", kRed}});
  TlsPair pair = psk_pair("red", kBlue, keys);
  auto outcome = pair.handshake();
  EXPECT_FALSE(outcome.server);
  ASSERT_FALSE(outcome.client);
  EXPECT_EQ(outcome.client.error().code(), Code::unauthenticated);
  EXPECT_TRUE(pair.client.received_alert());
}

TEST(TlsPsk, RefusesAnUnknownIdentity) {
  Keys keys({{"red", kRed}});
  TlsPair pair = psk_pair("green", kRed, keys);
  auto outcome = pair.handshake();
  EXPECT_FALSE(outcome.server);
  EXPECT_FALSE(outcome.client);
  EXPECT_TRUE(pair.client.received_alert());
  EXPECT_EQ(keys.asked, 1);
}

TEST(TlsPsk, RefusesAPlainTlsClient) {
  Keys keys({{"red", kRed}});
  auto client = make_client_context({});
  ASSERT_TRUE(client);
  TlsPair pair{*TlsEngine::client(*client, "example.org"), TlsEngine::psk_server(make_psk_context(), keys)};
  auto outcome = pair.handshake();
  EXPECT_FALSE(outcome.server);
  EXPECT_FALSE(outcome.client);
  EXPECT_EQ(keys.asked, 0);
}

TEST(TlsPsk, RefusesAServerThatHasACertificateInsteadOfTheKey) {
  TestCertificate self = make_test_certificate("example.org", nullptr, "DNS:example.org");
  TlsProfile profile;
  profile.certificate_pem = self.certificate_pem;
  profile.private_key_pem = self.private_key_pem;
  auto server = make_server_context(profile);
  ASSERT_TRUE(server);
  TlsPair pair{TlsEngine::psk_client(make_psk_context(), {to_bytes("red"), kRed}),
               *TlsEngine::server(*server)};
  auto outcome = pair.handshake();
  EXPECT_FALSE(outcome.client);
  EXPECT_FALSE(pair.client.handshake_done());
}

TEST(TlsPsk, ExportsTheSameKeyAtBothEndsAndAnotherForEachUse) {
  Keys keys({{"red", kRed}});
  TlsPair pair = psk_pair("red", kRed, keys);
  ASSERT_TRUE(pair.handshake().both());
  Secret here = pair.client.exporter("kith test", as_bytes("a"), 32);
  EXPECT_TRUE(
      equal_constant_time(here.reveal(), pair.server.exporter("kith test", as_bytes("a"), 32).reveal()));
  EXPECT_FALSE(
      equal_constant_time(here.reveal(), pair.client.exporter("kith test", as_bytes("b"), 32).reveal()));
  EXPECT_FALSE(
      equal_constant_time(here.reveal(), pair.client.exporter("kith tess", as_bytes("a"), 32).reveal()));
  TlsPair other = psk_pair("red", kRed, keys);
  ASSERT_TRUE(other.handshake().both());
  EXPECT_FALSE(
      equal_constant_time(here.reveal(), other.client.exporter("kith test", as_bytes("a"), 32).reveal()));
}

TEST(TlsPsk, CarriesLargeTransfersBothWaysWithKeyUpdatesBetween) {
  Keys keys({{"red", kRed}});
  TlsPair pair = psk_pair("red", kRed, keys);
  ASSERT_TRUE(pair.handshake().both());
  Bytes big(3 << 20);
  for (size_t i = 0; i < big.size(); ++i) big[i] = static_cast<uint8_t>(i * 31 + (i >> 8));
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(pair.client.write(big));
    ASSERT_TRUE(pair.server.write(ByteView(big).first(100000)));
    pair.exchange();
    EXPECT_EQ(read_all(pair.server), big);
    EXPECT_EQ(read_all(pair.client), Bytes(big.begin(), big.begin() + 100000));
    pair.client.update_key();
    EXPECT_TRUE(pair.client.has_output());
  }
}

TEST(TlsPsk, DeliversBytesHoweverTheyAreCut) {
  Keys keys({{"red", kRed}});
  TlsPair pair = psk_pair("red", kRed, keys);
  ASSERT_TRUE(pair.handshake().both());
  ASSERT_TRUE(pair.client.write(as_bytes("hello")));
  Bytes wire = pair.client.take_output();
  Bytes buffer(10);
  for (size_t i = 0; i + 1 < wire.size(); ++i) {
    pair.server.feed(ByteView(wire).subspan(i, 1));
    auto size = pair.server.read(buffer);
    ASSERT_TRUE(size);
    EXPECT_EQ(*size, 0u);
  }
  pair.server.feed(ByteView(wire).last(1));
  EXPECT_EQ(read_all(pair.server), to_bytes("hello"));
}

TEST(TlsPsk, ReportsCloseNotifyAfterAllData) {
  Keys keys({{"red", kRed}});
  TlsPair pair = psk_pair("red", kRed, keys);
  ASSERT_TRUE(pair.handshake().both());
  ASSERT_TRUE(pair.client.write(as_bytes("last words")));
  pair.client.close_notify();
  pair.exchange();
  EXPECT_EQ(read_all(pair.server), to_bytes("last words"));
  Bytes buffer(10);
  auto end = pair.server.read(buffer);
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code(), Code::closed);
  EXPECT_FALSE(pair.client.write(as_bytes("more")));
}

TEST(TlsPsk, EndsAtTheFirstTamperedByteOfARecord) {
  Keys keys({{"red", kRed}});
  for (size_t at : {0u, 3u, 5u, 12u, 25u}) {
    TlsPair pair = psk_pair("red", kRed, keys);
    ASSERT_TRUE(pair.handshake().both());
    ASSERT_TRUE(pair.client.write(as_bytes("some message")));
    Bytes wire = pair.client.take_output();
    ASSERT_GT(wire.size(), at);
    wire[at] ^= 0x40;
    pair.server.feed(wire);
    Bytes buffer(100);
    auto size = pair.server.read(buffer);
    EXPECT_TRUE(!size || *size == 0) << at;
    EXPECT_EQ(read_all(pair.server), Bytes());
  }
}

TEST(TlsPsk, RefusesAReplayedClient) {
  Keys keys({{"red", kRed}});
  Bytes captured;
  TlsPair pair = psk_pair("red", kRed, keys);
  pair.on_client_output = [&](Bytes& out) { append(captured, out); };
  ASSERT_TRUE(pair.handshake().both());
  TlsEngine server = TlsEngine::psk_server(make_psk_context(), keys);
  server.feed(captured);
  EXPECT_FALSE(server.handshake());
  EXPECT_FALSE(server.handshake_done());
}

TEST(TlsPsk, HandsOutAndTakesNoPlaintextBeforeTheHandshakeIsOver) {
  Keys keys({{"red", kRed}});
  TlsPair pair = psk_pair("red", kRed, keys);
  Bytes buffer(10);
  auto size = pair.server.read(buffer);
  ASSERT_TRUE(size);
  EXPECT_EQ(*size, 0u);
  EXPECT_FALSE(pair.client.write(as_bytes("early")));
  EXPECT_FALSE(pair.client.has_output());
}

}  // namespace
}  // namespace kith::crypto
