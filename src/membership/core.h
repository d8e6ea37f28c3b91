// The membership core: who is in the cluster, and who is not any more. Pure: time, bytes and links are
// handed in, messages, dials and events are taken out; it never blocks and holds no thread or socket.
//
// Problem: detect a crash in milliseconds and a hang in 1.5 s without ever accusing a healthy node.
// Idea: a member is observed by several others, and what they see decides.
//   - The view is a lattice. A node is in it by its own signed word (its record) and out of it when it is
//     declared down up to a version of that word; only a later word of its own brings it back. Views merge
//     by exchanging what differs, in any order.
//   - Up to Config::everyone nodes each observes each and tells all, as a vote (ok, silent, refused). Out:
//     more than half of the observers that we are in contact with, ourselves included, say silent or
//     refused; or two say refused (one, if it is alone) and none says ok.
//   - Above, ten pseudo-random rings (rings.h) give each node ten observers and ten subjects, and links go
//     there only. Observers sign their alerts, which flood. Out: seven of ten observers agree (an observer
//     that is itself accused agrees; one node alone never counts for more than itself), or two refused and
//     none objects; all who are to go together go as one cut.
//   - A node that finds that it was itself stalled withdraws its votes until it has looked again, and one
//     to which much of its surroundings looks bad keeps quiet for a while (Lifeguard, arXiv:1707.00788).
//   - One who is declared down by hearsay is asked first: its answer takes milliseconds.
// Source: cut detection: Rapid (USENIX ATC 2018). On the wire: docs/formats/membership.md; where it differs from
// what one would expect: docs/decisions/0004-mesh-choices.md.
//
// The driver's part of the contract:
//   - one link per pair of nodes. Of two, the one whose record has the greater incarnation stays (the
//     other belongs to a dead life); between equals, the one that the smaller NodeId dialled. The core
//     hears link_up for the link that stays (again, if it replaces another: no link_down between), and
//     link_down when none is left;
//   - each Dial is answered by exactly one dial_result, in bounded time; on success after the link_up;
//   - messages of a link arrive in order and whole; poll_* are drained after each call, transmits
//     first; handle_timeout is called when poll_timeout() has come.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "membership/messages.h"
#include "membership/peer.h"
#include "membership/record.h"
#include "membership/rings.h"

