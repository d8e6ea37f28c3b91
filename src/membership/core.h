// The membership core: who is in the cluster, and who is not any more. Pure: time, bytes and links are
// handed in, messages, dials and events are taken out; it never blocks and holds no thread or socket.
//
// Problem: detect a crash in milliseconds and a hang in 1.5 s without ever accusing a healthy node.
// Idea (up to 32 nodes, everyone observes everyone): each node watches its own link to every other and
// tells all what it sees, as a vote about (node, incarnation): ok, silent, refused, or nothing. Each
// node counts the votes of the observers it is in contact with, itself included:
//   - out of the view: more than half say silent or refused; or two say refused (one, if it is alone)
//     and none says ok;
//   - into the view: one says ok, and the above does not hold.
// The same votes give the same view everywhere, in whatever order they come. A node that finds that it
// was itself stalled withdraws its votes until it has looked again (Lifeguard, arXiv:1707.00788).
// Source: the votes of many observers: Rapid (USENIX ATC 2018). On the wire: docs/formats/membership.md; where
// it differs from what one would expect: docs/decisions/0004-mesh-choices.md.
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
  Duration self_redial = 60s;     // a seed where we met ourselves: the name may lead elsewhere tomorrow
  Duration stale_seed = 10min;    // a found seed not named for this long is dialled like a departed node
  Duration departed_redial_max = 60s;
  Duration departed_memory = std::chrono::hours(72);  // how long a node that is down is redialled
  size_t max_members = 32;                            // with ourselves; more are turned away
  size_t max_departed = 256;                          // bound of what is remembered of nodes not in the view
  size_t max_seeds = 256;
  size_t max_dials = 64;  // at a time
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
  Bytes payload;
};
struct Dial {
  Multiaddr address;
  std::optional<NodeId> expected;  // nullopt for a seed
};

// Events, in the order in which they became true.
struct MemberUp {
  NodeRecord record;  // followed by Unreachable when we have no link yet
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
// Our own way to a member; the member itself may be well.
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
  Duration rtt{0};     // smoothed; 0 while unknown
  MonoTime since;      // member since; of ourselves: zero
  uint8_t health = 0;  // as it says of itself: 0 well; grows with its own recent stalls
  bool self = false;
};

struct Counters {
  uint64_t pings_sent = 0;
  uint64_t votes_sent = 0;
  uint64_t digests_sent = 0;
  uint64_t records_accepted = 0;  // that raised what we knew
  uint64_t records_refused = 0;   // malformed, or not signed by their subject
  uint64_t messages_refused = 0;  // malformed
  uint64_t messages_unknown = 0;  // of a type of a later version; skipped
  uint64_t dials = 0;
  uint64_t stalls = 0;  // of our own; each withdraws our votes
  uint64_t members_up = 0;
  uint64_t members_down = 0;
  uint64_t turned_away = 0;
};

class Core {
 public:
  // self.key must be key's; id, sequence and state are set here (the state is joining). seed feeds
  // jitter only.
  Core(Config config, crypto::SigningKey key, NodeRecord self, uint64_t seed, MonoTime now);

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

  // Gives up what is remembered of a node that is not in the view, so that it is dialled no more; from
  // itself it may come back. False when it is in the view, or nothing is remembered.
  bool forget(NodeId node, MonoTime now);

  std::optional<Transmit> poll_transmit();
  std::optional<Dial> poll_dial();
  std::optional<Event> poll_event();

  const NodeRecord& self() const { return self_; }
  const Bytes& self_record() const { return self_bytes_; }  // signed, for handshakes
  std::vector<Member> members() const;                      // the view, ourselves first
  const NodeRecord* member(const NodeId& node) const;       // null when not in the view
  size_t live_members() const { return in_view_ + 1; }      // the size of the view, with ourselves
  uint64_t view_hash() const { return view_hash_; }         // equal views, equal hashes
  uint8_t health() const { return health_; }                // 0 well; grows with our own recent stalls
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

  // core.cpp: time, links, messages
  void begin(MonoTime now);
  void settle();
  void beat();
  bool has_left() const { return self_.state == State::left; }
  void drop_link(Peer& peer);
  void take_ping(Peer& peer, const PingMessage& ping);
  void take_votes(Peer& peer, VotesMessage message);
  void take_digest(Peer& peer, const DigestMessage& digest);
  void take_records(Peer& peer, const RecordsMessage& message);
  void send(const NodeId& to, MessageType type, Bytes payload);
  void send_records(const NodeId& to, const std::vector<ByteView>& records);
  void send_digest(const NodeId& to, bool answer);
  void send_table(const NodeId& to, bool answer);

  // view.cpp: records, votes, decisions
  Peer* learn(ByteView bytes, const NodeId& from);
  void raise(Peer& peer, NodeRecord record, ByteView bytes);
  void hear_of_ourselves(const NodeRecord& record);
  void raise_ourselves();
  void flood(const NodeId& subject, ByteView bytes, const NodeId& except);
  bool make_room();
  void forget_departed();
  Duration silence_of(const Peer& peer) const;
  Duration hang_of(const Peer& peer) const;
  Verdict verdict_on(const Peer& peer) const;
  void judge(Peer& peer);
  Tally tally(const Peer& subject) const;
  void decide(Peer& peer);
  void enter(Peer& peer);
  void leave(Peer& peer, DownReason why);
  void hash_view();

  // dialling.cpp
  bool wants_dial(const Peer& peer) const;
  bool wants_dial(const Seed& seed) const;
  bool is_taken(const Multiaddr& address) const;
  bool may_dial(const Multiaddr& address) const;
  Seed* make_room_for_seed();
  void start_due_dials();
  void start_dial(Backoff& dial, const Multiaddr& address, std::optional<NodeId> expected);
  void dial_ended(Peer& peer, DialOutcome outcome, const std::optional<NodeId>& who);
  MonoTime next_dial() const;

  Config config_;
  crypto::SigningKey key_;
  NodeRecord self_;
  Bytes self_bytes_;
  std::mt19937_64 random_;
  MonoTime now_;  // of the call that is being served
  MonoTime next_beat_;
  uint8_t health_ = 0;
  uint64_t outdated_by_ = 0;      // told the driver about this life
  std::map<NodeId, Peer> peers_;  // ordered, so that the same inputs give the same outputs
  std::vector<Seed> seeds_;
  size_t dialling_ = 0;
  size_t in_view_ = 0;
  uint64_t view_hash_ = 0;

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
