#include "replication_world.h"

#include <algorithm>

#include "store/session_state.h"

namespace kith::scenario {

using replication::Priority;
using replication::StoreId;
using store::SessionEntry;
using store::SessionOp;
using store::SessionState;

namespace {

constexpr const char* kSpace = "shared";
constexpr size_t kScopes = 40;

Key scope_of(size_t number) {
  Key scope;
  scope.bytes.fill(0xee);
  scope.bytes[0] = static_cast<uint8_t>(number);
  return scope;
}

}  // namespace

World::World(WorldOptions options)
    : options_(options), rng_(options.seed), nodes_(options.nodes), journals_(options.nodes) {
  for (size_t i = 0; i <= options.nodes; ++i)
    identities_.push_back(crypto::SigningKey::from_seed(Bytes(32, static_cast<uint8_t>(i + 1))));
}

void World::at(Duration delay, std::function<void()> run) {
  events_.push({now_ + delay, ++order_, std::move(run)});
}

void World::run_until(MonoTime end) {
  while (!events_.empty() && events_.top().at <= end && verdict_.empty()) {
    Event event = events_.top();
    events_.pop();
    now_ = event.at;
    event.run();
  }
  now_ = end;
}

Verdict World::run() {
  for (size_t i = 0; i < nodes_.size(); ++i) start(i, true);
  at(100ms, [this] { write(); });
  at(2s, [this] { disturb(); });
  if (options_.insider) at(1s, [this] { lie(); });
  run_until(MonoTime{} + options_.busy);
  busy_ = false;
  for (size_t i = 0; i < nodes_.size(); ++i)
    if (!nodes_[i].core) start(i, false);
  for (size_t a = 0; a < nodes_.size(); ++a)
    for (size_t b = a + 1; b < nodes_.size(); ++b) connect(a, b);
  run_until(now_ + options_.quiet);
  if (verdict_.empty()) check_end();
  return verdict_;
}

// ---------------------------------------------------------------- nodes and links

void World::start(size_t index, bool founding) {
  Node& node = nodes_[index];
  if (node.core) return;
  const uint64_t life = node.life + 1;
  node = Node{};
  node.life = life;
  node.replica.node = id_of(index);
  node.replica.incarnation = life;
  node.tables = std::make_unique<store::Tables>(store::SessionLimits{.idle_timeout = std::chrono::hours(1)},
                                                store::CacheLimits{}, node.replica.node);
  node.table = &node.tables->sessions();
  node.core =
      std::make_unique<Core>(options_.replication, node.replica, identities_[index], *node.tables, now_);
  if (options_.journals) from_journal(index);
  if (founding) node.core->allow_founding(now_);
  tick(index, life);
  for (size_t peer = 0; peer < nodes_.size(); ++peer)
    if (peer != index) at(random(1s), [this, index, peer] { connect(index, peer); });
}

void World::kill(size_t index) {
  ++kills_;
  for (size_t peer = 0; peer < nodes_.size(); ++peer)
    if (peer != index) cut(index, peer);
  nodes_[index].core.reset();
  nodes_[index].tables.reset();
  nodes_[index].table = nullptr;
  Journal& journal = journals_[index];
  journal.frames.resize(journal.written);
  std::erase_if(journal.own, [&](const auto& each) { return each.first > journal.written; });
}

// What is in no journal is lost then, whoever had it in memory.
void World::kill_all() {
  ++full_stops_;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (nodes_[i].core) kill(i);
    at(500ms + random(10s), [this, i] { start(i, false); });
  }
  for (Write& write : ledger_) {
    if (options_.damage) write.journaled = false;
    if (!write.journaled) write.acked = false;
  }
  at(15s, [this] {
    for (size_t i = 0; i < nodes_.size(); ++i) {
      if (nodes_[i].core) nodes_[i].core->allow_founding(now_);
      pump(i);
    }
  });
}

// ---------------------------------------------------------------- journals

