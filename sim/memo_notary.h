// A notary that remembers: all nodes of a simulated cluster see the same signatures, and a thousand times
// 60 us for each would be most of the time.
#pragma once

#include <unordered_map>

#include "membership/record.h"

namespace kith::sim {

class MemoNotary final : public membership::Notary {
 public:
  Result<membership::RecordRef> record(ByteView bytes) override;
  bool verify(const crypto::PublicKey& key, ByteView message, const crypto::Signature& signature) override;

 private:
  struct Verified {
    crypto::PublicKey key;
    Bytes message;
    crypto::Signature signature;
  };
  // By eight bytes of the signature; only what was found good.
  std::unordered_map<uint64_t, membership::RecordRef> records_;
  std::unordered_map<uint64_t, Verified> verified_;
};

}  // namespace kith::sim
