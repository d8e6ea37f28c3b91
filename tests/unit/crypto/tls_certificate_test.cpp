#include <gtest/gtest.h>

#include "certificates.h"
#include "crypto/tls.h"
#include "tls_pair.h"

namespace kith::crypto {
namespace {

using Auth = TlsProfile::ClientAuth;

class TlsCertificate : public ::testing::Test {
 protected:
  TlsProfile server_profile(const TestCertificate& leaf) {
    TlsProfile profile;
    profile.certificate_pem = leaf.certificate_pem;
    profile.private_key_pem = leaf.private_key_pem;
    return profile;
  }
  TlsProfile client_profile() {
    TlsProfile profile;
    profile.ca_pem = ca_.certificate_pem;
    profile.system_cas = false;
    return profile;
  }
  TlsPair pair(const TlsProfile& client, const TlsProfile& server, const std::string& name = "example.org") {
    auto client_context = make_client_context(client);
    auto server_context = make_server_context(server);
    EXPECT_TRUE(client_context) << client_context.error().message();
    EXPECT_TRUE(server_context) << server_context.error().message();
    return {*TlsEngine::client(*client_context, name), *TlsEngine::server(*server_context)};
  }

  TestCertificate ca_ = make_test_certificate("Test CA", nullptr, "");
  TestCertificate leaf_ =
      make_test_certificate("leaf", &ca_, "DNS:example.org, DNS:*.example.net, IP:127.0.0.1, IP:::1");
};

TEST_F(TlsCertificate, ConnectsToTheNamesAndAddressesOfTheCertificate) {
  for (const char* name :
       {"example.org", "EXAMPLE.org", "example.org.", "a.example.net", "127.0.0.1", "::1"}) {
    TlsPair joined = pair(client_profile(), server_profile(leaf_), name);
    EXPECT_TRUE(joined.handshake().both()) << name;
    EXPECT_EQ(joined.client.protocol(), "TLSv1.3");
    EXPECT_EQ(joined.server.alpn(), "");
  }
}

TEST_F(TlsCertificate, RefusesAnotherNameAnAddressAndTheCommonName) {
  for (const char* name : {"example.com", "sub.example.org", "a.b.example.net", "127.0.0.2", "leaf"}) {
    TlsPair joined = pair(client_profile(), server_profile(leaf_), name);
    auto outcome = joined.handshake();
    ASSERT_FALSE(outcome.client) << name;
    EXPECT_EQ(outcome.client.error().code(), Code::unauthenticated);
    EXPECT_FALSE(joined.client.handshake_done());
  }
}

TEST_F(TlsCertificate, RefusesAnUnknownIssuerAndAnExpiredCertificate) {
  TestCertificate stranger = make_test_certificate("Other CA", nullptr, "");
  for (const TestCertificate& leaf : {make_test_certificate("leaf", &stranger, "DNS:example.org"),
                                      make_test_certificate("leaf", nullptr, "DNS:example.org"),
                                      make_test_certificate("leaf", &ca_, "DNS:example.org", 0)}) {
    TlsPair joined = pair(client_profile(), server_profile(leaf));
    EXPECT_FALSE(joined.handshake().client);
  }
}

TEST_F(TlsCertificate, SendsTheWholeChain) {
  TestCertificate middle = make_test_certificate("Middle CA", &ca_, "");
  TestCertificate leaf = make_test_certificate("leaf", &middle, "DNS:example.org");
  TlsProfile alone = server_profile(leaf);
  TlsPair without = pair(client_profile(), alone);
  EXPECT_FALSE(without.handshake().client);
  alone.certificate_pem += middle.certificate_pem;
  TlsPair with = pair(client_profile(), alone);
  EXPECT_TRUE(with.handshake().both());
}

TEST_F(TlsCertificate, RefusesAnEmptyHostName) {
  auto context = make_client_context(client_profile());
  ASSERT_TRUE(context);
  EXPECT_FALSE(TlsEngine::client(*context, ""));
  EXPECT_FALSE(TlsEngine::client(*context, std::string("example.org\0.evil", 17)));
}

TEST_F(TlsCertificate, SpeaksTls12WithAeadSuitesOnly) {
  TlsProfile old = client_profile();
  old.ciphers = "ECDHE-ECDSA-AES256-GCM-SHA384";
  TlsPair joined = pair(old, server_profile(leaf_));
  ASSERT_TRUE(joined.handshake().both());
  TlsProfile strict = server_profile(leaf_);
  strict.min_version = 13;
  TlsPair modern = pair(client_profile(), strict);
  ASSERT_TRUE(modern.handshake().both());
  EXPECT_EQ(modern.client.protocol(), "TLSv1.3");
}

TEST_F(TlsCertificate, RefusesWeakOrUnknownSuitesAndVersions) {
  for (const char* suites : {"ECDHE-ECDSA-AES128-SHA", "AES128-GCM-SHA256", "NULL-SHA256", "ALL",
                             "no-such-suite", "ECDHE-ECDSA-AES128-GCM-SHA256:typo", "!aNULL"}) {
    TlsProfile profile = server_profile(leaf_);
    profile.ciphers = suites;
    auto context = make_server_context(profile);
    ASSERT_FALSE(context) << suites;
    EXPECT_EQ(context.error().side(), Side::config);
  }
  for (int version : {0, 10, 11, 14}) {
    TlsProfile profile = server_profile(leaf_);
    profile.min_version = version;
    EXPECT_FALSE(make_server_context(profile)) << version;
  }
}

TEST_F(TlsCertificate, RefusesBadFilesWithAClearMessage) {
  TlsProfile profile = server_profile(leaf_);
  profile.private_key_pem = ca_.private_key_pem;
  EXPECT_FALSE(make_server_context(profile));
  profile = server_profile(leaf_);
  profile.private_key_pem = Secret();
  EXPECT_FALSE(make_server_context(profile));
  profile = server_profile(leaf_);
  profile.certificate_pem = "";
  EXPECT_FALSE(make_server_context(profile));
  profile.certificate_pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  EXPECT_FALSE(make_server_context(profile));
  profile = client_profile();
  profile.ca_pem = "nonsense";
  EXPECT_FALSE(make_client_context(profile));
  profile.ca_pem = "";
  EXPECT_FALSE(make_client_context(profile));  // nothing to verify with
}

TEST_F(TlsCertificate, VerifiesClientsAsTheModeSays) {
  TestCertificate stranger_ca = make_test_certificate("Other CA", nullptr, "");
  TestCertificate known = make_test_certificate("client one", &ca_, "DNS:client");
  TestCertificate stranger = make_test_certificate("stranger", &stranger_ca, "DNS:client");
  struct Case {
    Auth mode;
    const TestCertificate* client;
    bool connects;
    const char* subject;
  };
  const Case kCases[] = {
      {Auth::none, &known, true, ""},
      {Auth::request, nullptr, true, ""},
      {Auth::request, &known, true, ""},  // not verified, so not told
      {Auth::require_any, nullptr, false, ""},
      {Auth::require_any, &stranger, true, ""},
      {Auth::verify_if_given, nullptr, true, ""},
      {Auth::verify_if_given, &known, true, "CN=client one"},
      {Auth::verify_if_given, &stranger, false, ""},
      {Auth::require_and_verify, nullptr, false, ""},
      {Auth::require_and_verify, &known, true, "CN=client one"},
      {Auth::require_and_verify, &stranger, false, ""},
  };
  for (const Case& c : kCases) {
    TlsProfile server = server_profile(leaf_);
    server.client_auth = c.mode;
    server.client_ca_pem = ca_.certificate_pem;
    TlsProfile client = client_profile();
    if (c.client != nullptr) {
      client.certificate_pem = c.client->certificate_pem;
      client.private_key_pem = c.client->private_key_pem;
    }
    TlsPair joined = pair(client, server);
    auto outcome = joined.handshake();
    EXPECT_EQ(outcome.server && *outcome.server, c.connects) << static_cast<int>(c.mode);
    EXPECT_EQ(joined.server.peer_subject(), c.subject) << static_cast<int>(c.mode);
  }
}

TEST_F(TlsCertificate, DoesNotVerifyClientsWithoutAuthoritiesOfItsOwn) {
  TlsProfile profile = server_profile(leaf_);
  profile.client_auth = Auth::require_and_verify;
  EXPECT_FALSE(make_server_context(profile));
}

TEST_F(TlsCertificate, RefusesAServerThatSpeaksSomethingElse) {
  auto context = make_client_context(client_profile());
  ASSERT_TRUE(context);
  TlsEngine client = *TlsEngine::client(*context, "example.org");
  ASSERT_TRUE(client.handshake());
  client.feed(as_bytes("HTTP/1.1 400 Bad Request\r\n\r\n"));
  auto outcome = client.handshake();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code(), Code::protocol);
}

}  // namespace
}  // namespace kith::crypto
