// Cluster: one entry of `clusters:`, running. It pumps the pure cores (membership, replication, the
// session table) over the links and hands the result to the gateway as a SessionStore and a Forwarder.
// Everything here runs on the control loop unless it says otherwise.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "cluster/absences.h"
#include "cluster/applied_view.h"
#include "cluster/calls.h"
#include "cluster/config.h"
#include "cluster/discovery.h"
#include "cluster/forward_hub.h"
#include "cluster/journal.h"
#include "cluster/key_store.h"
#include "cluster/leadership.h"
#include "cluster/link_table.h"
#include "cluster/replicated_cache.h"
#include "cluster/session_store.h"
#include "cluster/waiters.h"
#include "membership/core.h"
#include "replication/core.h"
#include "store/tables.h"

namespace kith::cluster {

struct ClusterOptions {
  std::string node_name;
  std::string software;  // "kith/0.1.0"
  std::string region, zone;
  // Who the node is in a cluster without nodeKey.file; absent: somebody new. One key for all of them lets a
  // node be recognised in two clusters, which is how a request finds its way through another one.
  std::optional<crypto::SigningKey> key_without_file;
  runtime::Dns* dns = nullptr;    // outlives the cluster; needed for discovery by DNS
  runtime::Disk* disk = nullptr;  // likewise; needed for a journal
  store::SessionLimits limits;
  store::CacheLimits cache_limits;
  // A start that takes longer is warned about while a ready member has what is missing; when none is left,
  // the node serves with what it has.
  Duration sync_deadline = 10s;
  // What may wait for a member that does not take it: beyond, its link is closed and the requests in it
  // fail. Above all that 256 requests with whole windows have in flight.
  size_t max_bulk_queue = 256 << 20;
  Duration cookie_memory = 24h;  // how long a cookie stays readable after its key was retired
  // Of this process; made when null.
  std::shared_ptr<Doorkeeper> doorkeeper;
  Duration founding_grace = 500ms;  // how long a quiet start waits for somebody older
};

enum class Phase : uint8_t { syncing, ready, draining, left };

class Cluster final : LinkTable::Events, ForwardHub::Links, Discovery::Owner {
 public:
  // Reads or makes the node key and binds both channels. Errors name what is wrong.
  static Result<std::unique_ptr<Cluster>> open(ClusterConfig config, ClusterOptions options,
                                               runtime::Ports& ports, Log log);
  ~Cluster() override;

  void start();
  // The graceful end: writes are handed to the others, then the members are told. stop() follows.
  runtime::Task<void> leave(MonoTime deadline);
  // Tells members and load balancers that this node goes; writes still work.
  void set_draining();
  runtime::Task<void> stop();

  // From any thread.
  Phase phase() const { return phase_.load(); }
  // Ready because nobody who was ready is left, not because all that the others hold is here.
  bool degraded() const { return degraded_.load(); }
  Standing standing(MonoTime now) const { return leadership_.standing(now); }
  bool fresh(MonoTime now) const { return leadership_.fresh(now); }
  SessionStore& sessions() { return *sessions_; }
  ReplicatedCache& cache() { return cache_; }
  Forwarder& forwarder() { return hub_; }
  ForwardHub& hub() { return hub_; }
  // The node, member or past, whose id starts with the prefix.
  std::optional<NodeId> find_node(ByteView prefix) const { return applied_.find(prefix); }
  // Keys for cookies and codes, the same on all nodes. They change while keys rotate: the first, which signs,
  // derives from a key that every member holds, and what was signed before stays readable.
  std::shared_ptr<const CookieKeys> cookie_keys() const { return keys_.cookie_keys(); }
  const std::string& name() const { return config_.name; }
  NodeId id() const { return self_.node; }
  Endpoint membership_endpoint() const { return links_.membership_endpoint(); }

  // On the control loop.
  // The pre-shared keys that the configuration names now. True when that is news; fails, changing nothing,
  // when they cannot be used. The former ones are accepted until they are retired (mesh::Rotation).
  Result<bool> reload_keys(const std::vector<crypto::Secret>& psks);
  // Who may come in now. True when that is news.
  bool reload_admission(const AdmissionConfig& admission);
  const membership::Core& membership() const { return membership_; }
  const replication::Core& replication() const { return replication_; }
  const LinkCounters& link_counters() const { return links_.counters(); }
  const Leadership& leadership() const { return leadership_; }
  const Absences& absences() const { return absences_; }
  const Journal* journal() const { return journal_.get(); }  // null: none is configured
  uint64_t unacknowledged_writes() const { return unacknowledged_writes_; }
  // Gives up a node that is not a member. False when it is one, or is not known.
  bool forget(NodeId node);
  MonoTime started() const { return started_; }
  const mesh::Keyring& keyring() const { return *keys_.keyring(); }
  std::set<KeyId> keys_in_use() const { return links_.keys_in_use(); }

 private:
  friend class ReplicatedSessions;
  friend class ReplicatedCache;

  Cluster(ClusterConfig config, ClusterOptions options, runtime::Ports& ports, LinkTable::Listeners listeners,
          crypto::SigningKey key, const membership::NodeRecord& record, std::unique_ptr<store::Tables> tables,
          std::unique_ptr<Journal> journal, Log log);