void World::to_journal(size_t index, const Bytes& records) {
  Journal& journal = journals_[index];
  journal.frames.push_back(records);
  at(random(30ms), [this, index, life = nodes_[index].life, frames = journal.frames.size()] {
    Journal& here = journals_[index];
    if (nodes_[index].life != life || frames > here.frames.size()) return;
    here.written = std::max(here.written, frames);
    for (const auto& [frame, write] : here.own)
      if (frame <= here.written) ledger_[write].journaled = true;
  });
}

void World::from_journal(size_t index) {
  Node& node = nodes_[index];
  journal::Recovery recovery(
      {[&](const Op& op) { node.tables->apply(op, wall_of(index)); },
       [&](const replication::StateEntry& entry) { node.tables->apply(entry, wall_of(index)); }});
  bool intact = true;
  for (const Bytes& frame : journals_[index].frames) {
    if (options_.damage && random(100) == 0) {
      intact = false;
      continue;
    }
    recovery.take(frame, intact);
  }
  recovery.end_of_file(intact);
  node.core->recover(recovery.finish(), now_);
  if (intact) return;
  for (Write& write : ledger_)
    if (write.op.dot.origin.node == node.replica.node) write.journaled = false;
  journals_[index] = Journal{};
  compact(index);  // what is left is written anew
}

// A snapshot takes the place of all before.
void World::compact(size_t index) {
  Node& node = nodes_[index];
  Journal& journal = journals_[index];
  Bytes head, end;
  journal::put(
      head, journal::HeadRecord{node.replica, node.core->owes(), node.core->partial(), node.core->applied()});
  std::vector<Bytes> frames = {head};
  journal::EndRecord count;
  replication::SnapshotCursor cursor;
  for (bool more = true; more;) {
    std::vector<replication::StateEntry> states;
    more = node.tables->next(cursor, 1000, states);
    count.states += states.size();
    Bytes records;
    for (const auto& entry : states) journal::put_state(records, entry, false);
    frames.push_back(std::move(records));
  }
  journal::put(end, count);
  frames.push_back(end);
  for (const auto& [frame, write] : journal.own) ledger_[write].journaled = true;
  journal.frames = std::move(frames);
  journal.written = journal.frames.size();
  journal.own.clear();
}

void World::connect(size_t a, size_t b) {
  Link& wire = link(a, b);
  if (wire.up || !nodes_[a].core || !nodes_[b].core) return;
  const uint64_t generation = wire.generation + 1;
  wire = Link{};
  wire.up = true;
  wire.generation = generation;
  wire.seen = {true, true};
  nodes_[a].core->peer_up(nodes_[b].replica, now_);
  nodes_[b].core->peer_up(nodes_[a].replica, now_);
  nodes_[a].at_peer_up[b] = nodes_[b].core->applied();
  nodes_[b].at_peer_up[a] = nodes_[a].core->applied();
  pump(a);
  pump(b);
}

// What is on its way is lost; each end notices in its own time.
void World::cut(size_t a, size_t b) {
  Link& wire = link(a, b);
  if (!wire.up) return;
  wire.up = false;
  for (auto [end, other] : {std::pair{a, b}, std::pair{b, a}}) {
    const uint64_t generation = wire.generation, life = nodes_[end].life;
    at(random(300ms),
       [this, end = end, other = other, generation, life] { notice_down(end, other, generation, life); });
  }
}

void World::notice_down(size_t index, size_t peer, uint64_t generation, uint64_t life) {
  Node& node = nodes_[index];
  if (!node.core || node.life != life || link(index, peer).generation != generation) return;
  link(index, peer).seen[index < peer ? 0 : 1] = false;
  node.at_peer_up.erase(peer);
  node.core->peer_down(id_of(peer), now_);
  pump(index);
}

void World::tick(size_t index, uint64_t life) {
  Node& node = nodes_[index];
  if (!node.core || node.life != life) return;
  node.core->handle_timeout(now_);
  pump(index);
  const MonoTime next = node.core->poll_timeout();
  at(std::max<Duration>(next - now_, 1ms), [this, index, life] { tick(index, life); });
}

