// Certificates for tests, made when needed: nothing in the tree expires.
#pragma once

#include <string>
#include <vector>

#include "crypto/secret.h"

namespace kith::crypto {

struct TestCertificate {
  std::string certificate_pem;
  Secret private_key_pem;
};

// issuer null: signed by itself. names as OpenSSL writes them: "DNS:example.org", "IP:127.0.0.1"; without
// names it is an authority. days is counted from yesterday, so 0 has expired.
TestCertificate make_test_certificate(const std::string& common_name, const TestCertificate* issuer,
                                      const std::string& names, int days = 10);

}  // namespace kith::crypto
