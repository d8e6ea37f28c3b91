// Ed25519 signatures (RFC 8032): the identity of a node.
#pragma once

#include <array>
#include <memory>

#include "base/node.h"
#include "base/result.h"
#include "crypto/secret.h"

namespace kith::crypto {

using PublicKey = std::array<uint8_t, 32>;
using Signature = std::array<uint8_t, 64>;

class SigningKey {
 public:
  // From 32 random bytes (the RFC 8032 private key, also called the seed).
  static SigningKey from_seed(ByteView seed);
  // PEM PKCS#8 ("-----BEGIN PRIVATE KEY-----") as nodeKey.file holds it.
  static Result<SigningKey> from_pem(std::string_view pem);
  Secret to_pem() const;

  const PublicKey& public_key() const { return public_; }
  Signature sign(ByteView message) const;

 private:
  struct Key;
  SigningKey(std::shared_ptr<const Key> key, PublicKey pub) : key_(std::move(key)), public_(pub) {}
  std::shared_ptr<const Key> key_;  // an EVP_PKEY is immutable and shared between copies
  PublicKey public_;
};

bool verify(const PublicKey& key, ByteView message, const Signature& signature);

// The name of the node that holds the key: the first 16 bytes of SHA-256 of the public key.
NodeId node_id(const PublicKey& key);

}  // namespace kith::crypto