void World::pump(size_t index) {
  Node& node = nodes_[index];
  if (!node.core) return;
  while (auto event = node.core->poll_event()) on_event(index, std::move(*event));
  const bool input = node.core->had_input();
  for (size_t peer = 0; peer < nodes_.size(); ++peer) {
    Link& wire = link(index, peer);
    if (peer == index || !wire.seen[index < peer ? 0 : 1]) continue;
    const NodeId id = id_of(peer);
    for (Priority priority : {Priority::control, Priority::session, Priority::repair}) {
      const std::pair lane{index, static_cast<int>(priority)};
      bool& was_full = wire.was_full[lane];
      const bool may_have_more = input || was_full;
      while (!(was_full = wire.in_flight[lane] >= options_.lane_depth)) {
        auto message = node.core->poll_transmit(id, priority);
        if (!message) break;
        if (!may_have_more) fail("there is something to say without any input");
        if (message->payload.size() > replication::kMaxMessage) fail("a message is too large");
        send(index, peer, std::move(*message));
      }
    }
  }
}

void World::send(size_t from, size_t to, replication::Transmit message) {
  Link& wire = link(from, to);
  const std::pair lane{from, static_cast<int>(message.priority)};
  ++messages_;
  ++wire.in_flight[lane];
  MonoTime& arrival = wire.last_arrival[lane];
  arrival = std::max(arrival, now_ + random(options_.max_delay));
  at(arrival - now_, [this, from, to, generation = wire.generation, message = std::move(message)]() mutable {
    deliver(from, to, generation, std::move(message));
  });
}

void World::deliver(size_t from, size_t to, uint64_t generation, replication::Transmit message) {
  Link& wire = link(from, to);
  if (!wire.up || wire.generation != generation) return;
  --wire.in_flight[{from, static_cast<int>(message.priority)}];
  auto result =
      nodes_[to].core->handle_message(nodes_[from].replica.node, message.type, message.payload, now_);
  if (!result) fail("a message was refused: " + result.error().message());
  pump(to);
  pump(from);
}

void World::on_event(size_t index, replication::Event event) {
  Node& node = nodes_[index];
  Bytes records;
  if (auto* apply = std::get_if<replication::Apply>(&event)) {
    node.tables->apply(apply->op, wall_of(index));
    journal::put_op(records, apply->op.dot, apply->record);
  } else if (auto* appended = std::get_if<replication::Appended>(&event)) {
    journal::put_op(records, appended->dot, appended->record);
  } else if (auto* state = std::get_if<replication::ApplyState>(&event)) {
    node.tables->apply(state->entry, wall_of(index));
    journal::put_state(records, state->entry, state->pulled);
  } else if (auto* adopted = std::get_if<replication::Adopted>(&event)) {
    journal::put(records, journal::AdoptedRecord{adopted->origin, adopted->coverage});
  } else if (auto* clipped = std::get_if<replication::Clipped>(&event)) {
    journal::put(records, journal::ClippedRecord{clipped->origin, clipped->last});
  } else if (std::get_if<replication::Settled>(&event)) {
    journal::put(records, journal::SettledRecord{});
  } else if (std::get_if<replication::AckProgress>(&event)) {
    std::erase_if(node.waiting, [&](size_t at) {
      if (node.core->acked_by(ledger_[at].op.dot.seq) == 0) return false;
      return ledger_[at].acked = true;
    });
  } else if (std::get_if<replication::CaughtUp>(&event)) {
    check_caught_up(index);
  }
  if (options_.journals && !records.empty()) to_journal(index, records);
}

// ---------------------------------------------------------------- what happens

