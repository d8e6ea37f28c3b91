#include "once/record.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/codec.h"
#include "crypto/hash.h"

namespace kith::once {
namespace {

constexpr std::string_view kReplicaLabel = "kith once replica 1";

uint64_t first_word(ByteView bytes) { return Reader(bytes).u64(); }

// Ids of records and of nodes are hashes already: splitmix64's finaliser is enough to mix the two.
uint64_t weight(const RecordId& id, const NodeId& node) {
  uint64_t mixed = first_word(id.view()) ^ first_word(node.view());
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

}  // namespace

std::optional<size_t> Record::place_of(const Replica& replica) const {
  auto at = std::find(group.begin(), group.end(), replica);
  if (at == group.end()) return std::nullopt;
  return static_cast<size_t>(at - group.begin());
}

Fingerprint fingerprint_of(const Replica& replica) {
  Bytes bytes;
  Writer writer(bytes);
  writer.id(replica.node);
  writer.u64(replica.incarnation);
  crypto::Digest digest = crypto::sha256({as_bytes(kReplicaLabel), bytes});
  return *Fingerprint::from(ByteView(digest).first(Fingerprint::kSize));
}

std::vector<Replica> choose_group(const RecordId& id, const Replica& minting,
                                  const std::vector<Member>& members) {
  std::vector<const Member*> pool;
  std::map<std::string_view, size_t> in_zone;
  for (const Member& one : members) {
    if (one.replica.node == minting.node) {
      ++in_zone[one.zone];
    } else if (one.ready) {
      pool.push_back(&one);
    }
  }
  std::vector<Replica> group{minting};
  if (pool.size() + 1 < kGroupSize) return group;
  auto rank = [&](const Member* one) {
    return std::tuple(in_zone[one->zone], weight(id, one->replica.node), one->replica);
  };
  while (group.size() < kGroupSize) {
    auto best = std::min_element(pool.begin(), pool.end(),
                                 [&](const Member* a, const Member* b) { return rank(a) < rank(b); });
    ++in_zone[(*best)->zone];
    group.push_back((*best)->replica);
    pool.erase(best);
  }
  return group;
}

}  // namespace kith::once
