// What others should know: news is passed on as it comes; what was missed is found by comparing.
#include <algorithm>

#include "membership/core.h"

namespace kith::membership {
namespace {

// In a large cluster news that comes within this time goes on together; the first goes at once.
constexpr Duration kFlushPause = 10ms;
constexpr size_t kMaxDigests = 8;  // ranges that one comparison asks for

}  // namespace

void Core::spread(const RecordRef& record, const NodeId& from) { new_records_.emplace_back(record, from); }
void Core::spread(const Alert& alert, const NodeId& from) { new_alerts_.emplace_back(alert, from); }

// In a large cluster news floods along some of the rings, and to those who are not on any yet.
bool Core::gets_news(const Edge& edge) const {
  if (!edge.live_link() || edge.peer.waiting || edge.told == now_) return false;
  return !rings_ || edge.flooded || !edge.neighbour;
}

void Core::flush_news() {
  if (new_records_.empty() && new_alerts_.empty()) return;
  if (rings_ && now_ < flush_at_ && !has_left()) return;
  flush_at_ = now_ + kFlushPause;
  auto record_news = std::exchange(new_records_, {});
  auto alert_news = std::exchange(new_alerts_, {});
  std::vector<RecordRef> records;
  for (const auto& [record, from] : record_news) records.push_back(record);
  std::vector<Payload> record_payloads = encode_records(records), alert_payloads;
  for (size_t at = 0; at < alert_news.size(); at += kMaxAlerts) {
    AlertsMessage message;
    for (size_t i = at; i < std::min(alert_news.size(), at + kMaxAlerts); ++i)
      message.alerts.push_back(alert_news[i].first);
    alert_payloads.emplace_back(message.encode());
  }
  for (const auto& [id, edge] : edges_) {
    if (!gets_news(edge)) continue;
    const NodeId& to = id;
    bool any_record = std::any_of(record_news.begin(), record_news.end(), [&](const auto& item) {
      return item.second != to && item.first->record.id != to;
    });
    bool any_alert = std::any_of(alert_news.begin(), alert_news.end(), [&](const auto& item) {
      return item.second != to && item.first.observer.node != to;
    });
    for (const Payload& payload : record_payloads) {
      if (any_record) send(to, MessageType::records, payload);
    }
    for (const Payload& payload : alert_payloads) {
      if (any_alert) send(to, MessageType::alerts, payload);
    }
  }
}

std::vector<Payload> Core::encode_records(const std::vector<RecordRef>& records) const {
  std::vector<Payload> out;
  RecordsMessage batch;
  size_t size = 0;
  for (const RecordRef& record : records) {
    if (size + record->bytes.size() + 64 > kMaxMessageBytes || batch.records.size() == kMaxSubjects) {
      batch.more = true;
      out.emplace_back(batch.encode());
      batch = {};
      size = 0;
    }
    batch.records.push_back(record->bytes);
    size += record->bytes.size() + 2;
  }
  if (!batch.records.empty()) out.emplace_back(batch.encode());
  return out;
}

void Core::send_records(const NodeId& to, const std::vector<RecordRef>& records) {
  for (const Payload& payload : encode_records(records)) send(to, MessageType::records, payload);
}

// To somebody who knows next to nothing: encoded once for all who come while the view is the same.
void Core::send_view(Edge& edge) {
  if (table_.empty() || table_hash_ != view_hash_) {
    std::vector<RecordRef> all{self_signed_};
    for (const auto& [id, peer] : peers_) {
      if (peer.in_view) all.push_back(peer.known);
    }
    table_ = encode_records(all);
    table_hash_ = view_hash_;
  }
  edge.told = now_;
  for (const Payload& payload : table_) send(edge.id(), MessageType::records, payload);
}

void Core::send_digest(const NodeId& to, bool answer, uint8_t first, uint8_t last) {
  std::vector<std::vector<Head>> buckets(kBuckets);
  auto add = [&](const NodeRecord& record) {
    uint8_t bucket = bucket_of(record.id);
    if (bucket >= first && bucket <= last) buckets[bucket].push_back({record.id, record.version()});
  };
  add(self_);
  for (const auto& [id, peer] : peers_) {
    if (peer.in_view) add(peer.record());
  }
  DigestMessage digest{answer, true, first, last, {}};
  auto flush = [&](uint8_t until) {
    digest.last = until;
    ++counters_.digests_sent;
    send(to, MessageType::digest, digest.encode());
    digest.first = static_cast<uint8_t>(until + 1);
    digest.complete = true;
    digest.heads.clear();
  };
  for (uint8_t bucket = first; bucket <= last; ++bucket) {
    if (!digest.heads.empty() && digest.heads.size() + buckets[bucket].size() > kMaxSubjects)
      flush(static_cast<uint8_t>(bucket - 1));
    for (const Head& head : buckets[bucket]) {
      digest.complete = digest.heads.size() < kMaxSubjects;
      if (digest.complete) digest.heads.push_back(head);
    }
  }
  flush(last);
}

void Core::send_claim(const NodeId& to, const NodeId& subject, const RecordVersion& version) {
  DigestMessage claim;
  claim.heads.push_back({subject, version, Standing::down});
  send(to, MessageType::digest, claim.encode());
}

void Core::send_table(const NodeId& to, bool answer) {
  send_digest(to, answer);
  VotesMessage table;
  for (const auto& [id, edge] : edges_) {
    if (edge.mine.verdict != Verdict::none && id != to) table.votes.push_back(edge.mine);
    if (table.votes.size() == kMaxSubjects) break;
  }
  if (table.votes.empty()) return;
  ++counters_.votes_sent;
  send(to, MessageType::votes, table.encode());
}

void Core::send_sums(const NodeId& to) { send(to, MessageType::sums, SumsMessage{sums_}.encode()); }

void Core::take_sums(Edge& edge, const SumsMessage& theirs) {
  if (edge.peer.waiting || !edge.peer.in_view) return;
  std::vector<std::pair<uint8_t, uint8_t>> ranges;
  for (uint8_t bucket = 0; bucket < kBuckets; ++bucket) {
    if (theirs.sums[bucket] == sums_[bucket]) continue;
    bool extends = !ranges.empty() && (ranges.back().second + 1 == bucket || ranges.size() == kMaxDigests);
    if (extends) {
      ranges.back().second = bucket;
    } else {
      ranges.emplace_back(bucket, bucket);
    }
  }
  for (auto [first, last] : ranges) send_digest(edge.id(), true, first, last);
}

// What is newer here goes back; what is newer there is asked for with our own digest.
void Core::take_digest(Edge& edge, const DigestMessage& digest) {
  if (edge.peer.waiting && digest.complete) {
    edge.unanswered = digest;
    return;
  }
  const NodeId to = edge.id();
  std::vector<RecordRef> newer;
  std::set<NodeId> named;
  bool behind = false;
  for (const Head& head : digest.heads) {
    named.insert(head.id);
    if (head.standing == Standing::down) {
      take_claim(head.id, head.version, to);
      continue;
    }
    if (head.id == self_.id) {
      if (head.version < self_.version()) newer.push_back(self_signed_);
      if (head.version > self_.version()) behind = true;
      continue;
    }
    auto at = peers_.find(head.id);
    if (at == peers_.end()) {
      behind = true;
      continue;
    }
    Peer& peer = at->second;
    if (head.version <= peer.down && peer.is_down()) {
      send_claim(to, head.id, peer.down);
    } else if (head.version > peer.record().version()) {
      behind = true;
    } else if (head.version < peer.record().version()) {
      newer.push_back(peer.known);
    } else if (!peer.in_view && !peer.has_left()) {
      learn(peer.known, to);
    }
  }
  if (!digest.complete) return;
  auto in_range = [&](const NodeId& id) {
    return bucket_of(id) >= digest.first && bucket_of(id) <= digest.last;
  };
  if (in_range(self_.id) && !named.contains(self_.id)) newer.push_back(self_signed_);
  for (const auto& [id, peer] : peers_) {
    if (peer.in_view && in_range(id) && id != to && !named.contains(id)) newer.push_back(peer.known);
  }
  bool knows_little = newer.size() > config_.everyone && 4 * newer.size() > 3 * in_view_;
  knows_little ? send_view(edge) : send_records(to, newer);
  if (digest.answer && behind) send_digest(to, false, digest.first, digest.last);
}

// Somebody holds a member for down that we hold for well. Both may be right in their own island, or he may
// lie: the member is asked, and proves it with a new word. Only if it says nothing it goes.
void Core::take_claim(const NodeId& subject, const RecordVersion& version, const NodeId& from) {
  if (subject == self_.id) {
    if (version.incarnation == self_.incarnation && version >= self_.version())
      claimed_ = std::max(claimed_.value_or(version), version);
    return;
  }
  auto at = peers_.find(subject);
  if (at == peers_.end() || !at->second.in_view || version < at->second.record().version()) return;
  auto [claim, fresh] = claims_.try_emplace(subject, Claim{version, now_ + config_.claim_hold});
  if (!fresh && claim->second.version >= version) return;
  claim->second.version = version;
  if (at->second.edge != nullptr && at->second.edge->live_link())
    return send_claim(subject, subject, version);
  for (const auto& [id, edge] : edges_) {
    if (id != from && gets_news(edge)) send_claim(id, subject, version);
  }
}

void Core::settle_claims() {
  for (auto at = claims_.begin(); at != claims_.end();) {
    NodeId id = at->first;
    Claim claim = at->second;
    ++at;  // leaving takes the claim away
    if (claim.due > now_) continue;
    claims_.erase(id);
    auto peer = peers_.find(id);
    if (peer == peers_.end() || !peer->second.in_view) continue;
    peer->second.down = claim.version;
    leave(peer->second, DownReason::hung);
  }
}

void Core::take_records(Edge& edge, const RecordsMessage& message) {
  const NodeId from = edge.id();
  std::vector<RecordRef>& partial = edge.link->partial;
  for (const Bytes& bytes : message.records) {
    auto head = peek_record(bytes);
    if (!head) {
      ++counters_.records_refused;
      continue;
    }
    auto at = peers_.find(head->id);
    if (at != peers_.end() && head->version <= at->second.record().version()) {
      const Peer& peer = at->second;
      if (peer.is_down() && head->version <= peer.down && head->id != from)
        send_claim(from, head->id, peer.down);
      if (!peer.in_view && !peer.is_down() && !peer.has_left()) partial.push_back(peer.known);
      continue;
    }
    if (head->id == self_.id && head->version <= self_.version()) continue;
    auto record = notary_->record(bytes);
    if (record) {
      partial.push_back(*std::move(record));
    } else {
      ++counters_.records_refused;
    }
  }
  if (message.more && partial.size() < config_.max_members + config_.max_departed) return;
  for (const RecordRef& record : std::exchange(partial, {})) learn(record, from);
}

}  // namespace kith::membership