namespace kith::membership {

struct Config {
  Duration heartbeat = 250ms;  // interval of PING on each link; shorter finds hangs sooner and costs traffic
  // A link without a sign of life for max(silence, srtt + 4 var) is Unreachable: routing avoids it.
  Duration silence = 750ms;
  // ... and after this long the node says so to the others, who may then declare it down. A pause of
  // hang - heartbeat - (round trip) kills nobody: 1 s with these values.
  Duration hang = 1400ms;
  // What the driver allows for a connect: short, so that a SYN lost in a partition is soon sent anew. The
  // handshake after it may take the link's own, longer limit: a loaded peer is not a dead one.
  Duration dial_timeout = 1s;
  Duration redial_min = 100ms;    // backoff of dials: see Backoff in peer.h
  Duration seed_redial_max = 5s;  // seeds are dialled for ever
  Duration self_redial = 60s;     // a seed's address where we met ourselves; a name may lead elsewhere sooner
  Duration stale_seed = 10min;    // a found seed not named for this long is dialled like a departed node
  Duration departed_redial_max = 60s;
  Duration departed_memory = std::chrono::hours(72);  // how long a node that is down is redialled
  size_t everyone = 32;                               // up to here everyone observes everyone
  size_t max_members = 4096;                          // with ourselves; more are turned away
  size_t max_departed = 256;                          // bound of what is remembered of nodes not in the view
  size_t max_seeds = 256;
  size_t max_dials = 64;  // at a time
  // Newcomers are taken in at once; when many come, together, in steps from the one to the other, so that
  // a cluster that starts forms in a few views.
  Duration gather_min = 100ms;
  Duration gather_max = 1600ms;
  Duration claim_hold = 1s;   // how long a node that others hold for down may prove them wrong
  // How long a cut waits for the rest of those who go with it: where one has crashed, and where all are only
  // silent and somebody is silent to somebody else.
  Duration cut_wait = 300ms;
  Duration hang_cut_wait = 2500ms;
  Duration mute_limit = 3s;   // how long one who sees much silence suspects itself
  Duration sticky = 5s;       // of contact, until an alert of a large cluster is taken back
  Duration link_grace = 5s;   // a link that nobody wants any more lives so long
  // One that is silent for so long is given up for a new one: it may be half open, or its TCP may wait for
  // up to two minutes until it sends again.
  Duration dead_link = 3s;
};

enum class DialOutcome : uint8_t {
  connected,    // a link with `peer` is up (maybe not the node that was expected)
  duplicate,    // a link with `peer` was there already
  self,         // we answered ourselves
  refused,      // nobody listens there
  unreachable,  // no route, or the name does not resolve
  timeout,
  rejected,  // somebody answered and the handshake failed
};
enum class LinkEnd : uint8_t { closed /* FIN, RST, protocol error */, goodbye /* the peer said so */ };

struct Transmit {
  NodeId to;
  uint8_t type = 0;
  Payload payload;
};
struct Dial {
  Multiaddr address;
  std::optional<NodeId> expected;  // nullopt for a seed
};

// Events, in the order in which they became true.
struct MemberUp {
  NodeRecord record;  // followed by Unreachable when we should have a link and have none yet
};
struct MemberChanged {
  NodeRecord record;  // the same life, a new word
};
enum class DownReason : uint8_t { crashed, hung, left, replaced };
std::string_view to_string(DownReason reason);
struct MemberDown {
  NodeId node;
  Replica replica;
  DownReason why = DownReason::crashed;
};
// The driver closes this link; link_down need not be told.
struct DropLink {
  NodeId node;
};
// Our own way to a member, which may itself be well; or it goes down too often to be relied on.
struct Unreachable {
  NodeId node;
};
struct Reachable {
  NodeId node;
};
// A later life of our own key is about: the clock stepped back between boots, or the key is in use
// twice. This life cannot stay; a new one needs an incarnation above the given one.
struct Outdated {
  uint64_t incarnation = 0;
};
// The cluster is full (Config::max_members); the node was not taken in.
struct TurnedAway {
  NodeRecord record;
};
using Event =
    std::variant<MemberUp, MemberChanged, MemberDown, DropLink, Unreachable, Reachable, Outdated, TurnedAway>;

// One row of members().
struct Member {
  NodeRecord record;
  enum class Link : uint8_t { alive, suspect /* silent, not yet accused */, unreachable };
  Link link = Link::alive;
  Duration rtt{0};      // smoothed; 0 while unknown
  MonoTime since;       // member since; of ourselves: zero
  uint8_t health = 0;   // as it says of itself: 0 well; grows with its own recent stalls
  bool damped = false;  // it went down several times lately: link says unreachable for that
  bool self = false;
};

struct Counters {
  uint64_t pings_sent = 0;
  uint64_t votes_sent = 0;
  uint64_t alerts_signed = 0;
  uint64_t alerts_refused = 0;  // not signed by their observer
  uint64_t digests_sent = 0;
  uint64_t records_accepted = 0;  // that raised what we knew
  uint64_t records_refused = 0;   // malformed, or not signed by their subject
  uint64_t messages_refused = 0;  // malformed
  uint64_t messages_unknown = 0;  // of a type of a later version; skipped
  uint64_t dials = 0;
  uint64_t stalls = 0;  // of our own; each withdraws our votes
  uint64_t mutes = 0;   // times that we kept quiet because much looked bad
  uint64_t relays_asked = 0;
  uint64_t links_given_up = 0;  // silent for Config::dead_link
  uint64_t claims_refuted = 0;  // we were declared down and said otherwise
  uint64_t members_up = 0;
  uint64_t members_down = 0;
  uint64_t turned_away = 0;
};

class Core {
 public:
  // self.key must be key's; id, sequence and state are set here (the state is joining). seed feeds
  // jitter only.
  // notary: by default one of its own.
  Core(Config config, crypto::SigningKey key, NodeRecord self, uint64_t seed, MonoTime now,
       std::shared_ptr<Notary> notary = nullptr);
  // Peers and edges point at each other.
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;
  Core(Core&&) = default;

  // An address to dial for ever: one of the configuration, or (found) one that discovery names, which says
  // it again with each answer. False when it is not dialled: it is our own, or max_seeds are there. Found
  // seeds where nobody is known give way to new ones then, the one not named for longest first.
  enum class SeedKind : uint8_t { fixed, found };
  bool add_seed(Multiaddr address, SeedKind kind = SeedKind::fixed);

  // record: the peer's signed record from the handshake, whose key the handshake has proven.
  void link_up(NodeId peer, ByteView record, MonoTime now);
  void link_down(NodeId peer, LinkEnd how, MonoTime now);
  void dial_result(const Multiaddr& address, DialOutcome outcome, MonoTime now,
                   std::optional<NodeId> peer = std::nullopt);
  // An error (protocol, side peer) means: count it, log it, close the link and tell link_down.
  Result<void> handle_message(NodeId from, uint8_t type, ByteView payload, MonoTime now);
  // Bytes from the peer on another channel are a sign of life, too; once a heartbeat is enough.
  void heard(NodeId peer, MonoTime now);
  void handle_timeout(MonoTime now);
  MonoTime poll_timeout() const;

