// What the core holds of other nodes: little of each that it knows (Peer), more of those it has to do
// with itself (Edge). Internal to membership/.
#pragma once

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "base/time.h"
#include "membership/messages.h"
#include "membership/rings.h"

namespace kith::membership {

// When to dial an address again. Trouble that is young is retried often, so that a restart or a short
// split ends at once; old trouble is retried for ever at a price nobody notices. Up to 17 minutes the
// interval is at most 1 s: connectivity that returns is found within it.
struct Backoff {
  std::optional<Multiaddr> in_flight;  // what is being dialled now
  MonoTime started = MonoTime::min();  // of the last dial
  MonoTime trouble_since;              // the first failure of the present row
  MonoTime next;                       // not before

  void reset(MonoTime now) { trouble_since = next = now; }
  // As soon as the shortest interval allows.
  void hurry(MonoTime now, Duration min) { next = std::min(next, std::max(now, started + min)); }
  void failed(MonoTime now, Duration min, Duration max, std::mt19937_64& random);
};

// Smoothed round trip (RFC 6298 section 2).
struct RoundTrip {
  Duration smoothed{0};
  Duration variance{0};
  void add(Duration sample);
};

// A sum that halves with time: how often a node went down lately.
struct Penalty {
  double value = 0;
  MonoTime at;
  double now(MonoTime time) const;
  void add(MonoTime time);
};

// One link, from up to down.
struct Link {
  uint64_t incarnation = 0;  // of the life that handed us its record on this link
  MonoTime since;
  RoundTrip rtt;
  int views_differ = 0;            // heartbeats in a row
  uint8_t health = 0;              // of the peer, as it says
  std::map<NodeId, Vote> votes;    // what that peer says of others, at most kMaxSubjects
  std::vector<RecordRef> partial;  // records that are to be taken with those still to come
};

struct Edge;

struct Peer {
  RecordRef known;  // never null
  Edge* edge = nullptr;
  RecordVersion down;  // this and every earlier word of it is declared down
  bool in_view = false;
  bool waiting = false;    // a newcomer that is taken in with the next ones
  bool reachable = false;  // as the driver knows it
  bool damped = false;     // it goes down too often: a member that routing avoids
  Penalty penalty;
  MonoTime member_since;
  MonoTime departed_since;  // or known since, when it never was a member

  const NodeRecord& record() const { return known->record; }
  const NodeId& id() const { return known->record.id; }
  bool is_down() const { return record().version() <= down; }
  bool has_left() const { return record().state == State::left; }
};

struct Edge {
  explicit Edge(Peer& p) : peer(p) {}
  Peer& peer;
  bool subject = false;           // we vote on it
  bool neighbour = false;         // we want a link
  bool flooded = false;           // news goes there
  std::optional<Link> link;       // with whatever life the peer showed; see live_link()
  std::optional<MonoTime> heard;  // last sign of this life
  MonoTime armed;                 // silence counts from the later of heard and armed
  bool refused = false;           // our last dial found nobody, or somebody else
  Vote mine;                      // our vote, as the others know it
  bool vouched = false;           // the others were told that we do hear it
  bool contact = false;           // it counted as an observer when we last looked
  MonoTime contact_since;
  MonoTime unneeded_since;  // of a link that nobody wants; kNever when wanted
  Backoff dial;
  MonoTime asked = MonoTime::min();         // when we last asked relays about it
  MonoTime relayed = MonoTime::min();       // when a relay last said that it hears it
  std::vector<NodeId> askers;               // those who asked us to reach it ...
  MonoTime askers_until;                    // ... and how long they care
  std::optional<DigestMessage> unanswered;  // of a peer that waits to be taken in
  MonoTime told = MonoTime::min();          // when it was sent the whole view

  const NodeRecord& record() const { return peer.record(); }
  const NodeId& id() const { return peer.id(); }
  // The link, when it is to the life that the record speaks of.
  Link* live_link() { return link && link->incarnation == record().incarnation ? &*link : nullptr; }
  const Link* live_link() const { return const_cast<Edge*>(this)->live_link(); }
  MonoTime quiet_since() const { return heard ? std::max(*heard, armed) : armed; }
};

// The alerts about one member in a large cluster, and whom they come from.
struct Suspect {
  struct Word {
    uint64_t number = 0;
    uint64_t incarnation = 0;  // of the observer
    Vote vote;
    uint16_t slots = 0;  // the rings on which it is the subject's observer, or was, when it is no more
  };
  std::map<NodeId, Word> words;
  std::array<NodeId, kRings> observers;  // of the subject ...
  uint64_t epoch = 0;                    // ... in the view of this number
};

}  // namespace kith::membership
