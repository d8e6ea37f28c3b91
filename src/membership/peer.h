// What the core holds of one other node. Internal to membership/.
#pragma once

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
  bool in_flight = false;
  MonoTime started = MonoTime::min();  // of the last dial
  MonoTime trouble_since;              // of the present row of failures
  MonoTime next;                       // not before

  void reset(MonoTime now) { trouble_since = next = now; }
  void hurry(MonoTime now, Duration min);
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
  int hash_differs = 0;          // heartbeats in a row
  std::map<NodeId, Vote> votes;  // what that peer says of others
};

struct Peer {
  NodeRecord record;
  Bytes bytes;               // the record as signed
  std::optional<Link> link;  // with whatever life the peer showed; see live_link()
  MonoTime known_since;
  MonoTime heard = MonoTime::min();  // last sign of this life
  MonoTime armed;                    // silence counts from the later of heard and armed
  bool refused = false;              // our last dial of this life was refused
  Vote mine;                         // our vote, as last told to the others
  bool contact = false;              // it counted as observer when we last looked
  bool in_view = false;
  bool shown_reachable = false;
  MonoTime member_since;
  MonoTime departed_since;
  Backoff dial;

  // The link, when it is to the life that the record speaks of.
  const Link* live_link() const { return link && link->incarnation == record.incarnation ? &*link : nullptr; }
};

}  // namespace kith::membership