  // LinkTable::Events
  void membership_link_up(const mesh::Established& peer, const IpAddress& local) override;
  void membership_link_down(NodeId peer, bool goodbye) override;
  void data_link_up(NodeId peer, mesh::Channel channel) override;
  void data_link_down(NodeId peer, mesh::Channel channel) override;
  bool is_member(const Replica& peer) override;
  mesh::Refusal admission(NodeId peer) override;
  void link_message(NodeId peer, mesh::Channel channel, const mesh::Message& message) override;
  void link_drained(NodeId peer, mesh::Channel channel) override;
  void dial_done(const Multiaddr& address, membership::DialOutcome outcome,
                 std::optional<NodeId> peer) override;
  void link_refused(const Refused& refusal) override;

  // ForwardHub::Links
  bool has_link(NodeId peer) override;
  void send_forward(NodeId peer, ForwardType type, ByteView payload) override;
  std::string name_of(NodeId peer) override;

  // Discovery::Owner
  void found(const Multiaddr& address) override;
  bool alone() override { return membership_.live_members() == 1; }
  void first_answers() override;

  // Moves outputs of the cores to where they go until there are none; re-arms the timers.
  void pump();
  void pump_membership();
  void pump_replication();
  // Whom we can talk with: members with an urgent link.
  void note_reachable();
  void fill_links(NodeId peer);
  void on_event(const membership::Event& event);
  void on_event(replication::Event event);
  void note_merge(const store::Key& key, store::Merged merged);
  void tend_keys();
  void leave_bad_paths();
  void admit(const membership::NodeRecord& record);
  void admit_anew();
  void arm_timers();
  // Of the other members: a name of one that is ready, and of one that no data link leads to.
  struct Around {
    std::optional<std::string> ready;
    std::optional<std::string> unlinked;
  };
  Around look_around() const;
  void watch_start();  // founding, sync deadline
  void sync_is_late(const Around& around, MonoTime now);
  void become_ready();
  void housekeeping();

  // A write of this node, which its store has applied. Sent with the next pump().
  Dot write(replication::Op op);
  // Waits until the write is applied here. False at the deadline.
  runtime::Task<bool> wait_applied(Dot position, MonoTime deadline);
  // Waits until the write is acknowledged at the level. False at the deadline.
  runtime::Task<bool> wait_acks(uint64_t seq, AckLevel level, MonoTime deadline);
  runtime::Task<bool> wait_journal(uint64_t seq, bool synced, MonoTime deadline);
  struct Acks {  // of the linked members that a level is about
    size_t asked = 0;
    size_t have = 0;
  };
  Acks acks_of(uint64_t seq, AckLevel level) const;
  // Whether the level has what it asks for, or nobody to ask.
  bool has_acks(uint64_t seq, AckLevel level) const;
  void note_nobody_asked(AckLevel level);
  void wake_acknowledged();
  void wake_journaled();
  void wake_applied(const Replica& origin);
  void wake_all_waiters();

  mesh::LinkConfig link_config();

  const ClusterConfig config_;
  const ClusterOptions options_;
  runtime::Ports& ports_;
  Log log_;
  crypto::SigningKey key_;
  KeyStore keys_;
  Admission admission_;
  std::shared_ptr<const crypto::TlsContext> tls_;
  Replica self_;
  runtime::Scope scope_;
  membership::Core membership_;
  const std::unique_ptr<store::Tables> own_tables_;
  store::Tables& tables_;
  store::SessionTable& table_;
  const std::unique_ptr<Journal> journal_;
  replication::Core replication_;
  LinkTable links_;
  ForwardHub hub_;
  Calls calls_;
  Leadership leadership_;
  std::unique_ptr<SessionStore> sessions_;
  ReplicatedCache cache_;
  const uint64_t boot_nonce_;  // two processes with one node key differ in it

  Absences absences_;
  AppliedView applied_;
  std::vector<NodeId> homes_;  // ready members that can be asked, this node among them: ReplicatedCache
  std::map<Replica, Waiters> applied_waiters_;                     // by whose log
  std::map<AckLevel, Waiters> ack_waiters_;                        // by the level
  runtime::Event pulled_event_;                                    // an answer to a pull is in pulled_
  std::map<uint64_t, std::optional<replication::Pulled>> pulled_;  // requests that somebody waits for
  bool pumping_ = false;
  bool pump_again_ = false;
  bool leadership_view_changed_ = true;
  bool admission_changed_ = false;
  bool marks_changed_ = false;  // something that is open may have ended
  struct Alarm {
    runtime::Timer timer;
    MonoTime when = kNever;  // for which it is set
  };
  Alarm membership_alarm_, replication_alarm_;
  runtime::Timer start_timer_, house_timer_;
  MonoTime started_;
  MonoTime view_changed_;
  MonoTime next_sync_warning_{};
  std::optional<Discovery> discovery_;
  bool discovering_ = false;           // DNS has not answered yet
  std::set<Multiaddr> untried_;        // seeds whose first dial has not ended yet
  std::map<NodeId, MonoTime> silent_;  // members that membership calls unreachable, since when
  std::set<AckLevel> nobody_asked_;    // levels of which it was said that there is nobody, until there is
  bool said_banned_ = false;
  uint64_t unacknowledged_writes_ = 0;  // for want of anybody whom their level asks

  std::atomic<Phase> phase_{Phase::syncing};
  std::atomic<bool> degraded_{false};
  mutable std::mutex names_mutex_;
  std::map<NodeId, std::string> names_;  // of members, also past ones (bounded)
};

}  // namespace kith::cluster