void World::write() {
  if (!busy_) return;
  at(random(150ms), [this] { write(); });
  const size_t index = random(nodes_.size());
  Node& node = nodes_[index];
  if (!node.core || !node.core->caught_up()) return;
  const WallTime wall = wall_of(index);
  const WallTime expires = from_unix_ms(1'800'000'000'000) + std::chrono::hours(10);
  Key key;
  for (uint8_t& byte : key.bytes) byte = static_cast<uint8_t>(rng_());
  if (!keys_.empty() && random(3) != 0) key = keys_[random(keys_.size())];
  std::optional<Op> op;
  Bytes body(random(options_.max_body), static_cast<uint8_t>(rng_()));
  switch (random(7)) {
    case 6: op = write_cache(node.tables->caches(), wall); break;
    case 0:
    case 1:
    case 2:
      if (auto made = node.table->create(key, {body, wall, expires, wall, {scope_of(random(kScopes))}}, wall))
        op = std::move(*made);
      break;
    case 3:
      if (auto made = node.table->update(key, body, wall)) op = std::move(*made);
      break;
    case 4: op = node.table->touch(key, wall + std::chrono::minutes(random(50))); break;
    default: {
      const Write* write = ledger_.empty() ? nullptr : &ledger_[random(ledger_.size())];
      if (write && !node.core->covers(write->op.dot)) {  // a user came whose last write is not here
        const auto from = node.core->holders(write->op.dot);
        if (!from.empty())
          node.core->pull(from[random(from.size())], write->op.store, write->op.key, write->op.dot, now_);
      } else if (random(4) == 0) {
        op = node.table->revoke(key, store::EndReason::logout, expires, wall);
      } else if (random(8) == 0) {
        op = node.table->mark(scope_of(random(kScopes)), expires, wall);
      }
    }
  }
  if (op && op->store == StoreId::mark) note_marked(node, *op);
  if (op) {
    if (op->store == StoreId::session) keys_.push_back(key);
    op->dot = node.core->append(*op, now_);
    node.waiting.push_back(ledger_.size());
    ledger_.push_back({std::move(*op)});
  }
  pump(index);
  if (op && options_.journals)
    journals_[index].own.emplace_back(journals_[index].frames.size(), ledger_.size() - 1);
  check_sample();
}

// Few keys, so that nodes meet at them.
Op World::write_cache(store::CacheTable& caches, WallTime wall) {
  const std::string name = std::to_string(random(20));
  if (random(40) == 0) return *caches.clear(kSpace, wall);
  if (random(4) == 0) return *caches.remove(store::key_of(kSpace, name), wall);
  std::optional<WallTime> expires;
  if (random(2) == 0) expires = wall + std::chrono::hours(1 + random(10));
  return *caches.set({kSpace, name}, Bytes(random(options_.max_body), static_cast<uint8_t>(rng_())), expires,
                     wall);
}

// What the node knows of the scope is over now, on every node that knows the mark.
void World::note_marked(const Node& node, const Op& mark) {
  for (size_t at = 0; at < ledger_.size(); ++at) {
    const Write& write = ledger_[at];
    if (write.op.store != StoreId::session || write.op.kind != static_cast<uint8_t>(SessionOp::create))
      continue;
    const auto made = store::entry_of(write.op);
    const auto& scopes = made->record->scopes;
    const bool is_of = std::find(scopes.begin(), scopes.end(), mark.key) != scopes.end();
    if (is_of && node.core->covers(write.op.dot)) marked_.push_back({at, mark.key, mark.hlc});
  }
}

void World::disturb() {
  if (!busy_) return;
  at(random(8s), [this] { disturb(); });
  const size_t a = random(nodes_.size()), b = random(nodes_.size());
  if (options_.journals && random(5) == 0) return kill_all();
  if (options_.journals && nodes_[a].core && random(3) == 0) compact(a);
  if (options_.cuts && a != b && random(2) == 0) {
    cut(a, b);
    at(500ms + random(15s), [this, a, b] { connect(a, b); });
  } else if (options_.kills && nodes_[a].core && may_kill(a)) {
    kill(a);
    at(500ms + random(10s), [this, a] { start(a, false); });
  }
}

