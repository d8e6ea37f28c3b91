// What the core holds of one other node. Internal to membership/.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <random>

#include "base/time.h"
#include "membership/messages.h"

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

// One link, from up to down.
struct Link {
  uint64_t incarnation = 0;  // of the life that handed us its record on this link
  MonoTime since;
  RoundTrip rtt;
  int views_differ = 0;          // heartbeats in a row
  uint8_t health = 0;            // of the peer, as it says
  std::map<NodeId, Vote> votes;  // what that peer says of others, at most kMaxSubjects
};

struct Peer {
  NodeRecord record;
  Bytes bytes;                    // the record as signed
  std::optional<Link> link;       // with whatever life the peer showed; see live_link()
  std::optional<MonoTime> heard;  // last sign of this life
  MonoTime armed;                 // silence counts from the later of heard and armed
  bool refused = false;           // our last dial found nobody, or somebody else
  Vote mine;                      // our vote, as the others know it
  bool contact = false;           // it counted as an observer when we last looked
  bool in_view = false;
  bool reachable = false;  // as the driver knows it
  MonoTime member_since;
  MonoTime departed_since;  // or known since, when it never was a member
  Backoff dial;

  // The link, when it is to the life that the record speaks of.
  const Link* live_link() const { return link && link->incarnation == record.incarnation ? &*link : nullptr; }
  MonoTime quiet_since() const { return heard ? std::max(*heard, armed) : armed; }
};

}  // namespace kith::membership
