#include "certificates.h"

#include <openssl/ec.h>
#include <openssl/x509v3.h>

#include "crypto/openssl.h"

namespace kith::crypto {
namespace {

using Key = Owned<EVP_PKEY, EVP_PKEY_free>;
using Certificate = Owned<X509, X509_free>;

template <class Write>
std::string to_pem(Write write) {
  Owned<BIO, BIO_free_all> bio(BIO_new(BIO_s_mem()));
  KITH_CHECK(write(bio.get()) == 1);
  const char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return std::string(text, static_cast<size_t>(size));
}

void add_extension(X509* certificate, int nid, const std::string& value) {
  Owned<X509_EXTENSION, X509_EXTENSION_free> extension(
      X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str()));
  KITH_CHECK(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
}

}  // namespace

TestCertificate make_test_certificate(const std::string& common_name, const TestCertificate* issuer,
                                      const std::string& names, int days) {
  static long serial = 1;
  Key key(EVP_EC_gen("P-256"));
  Certificate certificate(X509_new());
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -24 * 3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 24L * 3600 * (days - 1));
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(common_name.c_str()), -1, -1, 0);
  X509_set_pubkey(certificate.get(), key.get());
  add_extension(certificate.get(), NID_basic_constraints, names.empty() ? "critical,CA:TRUE" : "CA:FALSE");
  if (!names.empty()) add_extension(certificate.get(), NID_subject_alt_name, names);
  if (issuer == nullptr) {
    X509_set_issuer_name(certificate.get(), subject);
    KITH_CHECK(X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);
  } else {
    auto issuer_pem = memory_bio(issuer->certificate_pem);
    auto issuer_key_pem = memory_bio(issuer->private_key_pem.reveal_text());
    Certificate parent(PEM_read_bio_X509(issuer_pem.get(), nullptr, no_passphrase, nullptr));
    Key parent_key(PEM_read_bio_PrivateKey(issuer_key_pem.get(), nullptr, no_passphrase, nullptr));
    X509_set_issuer_name(certificate.get(), X509_get_subject_name(parent.get()));
    KITH_CHECK(X509_sign(certificate.get(), parent_key.get(), EVP_sha256()) > 0);
  }
  return {to_pem([&](BIO* bio) { return PEM_write_bio_X509(bio, certificate.get()); }),
          Secret(to_pem([&](BIO* bio) {
            return PEM_write_bio_PKCS8PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
          }))};
}

}  // namespace kith::crypto