// One node at a time may die: while an acknowledged write is on one other node only, that one lives.
bool World::may_kill(size_t index) {
  size_t ready = 0;
  for (size_t i = 0; i < nodes_.size(); ++i)
    if (i != index && nodes_[i].core && nodes_[i].core->caught_up()) ++ready;
  if (ready == 0) return false;
  return std::all_of(ledger_.begin(), ledger_.end(), [&](const Write& write) {
    if (!write.acked) return true;
    size_t copies = 0;
    for (const Node& node : nodes_)
      if (node.core && node.core->covers(write.op.dot)) ++copies;
    return copies >= 2;
  });
}

// The insider never gives what it claims: only its words about others are tried here.
void World::lie() {
  at(random(1s), [this] { lie(); });
  const Replica insider{id_of(nodes_.size()), 1};
  for (size_t index = 0; index < nodes_.size(); ++index) {
    Node& node = nodes_[index];
    if (!node.core) continue;
    if (!std::exchange(node.hears_insider, true)) node.core->peer_up(insider, now_);
    if (random(2) == 0) tell_lie(node);
    for (Priority priority : {Priority::control, Priority::session, Priority::repair})
      while (node.core->poll_transmit(insider.node, priority)) {
      }
    pump(index);
  }
}

// Claims more of some log than there is, and sends ops for the numbers that its writer will use next.
void World::tell_lie(Node& victim) {
  const Node& target = nodes_[random(nodes_.size())];
  if (target.replica.incarnation == 0) return;
  const Replica origin{target.replica.node, 1 + random(target.replica.incarnation)};
  const uint64_t end =
      victim.core->applied().contains(origin) ? victim.core->applied().at(origin).highest() : 0;
  auto tell = [&](replication::MessageType type, const Bytes& payload) {
    auto taken = victim.core->handle_message(id_of(nodes_.size()), static_cast<uint8_t>(type), payload, now_);
    if (!taken) victim.hears_insider = false;
  };
  replication::VectorMessage vector{true, false, {{origin, replication::Coverage(end + 1 + random(1000))}}};
  vector.entries.push_back({Replica{id_of(nodes_.size()), 2 + random(1000)}, replication::Coverage(1)});
  tell(replication::MessageType::vector, encode(vector));
  if (origin == victim.replica) return;  // that would end its link
  replication::OpsWriter ops(origin);
  Op op;
  if (!ledger_.empty()) op = ledger_[random(ledger_.size())].op;
  op.kind = static_cast<uint8_t>(SessionOp::touch);
  op.payload = store::touch_payload(wall());
  for (uint64_t seq = end + 1; seq <= end + 5; ++seq) {
    op.dot = {origin, seq};
    ops.add(seq, replication::make_record(op, identities_[nodes_.size()], ""));
  }
  tell(replication::MessageType::ops, ops.take());
}

// ---------------------------------------------------------------- the checkers

bool World::includes(store::Tables& tables, const Write& write) {
  if (write.op.store == StoreId::cache) return includes_in_cache(tables, write);
  auto state = tables.state_of(write.op.store, write.op.key);
  if (!state) return false;
  if (write.op.store == StoreId::mark) return store::Mark::decode(*state)->hlc >= write.op.hlc;
  const auto entry = SessionEntry::decode(*state);
  if (!entry) return false;
  if (entry->ended) return true;
  const auto change = store::entry_of(write.op);
  switch (static_cast<SessionOp>(write.op.kind)) {
    case SessionOp::create:
      return entry->created_by.hlc != 0 && entry->created_by <= change->created_by &&
             entry->body_by >= change->body_by;
    case SessionOp::update: return entry->body_by >= change->body_by;
    case SessionOp::touch: return entry->record->last_seen >= change->record->last_seen;
    case SessionOp::revoke: return false;
  }
  return false;
}

bool World::includes_in_cache(store::Tables& tables, const Write& write) {
  const store::CacheClear all{kSpace};
  const auto cleared = tables.state_of(StoreId::cache, all.key());
  if (cleared && store::CacheClear::decode(all.key(), *cleared)->hlc >= write.op.hlc) return true;
  const auto state = tables.state_of(StoreId::cache, write.op.key);
  if (!state || store::cache_clear_of(write.op)) return false;
  return store::CacheEntry::decode(write.op.key, *state)->by >= store::cache_entry_of(write.op)->by;
}