  // Raises our own record and sends it to all. State::left is final: what is pending goes out, then the
  // driver closes the links; the core dials and judges no more.
  void set_state(State state, MonoTime now);
  // The same for the addresses in our record, once it is known how we are reached.
  void set_addresses(const Multiaddr& membership, const Multiaddr& data, MonoTime now);
  // The same for the names of the pre-shared keys that we hold.
  void set_keys(const std::vector<KeyId>& keys, MonoTime now);
  // And of the nodes that we ban.
  void set_bans(const std::vector<NodeId>& bans, MonoTime now);

  // Gives up what is remembered of a node that is not in the view, so that it is dialled no more; from
  // itself it may come back. False when it is in the view, or nothing is remembered.
  bool forget(NodeId node, MonoTime now);

  std::optional<Transmit> poll_transmit();
  std::optional<Dial> poll_dial();
  std::optional<Event> poll_event();

  const NodeRecord& self() const { return self_; }
  const Bytes& self_record() const { return self_signed_->bytes; }  // signed, for handshakes
  std::vector<Member> members() const;                              // the view, ourselves first
  const NodeRecord* member(const NodeId& node) const;               // null when not in the view
  size_t live_members() const { return in_view_ + 1; }              // the size of the view, with ourselves
  uint64_t view_hash() const { return view_hash_; }                 // equal views, equal hashes
  uint64_t view_number() const { return epoch_; }                   // grows with each node that comes or goes
  uint8_t health() const { return health_; }  // 0 well; grows with our own recent stalls
  bool in_rings() const { return rings_; }    // the cluster is a large one
  size_t links() const;
  size_t remembered() const { return peers_.size(); }
  const Counters& counters() const { return counters_; }

 private:
  struct Seed {
    Multiaddr address;
    SeedKind kind = SeedKind::fixed;
    MonoTime named;  // when discovery last said it
    Backoff dial;
    std::optional<NodeId> occupant;  // who answered there last
  };
  struct Tally {
    size_t observers = 0, ok = 0, silent = 0, refused = 0;
  };
  struct Evidence {
    size_t spoken = 0;      // rings whose observer accuses it
    size_t speakers = 0;    // ... which are so many nodes
    size_t refused = 0;     // nodes among them that were refused
    size_t all = 0;         // ... or is itself accused
    size_t objections = 0;  // observers that hear it
  };
  struct Claim {
    RecordVersion version;
    MonoTime due;
  };

  // core.cpp: time, links, messages
  void begin(MonoTime now);
  void settle();
  void beat();
  void look_at_all();
  bool has_left() const { return self_.state == State::left; }
  Edge& edge_of(Peer& peer);
  Edge* find_edge(const NodeId& id);
  void drop_link(Edge& edge);
  void tidy_edges();
  void send(const NodeId& to, MessageType type, Payload payload);
  Result<void> take(Edge& edge, uint8_t type, ByteView payload);
  void take_ping(Edge& edge, const PingMessage& ping);

  // view.cpp: who is in
  Peer* learn(const RecordRef& signed_record, const NodeId& from);
  Peer* add_peer(const RecordRef& signed_record, const NodeId& from);
  void raise(Peer& peer, const RecordRef& signed_record);
  void hear_of_ourselves(const NodeRecord& record);
  void sign_ourselves();
  void raise_ourselves();
  template <class Value>  // a part of our record, unless it is that already
  void restate(Value NodeRecord::*field, const Value& value, MonoTime now);
  bool make_room();
  void forget_departed();
  void greet(Peer& peer);
  void admit_waiting();
  void enter(Peer& peer);
  void leave(Peer& peer, DownReason why);
  void declare_down(Peer& peer, DownReason why);
  void count_in(const NodeId& id, uint64_t fingerprint);
  void count_out(const NodeId& id, uint64_t fingerprint);
  void surround();
  void place(Edge& edge, bool subject, bool neighbour, bool flooded);
  void calm_down();
  void watch_departed();

  // votes.cpp: who is to go
  Duration silence_of(const Edge& edge) const;
  Duration hang_of(const Edge& edge) const;
  bool is_silent(const Edge& edge) const;
  Verdict verdict_on(const Edge& edge) const;
  void note_heard(Edge& edge);
  void judge(Edge& edge);
  void tell_reachable(Peer& peer);
  void cast(Edge& edge, Verdict verdict);
  void send_votes();
  void repeat_votes();
  Tally tally(const Peer& subject) const;
  void decide(Peer& peer);
  void consider_mute();
  void publish(const Vote& vote);
  void take_votes(Edge& edge, VotesMessage message);
  void take_alert(const Alert& alert, const NodeId& from);
  bool accept_word(const Alert& alert);
  Evidence weigh(const NodeId& id, Suspect& suspect, const std::set<NodeId>& accused);
  void consider_cut();
  void drop_suspect(const NodeId& id);

