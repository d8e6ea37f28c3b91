#include "cluster/cluster.h"

#include <algorithm>

#include "base/check.h"
#include "base/codec.h"
#include "cluster/node_key.h"
#include "cluster/replicated_sessions.h"
#include "crypto/hash.h"

namespace kith::cluster {
namespace {

using mesh::Channel;
using mesh::Lane;
using replication::Priority;

// How much may lie in a link's queue before the cores are asked for more: enough to keep the socket
// busy, little enough that an urgent write is not far behind.
constexpr size_t kUrgentQueue = 128 << 10;
constexpr size_t kBulkQueue = 256 << 10;
// What messages of calls cost besides their payload may be as much again.
constexpr size_t kCallMemory = 2;
constexpr Duration kStartCheck = 50ms;
constexpr Duration kLastWords = 5s;  // to the journal, at the end
constexpr Duration kHousekeeping = 250ms;
constexpr size_t kMaxNames = 1024;
// Who has been silent for so long and is a member still, lives (a hang is decided in 1.4 s): the path to it
// is bad. What it writes comes through others then, and what is for it goes through others.
constexpr Duration kBadPath = 3s;
// Links are made anew after a rotation within this time for each member, so that the handshakes (a
// few milliseconds each, three links to a member) never keep a heartbeat waiting.
constexpr Duration kRenewSpread = 200ms;

Lane lane_of(Priority priority) {
  switch (priority) {
    case Priority::control: return Lane::control;
    case Priority::session: return Lane::session;
    case Priority::repair: return Lane::repair;
  }
  return Lane::repair;
}

// The address peers dial: as configured, else the one that is bound, with the port it got.
Multiaddr advertised(const std::optional<Multiaddr>& configured, const runtime::Listener& listener) {
  return configured ? *configured : Multiaddr::from(listener.local_endpoint());
}

bool is_unspecified(const Multiaddr& address) {
  auto ip = IpAddress::parse(address.host);
  return ip && ip->is_unspecified();
}

Result<Endpoint> bind_endpoint(const Multiaddr& address, const char* key) {
  if (address.is_name())
    return Error(Code::invalid, std::string(key) + ": a bind address is /ip4 or /ip6, not a name",
                 Side::config);
  KITH_TRY(IpAddress ip, IpAddress::parse(address.host));
  return Endpoint{ip, address.port};
}

membership::Config membership_config(const ClusterConfig& config) {
  membership::Config out;
  out.max_members = config.max_members;
  return out;
}

// Null: none is configured. What it holds is in the table then.
Result<std::unique_ptr<Journal>> open_journal(const ClusterConfig& config, const ClusterOptions& options,
                                              runtime::Ports& ports, store::Tables& tables, Log& log) {
  if (config.journal.directory.empty()) return std::unique_ptr<Journal>();
  const WallTime now = ports.loop.wall_now();
  return Journal::open(config.journal, *options.disk, ports.loop, ports.entropy,
                       {[&tables, now](const replication::Op& op) { tables.apply(op, now); },
                        [&tables, now](const replication::StateEntry& entry) { tables.apply(entry, now); }},
                       log.named("journal"));
}

uint64_t random_u64(runtime::Entropy& entropy) {
  uint8_t bytes[8];
  entropy.fill(bytes);
  return Reader(bytes).u64();
}

}  // namespace

// ---------------------------------------------------------------- opening

Result<std::unique_ptr<Cluster>> Cluster::open(ClusterConfig config, ClusterOptions options,
                                               runtime::Ports& ports, Log log) {
  std::string context = "cluster " + config.name;
  KITH_CHECK(config.discovery != ClusterConfig::Discovery::srv || options.dns != nullptr);
  KITH_CHECK(config.journal.directory.empty() || options.disk != nullptr);
  auto key = config.node_key_file.empty() && options.key_without_file
                 ? Result<crypto::SigningKey>(*options.key_without_file)
                 : load_node_key(config.node_key_file, ports.files, ports.entropy, log);
  if (!key) return std::move(key).error().within(context);
  LinkTable::Listeners listeners;
  auto listen = [&](const Multiaddr& at, const char* what,
                    std::unique_ptr<runtime::Listener>& out) -> Result<void> {
    KITH_TRY(Endpoint endpoint, bind_endpoint(at, what));
    KITH_TRY(out, ports.network.listen(endpoint));
    return {};
  };
  auto bound = listen(config.membership, "addresses.membership", listeners.membership);
  if (bound) bound = listen(config.data, "addresses.data", listeners.data);
  if (!bound) return std::move(bound).error().within(context);

  membership::NodeRecord record;
  record.key = key->public_key();
  record.id = crypto::node_id(record.key);
  auto tables = std::make_unique<store::Tables>(options.limits, options.cache_limits, record.id);
  auto journal = open_journal(config, options, ports, *tables, log);
  if (!journal) return std::move(journal).error().within(context);
  // A clock that went back makes no earlier life of it.
  const auto by_clock = static_cast<uint64_t>(unix_ms(ports.loop.wall_now()));
  record.incarnation = std::max(by_clock, *journal ? (*journal)->last_incarnation() + 1 : 0);
  record.name = options.node_name;
  record.software = options.software;
  record.region = options.region;
  record.zone = options.zone;
  record.min_version = mesh::kMinVersion;
  record.max_version = mesh::kMaxVersion;
  record.membership = advertised(config.advertise_membership, *listeners.membership);
  record.data = advertised(config.advertise_data, *listeners.data);
  return std::unique_ptr<Cluster>(new Cluster(std::move(config), std::move(options), ports,
                                              std::move(listeners), std::move(*key), record,
                                              std::move(tables), std::move(*journal), std::move(log)));
}

Cluster::Cluster(ClusterConfig config, ClusterOptions options, runtime::Ports& ports,
                 LinkTable::Listeners listeners, crypto::SigningKey key, const membership::NodeRecord& record,
                 std::unique_ptr<store::Tables> tables, std::unique_ptr<Journal> journal, Log log)
    : config_(std::move(config)),
      options_(std::move(options)),
      ports_(ports),
      log_(std::move(log)),
      key_(std::move(key)),
      keys_(config_.name, config_.rotation, config_.psks, options_.cookie_memory, log_, ports.loop.now()),
      admission_(config_.admission, record.id),
      tls_(crypto::make_psk_context()),
      self_(record.replica()),
      membership_(membership_config(config_), key_, record, random_u64(ports.entropy), ports.loop.now()),
      own_tables_(std::move(tables)),
      tables_(*own_tables_),
      table_(tables_.sessions()),
      journal_(std::move(journal)),
      replication_({.cluster = config_.name, .tell_records = journal_ != nullptr}, self_, key_, tables_,
                   ports.loop.now()),
      links_(
          ports_, scope_, std::move(listeners), [this] { return link_config(); },
          options_.doorkeeper ? options_.doorkeeper : std::make_shared<Doorkeeper>(), self_.node, *this,
          log_),
      hub_(ports_.loop, *this, self_.node, log_),
      calls_(ports_.loop, scope_,
             [this](NodeId to, uint8_t type, ByteView payload, size_t most) {
               if (!links_.has(to, Channel::urgent)) return Calls::Sent::no_link;
               if (links_.queued_bytes(to, Channel::urgent, Lane::cache) >= most ||
                   links_.queue_memory(to, Channel::urgent) >= kCallMemory * most)
                 return Calls::Sent::full;
               links_.send(to, Channel::urgent, Lane::cache, type, payload);
               return Calls::Sent::yes;
             }),
      leadership_(
          config_.failover, self_.node, random_u64(ports.entropy), ports_.loop,
          [this](NodeId to, uint8_t type, ByteView payload) {
            links_.send(to, Channel::urgent, Lane::control, type, payload);
          },
          log_.named("leader")),
      sessions_(std::make_unique<ReplicatedSessions>(*this)),
      cache_(*this),
      boot_nonce_(random_u64(ports.entropy)),
      started_(ports.loop.now()),
      view_changed_(ports.loop.now()) {
  names_[self_.node] = options_.node_name;
  applied_.note(self_);
  if (journal_) replication_.recover(journal_->take_recovered(), ports.loop.now());
  membership_.set_keys(keys_.rotation().held(), ports.loop.now());
  membership_.set_bans(admission_.own_bans(), ports.loop.now());
}

Cluster::~Cluster() = default;

mesh::LinkConfig Cluster::link_config() {
  return {.cluster = config_.name,
          .key = key_,
          .incarnation = self_.incarnation,
          .boot_nonce = boot_nonce_,
          .record = membership_.self_record(),
          .keyring = keys_.keyring(),
          .tls = tls_};
}

void Cluster::start() {
  started_ = view_changed_ = ports_.loop.now();
  bool by_dns = config_.discovery == ClusterConfig::Discovery::srv;
  for (const Multiaddr& seed : config_.seeds) {
    if (!by_dns && membership_.add_seed(seed)) untried_.insert(seed);
  }
  links_.start();
  log_.info("cluster started", {{"node", options_.node_name},
                                {"id", self_.node.hex()},
                                {"membership", links_.membership_endpoint().text()},
                                {"data", links_.data_endpoint().text()},
                                {"discovery", by_dns ? "srvdns" : "static"},
                                {"seeds", untried_.size()}});
  if (by_dns) {
    discovering_ = true;
    Discovery::Owner& owner = *this;
    discovery_.emplace(config_.srv, ports_, *options_.dns, owner, log_);
    scope_.spawn(discovery_->run(scope_.stop_token()));
  }
  if (journal_) journal_->start(replication_, tables_, [this] { wake_journaled(); });
  watch_start();
  housekeeping();
  pump();
}

// ---------------------------------------------------------------- what DNS says

void Cluster::found(const Multiaddr& address) {
  bool is_seed = membership_.add_seed(address, membership::Core::SeedKind::found);
  if (is_seed && discovering_) untried_.insert(address);
  pump();
}

void Cluster::first_answers() {
  discovering_ = false;
  pump();
}

// ---------------------------------------------------------------- the pump

void Cluster::pump() {
  if (pumping_) {
    pump_again_ = true;
    return;
  }
  pumping_ = true;
  do {
    pump_again_ = false;
    pump_membership();
    pump_replication();
    if (std::exchange(admission_changed_, false)) admit_anew();
    if (std::exchange(leadership_view_changed_, false)) note_reachable();
    tend_keys();
  } while (pump_again_);
  pumping_ = false;
  arm_timers();
}

void Cluster::pump_membership() {
  // Drained in this order: what is said, what happened, whom to call.
  for (;;) {
    if (auto transmit = membership_.poll_transmit()) {
      links_.send(transmit->to, Channel::membership, Lane::control, transmit->type, transmit->payload);
    } else if (auto event = membership_.poll_event()) {
      on_event(*event);
    } else if (auto dial = membership_.poll_dial()) {
      links_.dial(*dial, membership::Config{}.dial_timeout);
    } else {
      return;
    }
  }
}

void Cluster::note_reachable() {
  std::vector<membership::Member> view = membership_.members();
  std::erase_if(view, [this](const membership::Member& member) {
    return !member.self && !links_.has(member.record.id, Channel::urgent);
  });
  leadership_.view_changed(view);
  // Not who is damped here: each node counts that for itself, and for itself never, and two homes would
  // decide for one key.
  homes_.clear();
  for (const membership::Member& member : view)
    if (member.record.state == membership::State::ready) homes_.push_back(member.record.id);
}

void Cluster::pump_replication() {
  while (auto event = replication_.poll_event()) on_event(std::move(*event));
  if (journal_) journal_->flush();
  if (std::exchange(marks_changed_, false)) {  // once for however many came
    const WallTime now = ports_.loop.wall_now();
    sessions_->watches().ended_if([&](const store::Key& watched) { return table_.is_revoked(watched, now); });
  }
  if (!replication_.had_input()) return;  // most of what comes is heartbeats
  for (NodeId peer : replication_.present()) fill_links(peer);
}

void Cluster::fill_links(NodeId peer) {
  for (Priority priority : {Priority::control, Priority::session, Priority::repair}) {
    bool bulk = priority == Priority::repair;
    Channel channel = bulk ? Channel::bulk : Channel::urgent;
    size_t cap = bulk ? kBulkQueue : kUrgentQueue;
    if (!links_.has(peer, channel)) continue;
    // Not what else waits there: lanes are served in their order, and calls may have much in theirs.
    auto queued = [&] {
      if (bulk) return links_.queued_bytes(peer, channel, Lane::repair);
      return links_.queued_bytes(peer, channel, Lane::control) +
             links_.queued_bytes(peer, channel, Lane::session);
    };
    while (queued() < cap) {
      auto transmit = replication_.poll_transmit(peer, priority);
      if (!transmit) break;
      links_.send(peer, channel, lane_of(priority), transmit->type, transmit->payload);
    }
  }
}

void Cluster::arm_timers() {
  auto arm = [this](Alarm& alarm, MonoTime when, auto&& fire) {
    if (std::exchange(alarm.when, when) == when) return;
    alarm.timer.reset();
    if (when != kNever && !scope_.stopping()) alarm.timer = ports_.loop.call_at(when, fire);
  };
  arm(membership_alarm_, membership_.poll_timeout(), [this] {
    membership_alarm_.when = kNever;
    membership_.handle_timeout(ports_.loop.now());
    pump();
  });
  arm(replication_alarm_, replication_.poll_timeout(), [this] {
    replication_alarm_.when = kNever;
    replication_.handle_timeout(ports_.loop.now());
    pump();
  });
}

// ---------------------------------------------------------------- keys

Result<bool> Cluster::reload_keys(const std::vector<crypto::Secret>& psks) {
  KITH_TRY(bool news, keys_.rotation().reload(psks, ports_.loop.now()));
  pump();
  return news;
}

void Cluster::tend_keys() {
  MonoTime now = ports_.loop.now();
  KeyStore::Changes changes = keys_.settle([this](NodeId node) { return name_of(node); }, now);
  if (!changes.keyring) return;
  pump_again_ = true;
  membership_.set_keys(keys_.rotation().held(), now);
  for (const KeyId& key : changes.retired) links_.cut_made_with(key);
  links_.renew(keys_.keyring()->offered().id, kRenewSpread * membership_.live_members());
}

// ---------------------------------------------------------------- events of the links

void Cluster::membership_link_up(const mesh::Established& peer, const IpAddress& local) {
  MonoTime now = ports_.loop.now();
  membership_.link_up(peer.peer, peer.record, now);
  // Bound to "any address": the first link shows which of ours is reachable.
  membership::NodeRecord self = membership_.self();
  if (is_unspecified(self.membership) || is_unspecified(self.data)) {
    for (Multiaddr* address : {&self.membership, &self.data})
      if (is_unspecified(*address)) *address = Multiaddr::from({local, address->port});
    membership_.set_addresses(self.membership, self.data, now);
  }
  pump();
}

void Cluster::membership_link_down(NodeId peer, bool goodbye) {
  membership_.link_down(peer, goodbye ? membership::LinkEnd::goodbye : membership::LinkEnd::closed,
                        ports_.loop.now());
  pump();
}

void Cluster::dial_done(const Multiaddr& address, membership::DialOutcome outcome,
                        std::optional<NodeId> peer) {
  untried_.erase(address);
  absences_.dialled(address, outcome, ports_.loop.wall_now());
  membership_.dial_result(address, outcome, ports_.loop.now(), peer);
  pump();
}

void Cluster::link_refused(const Refused& refusal) { absences_.refused(refusal, ports_.loop.wall_now()); }

bool Cluster::forget(NodeId node) {
  if (membership_.member(node) != nullptr) return false;
  bool known = absences_.nodes().contains(node);
  absences_.forget(node);
  bool remembered = membership_.forget(node, ports_.loop.now());
  pump();
  return known || remembered;
}

mesh::Refusal Cluster::admission(NodeId peer) { return admission_.judge(peer); }

bool Cluster::reload_admission(const AdmissionConfig& admission) {
  if (!admission_.reload(admission)) return false;
  membership_.set_bans(admission_.own_bans(), ports_.loop.now());
  admission_changed_ = true;
  pump();
  return true;
}

// A member as the view shows it now: linked with, or turned away. What it bans may change what holds of
// others.
void Cluster::admit(const membership::NodeRecord& record) {
  if (admission_.member(record.id, record.bans)) admission_changed_ = true;
  if (const mesh::Refusal why = admission_.judge(record.id); why != mesh::Refusal::none) {
    keys_.rotation().member_gone(record.id, true, ports_.loop.now());
    links_.forget(record.id);
    if (links_.expel(record.id, why))
      log_.warn("a member has to go",
                {{"peer", record.name}, {"id", record.id.hex()}, {"reason", to_string(why)}});
    return;
  }
  keys_.rotation().member(record.id, record.keys, ports_.loop.now());
  links_.keep_data_links(record.replica(), record.data);
}

void Cluster::admit_anew() {
  for (const membership::Member& member : membership_.members())
    if (!member.self) admit(member.record);
  const bool banned = admission_.judge(self_.node) != mesh::Refusal::none;
  if (banned && !said_banned_) log_.error("this node is banned", {{"id", self_.node.hex()}});
  said_banned_ = banned;
}

bool Cluster::is_member(const Replica& peer) {
  const membership::NodeRecord* record = membership_.member(peer.node);
  return record != nullptr && record->incarnation == peer.incarnation;
}

// Replication with a peer lives as long as the urgent link: it begins there, on both sides, with the
// first thing each tells the other, so nothing that comes over the link finds nobody. Only answers to
// what was asked there come over the bulk link. When one of the two ends, both start over.
void Cluster::data_link_up(NodeId peer, Channel channel) {
  leadership_view_changed_ = true;
  if (channel == Channel::urgent) {
    if (const membership::NodeRecord* record = membership_.member(peer)) {
      replication_.peer_up(record->replica(), ports_.loop.now());
      wake_all_waiters();
    }
  } else {
    fill_links(peer);  // replication may have waited for it
  }
  log_.debug("data link up", {{"peer", peer.hex()}, {"channel", static_cast<int>(channel)}});
  pump();
}

void Cluster::data_link_down(NodeId peer, Channel channel) {
  leadership_view_changed_ = true;
  replication_.peer_down(peer, ports_.loop.now());
  if (channel == Channel::bulk) hub_.peer_lost(peer);
  if (channel == Channel::urgent) calls_.peer_lost(peer);
  links_.drop_data(peer);
  wake_all_waiters();
  pump();
}

void Cluster::link_message(NodeId peer, Channel channel, const mesh::Message& message) {
  MonoTime now = ports_.loop.now();
  Result<void> handled;
  if (channel == Channel::membership) {
    handled = membership_.handle_message(peer, message.type, message.payload, now);
  } else {
    membership_.heard(peer, now);
    if (message.type >= kForwardFirst && message.type <= kForwardLast) {
      hub_.handle_message(peer, message.type, message.payload);
    } else if (message.type >= kCallsFirst && message.type <= kCallsLast) {
      handled = calls_.handle_message(peer, message.type, message.payload);
    } else if (message.type >= lease::kLeaseFirst && message.type <= lease::kLeaseLast) {
      handled = leadership_.handle_message(peer, message.type, message.payload);
    } else {
      handled = replication_.handle_message(peer, message.type, message.payload, now);
    }
  }
  if (!handled) {
    log_.warn("a member sent a message that is not valid; its link is closed",
              {{"peer", peer.hex()}, {"error", handled.error().message()}});
    if (channel == Channel::membership) {
      links_.drop_membership(peer);
      membership_.link_down(peer, membership::LinkEnd::closed, now);
    } else {
      links_.drop_data(peer);
    }
  }
  pump();
}

void Cluster::link_drained(NodeId peer, Channel channel) {
  if (channel == Channel::membership) return;
  fill_links(peer);
  if (channel == Channel::urgent) calls_.link_drained(peer);
}

// ---------------------------------------------------------------- events of the cores

void Cluster::on_event(const membership::Event& event) {
  leadership_view_changed_ = true;
  MonoTime now = ports_.loop.now();
  if (const auto* up = std::get_if<membership::MemberUp>(&event)) {
    view_changed_ = now;
    {
      std::lock_guard lock(names_mutex_);
      if (names_.size() >= kMaxNames) names_.clear();
      names_[up->record.id] = up->record.name;
    }
    applied_.note(up->record.replica());
    absences_.member_up(up->record);
    log_.info("member joined", {{"peer", up->record.name},
                                {"id", up->record.id.hex()},
                                {"address", up->record.membership.text()},
                                {"state", to_string(up->record.state)},
                                {"members", membership_.live_members()}});
    admit(up->record);
  } else if (const auto* changed = std::get_if<membership::MemberChanged>(&event)) {
    view_changed_ = now;
    absences_.member_up(changed->record);
    log_.info("member changed",
              {{"peer", changed->record.name}, {"state", to_string(changed->record.state)}});
    admit(changed->record);
  } else if (const auto* down = std::get_if<membership::MemberDown>(&event)) {
    view_changed_ = now;
    absences_.member_down(down->node, down->why, ports_.loop.wall_now());
    log_.warn("member is gone", {{"peer", name_of(down->node)},
                                 {"id", down->node.hex()},
                                 {"reason", to_string(down->why)},
                                 {"members", membership_.live_members()}});
    keys_.rotation().member_gone(down->node, down->why == membership::DownReason::left, now);
    silent_.erase(down->node);
    admission_.member_gone(down->node);
    links_.forget(down->node);
    applied_.forget_lives(down->node, [this](const Replica& life) { return !replication_.remembers(life); });
  } else if (const auto* drop = std::get_if<membership::DropLink>(&event)) {
    links_.drop_membership(drop->node);
  } else if (const auto* unreachable = std::get_if<membership::Unreachable>(&event)) {
    silent_.try_emplace(unreachable->node, now);
    log_.warn("member is not reachable from here", {{"peer", name_of(unreachable->node)}});
  } else if (const auto* reachable = std::get_if<membership::Reachable>(&event)) {
    silent_.erase(reachable->node);
    links_.set_path(reachable->node, true);
    log_.info("member is reachable", {{"peer", name_of(reachable->node)}});
  } else if (const auto* outdated = std::get_if<membership::Outdated>(&event)) {
    log_.error("another process uses this node key, or the clock went back: this node leaves the cluster",
               {{"incarnation", outdated->incarnation}});
    phase_ = Phase::left;
  } else if (const auto* away = std::get_if<membership::TurnedAway>(&event)) {
    absences_.turned_away(away->record, ports_.loop.wall_now());
    log_.warn("the cluster is full: a node was turned away",
              {{"peer", away->record.name}, {"max_members", config_.max_members}});
  }
}

void Cluster::note_merge(const store::Key& key, store::Merged merged) {
  if (merged == store::Merged::ended) sessions_->watches().ended(key);
  if (merged == store::Merged::marked) marks_changed_ = true;
}

void Cluster::on_event(replication::Event event) {
  WallTime now = ports_.loop.wall_now();
  if (auto* apply = std::get_if<replication::Apply>(&event)) {
    note_merge(apply->op.key, tables_.apply(apply->op, now));
    if (journal_) journal_->op(apply->op.dot, apply->record);
  } else if (auto* appended = std::get_if<replication::Appended>(&event)) {
    if (journal_) journal_->op(appended->dot, appended->record);
  } else if (auto* state = std::get_if<replication::ApplyState>(&event)) {
    note_merge(state->entry.key, tables_.apply(state->entry, now));
    if (journal_) journal_->state(state->entry, state->pulled);
  } else if (auto* adopted = std::get_if<replication::Adopted>(&event)) {
    if (journal_) journal_->adopted(adopted->origin, adopted->coverage);
  } else if (auto* clipped = std::get_if<replication::Clipped>(&event)) {
    if (journal_) journal_->clipped(clipped->origin, clipped->last);
  } else if (std::get_if<replication::Settled>(&event) != nullptr) {
    if (journal_) journal_->settled();
  } else if (auto* covered = std::get_if<replication::Covered>(&event)) {
    applied_.note(covered->origin, covered->prefix);
    cache_.note_applied({covered->origin, covered->prefix});
    wake_applied(covered->origin);
  } else if (auto* claim = std::get_if<replication::FalseClaim>(&event)) {
    log_.warn("a member says that it has writes of this node that were never made",
              {{"peer", name_of(claim->peer)}, {"id", claim->peer.hex()}});
  } else if (auto* forgotten = std::get_if<replication::Forgotten>(&event)) {
    applied_.forget(forgotten->origin);
  } else if (std::get_if<replication::AckProgress>(&event) != nullptr) {
    wake_acknowledged();
  } else if (auto* pulled = std::get_if<replication::Pulled>(&event)) {
    if (auto it = pulled_.find(pulled->request); it != pulled_.end()) {
      it->second = *pulled;
      pulled_event_.notify_all();
    }
  } else {
    become_ready();  // CaughtUp
  }
}

// ---------------------------------------------------------------- becoming ready

// A node that starts takes the state of the others first. When there is nobody older, all found the
// cluster together; when nobody answers at all, it founds it alone.
Cluster::Around Cluster::look_around() const {
  Around around;
  const auto linked = replication_.present();
  for (const membership::Member& member : membership_.members()) {
    if (member.self) continue;
    if (member.record.state != membership::State::joining) around.ready = member.record.name;
    if (std::find(linked.begin(), linked.end(), member.record.id) == linked.end())
      around.unlinked = member.record.name;
  }
  return around;
}

void Cluster::watch_start() {
  MonoTime now = ports_.loop.now();
  if (replication_.caught_up() || phase_ != Phase::syncing) return;
  for (const membership::Member& member : membership_.members())
    untried_.erase(member.record.membership);  // it found us first, and is not dialled any more
  const Around around = look_around();
  bool quiet = now - view_changed_ >= options_.founding_grace;
  if (!around.ready && !around.unlinked && quiet && !discovering_ && untried_.empty()) {
    replication_.allow_founding(now);
    pump();
  }
  if (now - started_ >= options_.sync_deadline && phase_ == Phase::syncing) sync_is_late(around, now);
  if (phase_ == Phase::syncing) start_timer_ = ports_.loop.call_after(kStartCheck, [this] { watch_start(); });
}

// While a member that is ready lives, it has what we lack, and we are not ready without that. Otherwise all
// that is left of the cluster is as new as we are, and somebody has to begin.
void Cluster::sync_is_late(const Around& around, MonoTime now) {
  if (around.ready) {
    if (now < next_sync_warning_) return;
    next_sync_warning_ = now + options_.sync_deadline;
    log_.warn("still catching up: not ready before this node has what a ready member has",
              {{"ready_member", *around.ready}, {"no_data_link_to", around.unlinked.value_or("")}});
    return;
  }
  degraded_ = around.unlinked.has_value();
  replication_.allow_founding(now);
  pump();
  if (phase_ != Phase::syncing) return;
  degraded_ = true;
  become_ready();
}

void Cluster::become_ready() {
  if (phase_ != Phase::syncing) return;
  phase_ = Phase::ready;
  leadership_view_changed_ = true;
  membership_.set_state(membership::State::ready, ports_.loop.now());
  if (degraded_) {
    log_.warn("ready, but degraded: nobody who was ready is left, and what others still hold has not come",
              {{"no_data_link_to", look_around().unlinked.value_or("")}, {"sessions", table_.size()}});
  } else {
    log_.info("ready: caught up with the cluster",
              {{"members", membership_.live_members()}, {"sessions", table_.size()}});
  }
  pump();
}

void Cluster::housekeeping() {
  const WallTime wall = ports_.loop.wall_now();
  table_.sweep(wall);
  tables_.caches().sweep(wall);
  cache_.tend();
  if (journal_) journal_->tend();
  std::erase_if(applied_waiters_, [](const auto& each) { return each.second.empty(); });
  wake_all_waiters();
  if (degraded_ && replication_.caught_up() && !look_around().unlinked) {
    degraded_ = false;
    log_.info("no longer degraded: all members are linked and nothing is missing");
  }
  MonoTime now = ports_.loop.now();
  if (now >= keys_.rotation().poll_timeout()) {
    keys_.rotation().handle_timeout(links_.keys_in_use(), now);
    pump();
  }
  links_.renew(keys_.keyring()->offered().id, kRenewSpread * membership_.live_members());
  leave_bad_paths();
  house_timer_ = ports_.loop.call_after(kHousekeeping, [this] { housekeeping(); });
}

// A member that is damped is heard and only avoided: its links stay, they may be all that it has.
void Cluster::leave_bad_paths() {
  if (silent_.empty()) return;
  std::vector<NodeId> bad;
  for (const membership::Member& member : membership_.members()) {
    auto since = silent_.find(member.record.id);
    if (since == silent_.end() || member.damped) continue;
    if (ports_.loop.now() - since->second >= kBadPath) bad.push_back(member.record.id);
  }
  for (const NodeId& node : bad) links_.set_path(node, false);
}

// ---------------------------------------------------------------- acknowledgement, leaving

Cluster::Acks Cluster::acks_of(uint64_t seq, AckLevel level) const {
  if (level != AckLevel::zone) return {replication_.peers(), replication_.acked_by(seq)};
  const membership::NodeRecord& self = membership_.self();
  auto is_elsewhere = [&](const NodeId& node) {
    const membership::NodeRecord* record = membership_.member(node);
    return record != nullptr && (record->region != self.region || record->zone != self.zone);
  };
  auto count = [&](const std::vector<NodeId>& nodes) {
    return static_cast<size_t>(std::count_if(nodes.begin(), nodes.end(), is_elsewhere));
  };
  return {count(replication_.present()), count(replication_.holders(Dot{self_, seq}))};
}

bool Cluster::has_acks(uint64_t seq, AckLevel level) const {
  const Acks acks = acks_of(seq, level);
  return acks.asked == 0 || acks.have >= (level == AckLevel::all ? acks.asked : 1);
}

// Who waits for more than the last write that has come there, waits on, unless what has come has gaps.
void Cluster::wake_acknowledged() {
  for (auto& [level, waiters] : ack_waiters_) {
    if (level == AckLevel::journal || level == AckLevel::fsync) continue;
    auto holds = [this, level = level](uint64_t seq) { return has_acks(seq, level); };
    waiters.wake_while(holds);
    if (!waiters.empty() && holds(waiters.highest())) waiters.wake_all();
  }
}

void Cluster::wake_journaled() {
  const bool works = journal_->whole();
  ack_waiters_[AckLevel::journal].wake_while(
      [&](uint64_t seq) { return !works || journal_->written() >= seq; });
  ack_waiters_[AckLevel::fsync].wake_all();  // each asks for its sync again
}

void Cluster::wake_applied(const Replica& origin) {
  auto waiters = applied_waiters_.find(origin);
  if (waiters == applied_waiters_.end()) return;
  const auto applied = replication_.applied().find(origin);
  if (applied != replication_.applied().end() && !applied->second.above().empty()) {
    waiters->second.wake_all();
  } else {
    waiters->second.wake_while([&](uint64_t seq) { return replication_.covers({origin, seq}); });
  }
}

// Whose levels may ask others now. In housekeeping, also for what waits above a gap.
void Cluster::wake_all_waiters() {
  for (auto& [level, waiters] : ack_waiters_) waiters.wake_all();
}

void Cluster::note_nobody_asked(AckLevel level) {
  if (!nobody_asked_.insert(level).second) return;
  if (level == AckLevel::zone) {
    log_.warn("no member of another zone to acknowledge writes: one of this zone is enough for now");
  } else {
    log_.warn("no other member to acknowledge writes: they are held on this node alone for now");
  }
}

Dot Cluster::write(replication::Op op) {
  const Dot dot = replication_.append(std::move(op), ports_.loop.now());
  applied_.note(dot.origin, dot.seq);
  cache_.note_applied(dot);
  return dot;
}

runtime::Task<bool> Cluster::wait_applied(Dot position, MonoTime deadline) {
  while (!replication_.covers(position)) {
    bool woken = co_await applied_waiters_[position.origin].wait(ports_.loop, position.seq, deadline,
                                                                 scope_.stop_token());
    if (!woken) break;
  }
  co_return replication_.covers(position);
}

runtime::Task<bool> Cluster::wait_journal(uint64_t seq, bool synced, MonoTime deadline) {
  while (journal_ && journal_->whole()) {
    if ((synced ? journal_->synced() : journal_->written()) >= seq) co_return true;
    if (synced) {
      journal_->want_sync();
      journal_->flush();
    }
    const AckLevel level = synced ? AckLevel::fsync : AckLevel::journal;
    bool woken = co_await ack_waiters_[level].wait(ports_.loop, seq, deadline, scope_.stop_token());
    if (!woken) break;
  }
  co_return false;
}

runtime::Task<bool> Cluster::wait_acks(uint64_t seq, AckLevel level, MonoTime deadline) {
  if (level == AckLevel::journal || level == AckLevel::fsync)
    co_return co_await wait_journal(seq, level == AckLevel::fsync, deadline);
  bool counted = false;
  while (level != AckLevel::local) {
    const Acks acks = acks_of(seq, level);
    if (acks.asked == 0) {
      note_nobody_asked(level);
      if (!std::exchange(counted, true)) ++unacknowledged_writes_;
      level = level == AckLevel::zone ? AckLevel::one : AckLevel::local;
      continue;
    }
    nobody_asked_.erase(level);
    if (has_acks(seq, level)) co_return true;
    bool woken = co_await ack_waiters_[level].wait(ports_.loop, seq, deadline, scope_.stop_token());
    if (!woken) co_return false;
  }
  co_return true;
}

void Cluster::set_draining() {
  if (phase_ != Phase::syncing && phase_ != Phase::ready) return;
  phase_ = Phase::draining;
  leadership_.resign();
  membership_.set_state(membership::State::draining, ports_.loop.now());
  pump();
}

runtime::Task<void> Cluster::leave(MonoTime deadline) {
  set_draining();
  bool handed_over = co_await wait_acks(replication_.own_seq(), AckLevel::all, deadline);
  if (!handed_over)
    log_.warn(
        "leaving although not every member has confirmed the last writes",
        {{"confirmed_by", replication_.acked_by(replication_.own_seq())}, {"members", replication_.peers()}});
  phase_ = Phase::left;
  links_.stop_listening();
  membership_.set_state(membership::State::left, ports_.loop.now());
  pump();
  links_.say_goodbye();
  co_await runtime::sleep(ports_.loop, 50ms);  // the last words leave the socket buffers
  log_.info("left the cluster", {{"handed_over", handed_over}});
}

runtime::Task<void> Cluster::stop() {
  links_.stop_listening();
  calls_.stop();
  co_await scope_.close();
  membership_alarm_.timer.reset();
  replication_alarm_.timer.reset();
  start_timer_.reset();
  house_timer_.reset();
  leadership_.stop();
  if (journal_) {
    bool kept = co_await journal_->close(ports_.loop.now() + kLastWords);
    if (!kept) log_.warn("the last writes did not reach the journal", {{"reason", journal_->failing()}});
  }
}

// ---------------------------------------------------------------- for the forward hub

bool Cluster::has_link(NodeId peer) { return links_.has(peer, Channel::bulk); }

void Cluster::send_forward(NodeId peer, ForwardType type, ByteView payload) {
  if (links_.queue_memory(peer, Channel::bulk) > options_.max_bulk_queue) {
    log_.warn("a member does not take what is forwarded; its link is closed", {{"peer", name_of(peer)}});
    links_.drop_data(peer);
    return;
  }
  links_.send(peer, Channel::bulk, Lane::stream, static_cast<uint8_t>(type), payload);
}

std::string Cluster::name_of(NodeId peer) {
  std::lock_guard lock(names_mutex_);
  auto it = names_.find(peer);
  return it == names_.end() ? std::string() : it->second;
}

}  // namespace kith::cluster