void World::check_sample() {
  if (ledger_.empty()) return;
  const Write& write = ledger_[random(ledger_.size())];
  for (Node& node : nodes_) {
    if (!node.core) continue;
    if (node.core->covers(write.op.dot) && !includes(*node.tables, write))
      fail("a covered write is not readable: kind " + std::to_string(write.op.kind) + " seq " +
           std::to_string(write.op.dot.seq));
    if (node.table->get(write.op.key, wall()).state == SessionState::ended)
      node.seen_ended.push_back(write.op.key);
    if (!node.seen_ended.empty() &&
        node.table->get(node.seen_ended[random(node.seen_ended.size())], wall()).state != SessionState::ended)
      fail("an ended session came back");
  }
}

void World::check_caught_up(size_t index) {
  const Node& node = nodes_[index];
  for (const auto& [peer, had] : node.at_peer_up) {
    for (const Write& write : ledger_)
      if (replication::covers(had, write.op.dot) &&
          !(node.core->covers(write.op.dot) && includes(*node.tables, write)))
        fail("caught up without a write that a peer had");
  }
}

void World::check_end() {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    const std::string name = "node " + std::to_string(i);
    if (!node.core->caught_up()) return fail(name + " never caught up");
    if (node.core->peers() != nodes_.size() - (options_.insider ? 0 : 1))
      return fail(name + " misses a peer");
    const bool retired = node.core->counters().logs_retired + nodes_[0].core->counters().logs_retired > 0;
    if (!retired && node.core->vector_digest() != nodes_[0].core->vector_digest())
      return fail(name + ": vectors differ");
    if (node.table->content_hash(wall()) != nodes_[0].table->content_hash(wall()))
      return fail(name + ": sessions differ");
    if (node.tables->caches().content_hash(wall()) != nodes_[0].tables->caches().content_hash(wall()))
      return fail(name + ": caches differ");
    if (node.core->bytes_held() > options_.replication.ring.max_bytes)
      return fail(name + ": ring over its limit");
    for (const Write& write : ledger_) {
      if ((write.acked || write.journaled) && !includes(*node.tables, write))
        return fail(name + (write.journaled ? " lost a write of a journal" : " lost an acknowledged write"));
    }
    for (const Marked& marked : marked_) {
      // A mark or a session that only its dead node had is lost, as any write that nobody acknowledged.
      const Write& created = ledger_[marked.created];
      const auto mark = node.table->state_of(StoreId::mark, marked.scope);
      if (!mark || store::Mark::decode(*mark)->hlc < marked.hlc || !includes(*node.tables, created)) continue;
      // Of several sessions of one key, which only this world makes, the first is the one.
      const auto entry = SessionEntry::decode(*node.table->state_of(StoreId::session, created.op.key));
      if (entry->created_by != store::entry_of(created.op)->created_by) continue;
      if (node.table->get(created.op.key, wall()).state == SessionState::live)
        return fail("a marked session is live");
    }
    for (const Key& key : node.seen_ended)
      if (node.table->get(key, wall()).state != SessionState::ended)
        return fail("an ended session came back");
  }
}

std::string World::summary() const {
  replication::Counters counters;
  for (const Node& node : nodes_)
    if (node.core) counters = node.core->counters();
  return std::to_string(ledger_.size()) + " writes, " + std::to_string(kills_) + " kills, " +
         std::to_string(full_stops_) + " full stops, " + std::to_string(messages_) +
         " messages; one node: " + std::to_string(counters.ranges_asked) + " ranges, " +
         std::to_string(counters.snapshots_taken) + " snapshots, " +
         std::to_string(counters.snapshots_aborted) + " aborted, " + std::to_string(counters.debts_written) +
         " debts";
}

}  // namespace kith::scenario