  // exchange.cpp: what others should know
  void spread(const RecordRef& signed_record, const NodeId& from);
  void spread(const Alert& alert, const NodeId& from);
  void flush_news();
  bool gets_news(const Edge& edge) const;
  void send_records(const NodeId& to, const std::vector<RecordRef>& records);
  std::vector<Payload> encode_records(const std::vector<RecordRef>& records) const;
  void send_view(Edge& edge);
  void send_digest(const NodeId& to, bool answer, uint8_t first = 0, uint8_t last = kBuckets - 1);
  void send_claim(const NodeId& to, const NodeId& subject, const RecordVersion& version);
  void send_table(const NodeId& to, bool answer);
  void send_sums(const NodeId& to);
  void take_digest(Edge& edge, const DigestMessage& digest);
  void take_claim(const NodeId& subject, const RecordVersion& version, const NodeId& from);
  void take_records(Edge& edge, const RecordsMessage& message);
  void take_sums(Edge& edge, const SumsMessage& theirs);
  void settle_claims();
  void answer_claim();

  // relays.cpp
  void ask_relays(Edge& edge);
  void take_reach(Edge& edge, const ReachMessage& message);
  void take_reached(const ReachMessage& message);
  void answer_askers(Edge& edge);

  // dialling.cpp
  bool wants_dial(const Edge& edge) const;
  bool wants_dial(const Seed& seed) const;
  bool is_taken(const Multiaddr& address) const;
  bool may_dial(const Multiaddr& address) const;
  Seed* make_room_for_seed();
  void start_due_dials();
  void start_dial(Backoff& dial, const Multiaddr& address, std::optional<NodeId> expected);
  void dial_ended(Edge& edge, DialOutcome outcome, const std::optional<NodeId>& who);

  Config config_;
  crypto::SigningKey key_;
  std::shared_ptr<Notary> notary_;
  NodeRecord self_;
  RecordRef self_signed_;
  std::mt19937_64 random_;
  MonoTime now_;  // of the call that is being served
  MonoTime next_beat_;
  MonoTime next_look_ = kNever;  // when somebody may have been silent for too long
  uint8_t health_ = 0;
  uint64_t outdated_by_ = 0;                 // told the driver about this life
  MonoTime foreign_word_ = MonoTime::min();  // our key, our life, and not our word: heard last
  std::map<NodeId, Peer> peers_;             // ordered, so that the same inputs give the same outputs
  std::map<NodeId, Edge> edges_;
  std::vector<Seed> seeds_;
  size_t dialling_ = 0;
  bool dials_changed_ = true;  // next_dial_ has to be found anew
  MonoTime next_dial_ = kNever;

  // The view.
  size_t in_view_ = 0;
  uint64_t view_hash_ = 0;
  std::array<uint64_t, kBuckets> sums_{};
  uint64_t epoch_ = 0;
  uint64_t surrounded_ = ~uint64_t{0};  // the epoch for which edges have their roles
  bool rings_ = false;
  std::vector<NodeId> members_;  // in no order, ourselves included
  std::set<NodeId> damped_;      // members that are
  NodeId watched_;               // of those who are gone, whom we looked at last; zero: a round is over
  uint64_t watched_view_ = ~uint64_t{0};  // the epoch in which the last round began
  MonoTime watch_at_, forget_at_;         // before these nobody is looked at again

  // Newcomers that are taken in together.
  std::vector<NodeId> waiting_;
  MonoTime admit_at_ = kNever;
  MonoTime last_newcomer_ = MonoTime::min();
  int at_once_ = 0;  // taken in at once lately
  Duration gather_{0};

  // Those who are held for down by others, and whether we are.
  std::map<NodeId, Claim> claims_;
  std::optional<RecordVersion> claimed_;
  MonoTime refute_after_ = MonoTime::min();

  // A large cluster's suspects.
  std::map<NodeId, Suspect> suspects_;
  uint64_t alert_number_ = 0;
  bool suspects_changed_ = false;
  MonoTime cut_since_ = kNever;
  MonoTime last_alert_ = MonoTime::min();
  MonoTime cut_at_ = kNever;
  bool mute_ = false;
  MonoTime mute_since_ = kNever;

  // News on their way out.
  std::vector<std::pair<RecordRef, NodeId>> new_records_;  // and whom they came from
  std::vector<std::pair<Alert, NodeId>> new_alerts_;
  MonoTime flush_at_ = MonoTime::min();
  std::vector<Payload> table_;  // the view as it was when its hash was this
  uint64_t table_hash_ = 0;

  // What the call that is being served has to bring to an end; see settle().
  std::set<NodeId> undecided_;  // the votes on these have changed
  bool observers_changed_ = false;
  std::vector<Vote> new_votes_;  // ours, for the others to know

  std::deque<Transmit> transmits_;
  std::deque<Dial> dials_;
  std::deque<Event> events_;
  Counters counters_;
};

}  // namespace kith::membership
