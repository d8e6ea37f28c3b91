// The leader's lease: at any instant at most one node may act as the leader of the cluster. Pure: time,
// the view of the members and messages are handed in, messages and events are taken out.
//
// Problem: some work must be done by one node only (ordering writes of administrators, switching keys,
// serving in active_passive), nodes stall and networks split, and the cluster must go on without it.
// Idea: whoever leads holds a lease that a majority of up to seven voters granted for 3 s and renews it.
// A voter grants to one node at a time. The holder counts from when it asked, a voter from when it
// granted, so the holder stops first, whatever the network does; clocks need to agree on the length of
// three seconds to one in fifty, and on nothing else. Each leader has an epoch above every epoch before:
// whatever it orders carries it, and who has seen a greater one refuses (a fencing token), which covers
// the holder that is stalled between looking at its lease and acting on it.
// Source: Gray and Cheriton, "Leases" (SOSP 1989); the voters' changes: voters.h.
//
// Nothing is kept on disk. A voter that starts grants nothing for the length of a lease, so that what an
// earlier life of it granted has run out. An epoch is at least the wall clock's milliseconds, so that one
// that everybody forgot is not used again; that needs clocks that agree to a lease's length.
//
// A majority is one of the voters of a lineage, and a lineage begins where nobody knows of one. Nodes that
// start where they cannot see the others begin their own, and elect their own leader, until they meet.
// Config::quorum above half of the planned size forbids that: any two sets of grants then have a node in
// common, whoever counts them, and a node grants to one at a time.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <variant>

#include "base/time.h"
#include "lease/messages.h"

namespace kith::lease {

struct Config {
  Duration lease = 3s;
  size_t quorum = 1;  // grants that a lease needs at least, whatever the number of voters; at most kMaxVoters
  Duration renewal() const { return lease / 6; }
  // What clocks may differ on the length of a lease, both ways together, with room.
  Duration margin() const { return lease / 50; }
  Duration founding() const { return lease * 2 / 3; }  // how long the view is quiet before
  Duration absence() const { return lease * 10 / 3; }  // after which a voter makes room for others
};

struct Transmit {
  NodeId to;
  uint8_t type = 0;
  Bytes payload;
};

// Who leads, as far as this node knows; told when it changes.
struct LeaderChanged {
  std::optional<NodeId> leader;
  uint64_t epoch = 0;
  bool self = false;
};

class Core {
 public:
  // seed: random, for jitter and the nonce of a lineage.
  Core(Config config, NodeId self, uint64_t seed, MonoTime now);

  // The members, in any order, ourselves among them.
  void set_view(std::vector<Candidate> view, MonoTime now);
  // We go: what we hold is given back at once, and nothing is sought any more.
  void resign(MonoTime now);

  // wall: for epochs and lineages only.
  void handle_timeout(MonoTime now, WallTime wall);
  MonoTime poll_timeout() const;
  // An error (protocol, side peer): the link is to be closed.
  Result<void> handle_message(NodeId from, uint8_t type, ByteView payload, MonoTime now);

  std::optional<Transmit> poll_transmit();
  std::optional<LeaderChanged> poll_event();

  // Whether this node leads at this instant. Asked each time before acting, with the time of the asking.
  bool leads(MonoTime now) const { return leading_ && now < held_until(); }
  // Until when, if nobody grants any more; the past when it does not lead.
  MonoTime leads_until() const { return leading_ ? held_until() : MonoTime::min(); }
  // The epoch under which it leads; what it orders carries it.
  uint64_t epoch() const { return claim_ ? claim_->epoch : 0; }
  // Who leads, ourselves among them, as far as this node has heard; its lease has not run out.
  std::optional<NodeId> leader(MonoTime now) const;
  uint64_t leader_epoch(MonoTime now) const;  // 0 without a leader
  // Whether a majority of the voters is in the view: false in the smaller part of a split, and before the
  // lineage begins.
  bool has_majority() const;
  const std::optional<Voters>& voters() const { return voters_; }
  uint64_t greatest_epoch() const { return greatest_epoch_; }
  // When a majority of the voters last was in touch with the leader, and the leader with us, as far as we can
  // tell: later than said, if anything. The past when that never was.
  MonoTime confirmed() const;

 private:
  struct Holding {  // of somebody else's lease
    NodeId node;
    uint64_t epoch = 0;
    MonoTime until;
  };
  struct OwnClaim {
    uint64_t epoch = 0;
    MonoTime since;
    MonoTime next_round;
    std::map<NodeId, MonoTime> granted;  // until when, by our clock
    std::vector<NodeId> adopted;         // who granted while having our form of the voters
  };

  void begin(MonoTime now);
  void finish();
  void found(WallTime wall);
  void adopt(const Voters& voters);
  void seek(WallTime wall);
  void stand_down();
  void tell_all(Claim::Kind kind);
  void send_round();
  void count_own_grant(uint64_t stamp);
  void take_grant(const NodeId& from, const Answer& answer);
  void win_if_held();
  void reform();
  void set_voters(Voters voters);
  void notice(const NodeId& to);

  Result<void> on_claim(NodeId from, const Claim& claim);
  Result<void> on_answer(NodeId from, const Answer& answer);
  bool may_grant(const NodeId& to, uint64_t epoch) const;
  void answer(const NodeId& to, const Claim& claim, Answer::Verdict verdict);

  MonoTime held_until() const;
  MonoTime held_until(const Voters& voters) const;
  size_t needed(const Voters& voters) const { return std::max(voters.majority(), config_.quorum); }
  bool in_view(const NodeId& node) const;
  bool is_ready() const;  // ourselves
  bool is_voter() const { return voters_ && voters_->contains(self_); }
  bool may_seek() const;
  bool may_found() const;
  void plan_seeking();

  const Config config_;
  const NodeId self_;
  std::mt19937_64 random_;
  MonoTime now_;
  const MonoTime withhold_until_;  // grants of an earlier life have run out then
  std::vector<Candidate> view_;
  MonoTime view_since_;
  bool resigned_ = false;

  std::optional<Voters> voters_;
  // The form before, while ours is on its way to a majority: a majority of either keeps others out of both.
  std::optional<Voters> former_;
  uint64_t greatest_epoch_ = 0;     // seen anywhere
  uint64_t promised_ = 0;           // the greatest that we granted
  std::optional<Holding> granted_;  // by us, as a voter
  std::optional<Holding> heard_;    // the leader, as it says itself
  MonoTime heard_at_ = MonoTime::min();
  std::optional<OwnClaim> claim_;  // we seek or hold the lease
  bool leading_ = false;
  MonoTime seek_at_ = kNever;
  std::map<NodeId, MonoTime> missing_;  // voters that are not in the view, and since when

  std::optional<NodeId> told_leader_;
  uint64_t told_epoch_ = 0;
  std::deque<Transmit> transmits_;
  std::deque<LeaderChanged> events_;
};

}  // namespace kith::lease
