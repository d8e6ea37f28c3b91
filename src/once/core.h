// Once means once: a record that at most one client in the whole cluster can redeem. Pure: time, members and
// messages are handed in, messages and events are taken out.
//
// Problem: a code of a login (or any one-time credential) is presented to some node, maybe stolen and
// presented to two at once, while nodes crash, stall and are cut off. It must never be honoured twice. And a
// client whose answer was lost asks again: it must not be taken for a thief.
// Idea: each record has a group of three nodes (record.h) that choose its one winner by a register of its own
// (register.h). What decides is the winner's proof, so the same client wins again, for ten seconds. The
// minting node redeems in one round trip to one deputy; when it is silent a deputy does, and finds what there
// is. Who is outside of the group asks its members, one after the other.
// Source: register.h; RFC 6749 section 4.1.2: "once", and what was issued is revoked after a second use.
//
// Nothing is kept on disk. A node that restarts has forgotten what it accepted, so it is a member of no older
// group: two of a group of three that restart take its records with them.
//
// No clock decides between two clients. Wall clocks say when a record has expired and how long the winner may
// ask again: with clocks that differ by d, both are up to d early or late, at nodes whose clock differs. A
// record is dropped `grace` after its expiry; a clock that was wrong then and steps back brings none of these
// back, because a node takes no record from others that expires before one that it dropped.
//
// A member of the cluster that means harm and is in a record's group can use the record up, choose who wins,
// and answer what it likes to who asks it; it knows the payload. Of other records it learns nothing, and can
// but say that a client of its own presents a code, as every member can. Of the room for records and for
// questions here it takes half at most.
//
// The driver's contract. Each input takes the clocks of the moment. After each input: take all transmits and
// events, and arm a timer for poll_timeout. Links are between replicas: a message goes out only on a link to
// the very replica that it is for, and comes in with the replica that the link was made with. Messages may be
// lost, late, doubled and out of order. set_view is called with each change of the members or of an
// incarnation. An error from handle_message (protocol, side peer) closes the link. A code is handed out when
// Minted has told how safe it is: until then a node that is asked may not know it.
#pragma once

#include <bitset>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <variant>

#include "once/messages.h"

namespace kith::once {

struct Now {
  MonoTime mono;
  WallTime wall;
};

struct Config {
  // Of records that are held here, whoever minted them. Nobody else fills more than half with what it sends.
  size_t max_records = 100'000;
  size_t max_bytes = size_t{64} << 20;  // of their payloads
  size_t max_requests = 10'000;         // redemptions that wait here, of our clients and of other nodes' each
  std::chrono::milliseconds longest_life = 24h;  // of a record
  std::chrono::milliseconds grace = 60s;         // how long an expired record answers
  std::chrono::milliseconds retry_window = 10s;  // how long the winner wins again
  Duration resend = 100ms;                       // to whom in the group did not answer
  Duration turn = 300ms;  // how long one member of the group is asked before the next one is
};

struct Transmit {
  Replica to;
  uint8_t type = 0;
  Bytes payload;
};

// The end of mint, once for each. acknowledged: a deputy holds it (level `one`), so the record survives the
// loss of any one node. If not, it dies with this node, unless a deputy takes it after all; a code that is
// presented elsewhere may be called unknown.
struct Minted {
  RecordId id;
  bool acknowledged = false;
};
// The end of redeem, once for each.
struct Redeemed {
  uint64_t request = 0;
  Outcome outcome = Outcome::unknown;
  // won: this client has won before, and may have been given something for it. Told without `again`, for each
  // record, to one redemption at most: the one that may make what follows from the code.
  bool again = false;
  Bytes payload;  // won: the record's
};
// Comes before the Redeemed that denies a code as used: what was given for it is to be revoked. The two are
// equal when the winner itself came back too late.
struct Reused {
  RecordId id;
  ProofHash first;
  ProofHash second;
};
using Event = std::variant<Minted, Redeemed, Reused>;

struct Counters {
  uint64_t minted = 0, copies_taken = 0, copies_refused = 0;
  uint64_t rounds_outbid = 0, redemptions_dropped = 0, messages_refused = 0;
};

class Core {
 public:
  // seed: random, for the names of redemptions and for jitter.
  Core(Config config, Replica self, uint64_t seed);

  // The members that there are links to, in any order, ourselves among them.
  void set_view(std::vector<Member> members, Now now);

  struct Mint {
    RecordId id;  // never used before
    WallTime expires;
    std::optional<ProofHash> required;
    Bytes payload;
  };
  // Makes a record and copies it to its deputies; ends in one Minted, by the deadline. Gives the group for
  // the code's text. Fails with limit, conflict (the id is there) or invalid (the expiry or the payload's
  // size).
  Result<std::vector<Fingerprint>> mint(Mint mint, MonoTime deadline, Now now);

  struct Redemption {
    RecordId id;
    std::vector<Fingerprint> group;  // as the code names it
    ProofHash proof;
  };
  // Ends in one Redeemed, by the deadline. Gives the number of the request. Fails with limit or invalid
  // (group).
  Result<uint64_t> redeem(Redemption redemption, MonoTime deadline, Now now);

  Result<void> handle_message(const Replica& from, uint8_t type, ByteView payload, Now now);
  void handle_timeout(Now now);
  MonoTime poll_timeout() const;

  std::optional<Transmit> poll_transmit();
  std::optional<Event> poll_event();

  size_t records() const { return load_.records; }
  size_t bytes() const { return load_.bytes; }
  size_t requests() const { return requests_.size() + asking_; }
  const Counters& counters() const { return counters_; }

 private:
  // What wakes us: the time of a record or of one of our own requests (0: the record's).
  struct Alarm {
    MonoTime when;
    RecordId record;
    uint64_t request = 0;
    auto operator<=>(const Alarm&) const = default;
  };
  // Copies on their way to deputies; at the minting node, while one has not answered.
  struct Copying {
    std::bitset<kGroupSize> open;
    MonoTime tell_by = kNever;  // Minted is told by then; never: it has been told
    MonoTime next;
    Duration pause;
  };
  struct Asker {
    Replica who;
    uint64_t nonce = 0;
    ProofHash proof;
    MonoTime until;
  };
  // We are asked, and do not know yet who the winner is.
  struct Round {
    std::deque<Asker> askers;
    std::optional<Proposal> proposal;  // none: outbid, begins anew at `next`
    std::bitset<kGroupSize> supplied;  // given the record that they missed, since the last sending
    MonoTime next;
    MonoTime until = kNever;  // the first asker gives up
  };
  struct Load {
    size_t records = 0;
    size_t bytes = 0;  // of their payloads
  };
  struct Held {
    Record record;
    size_t place = 0;  // ours in the group
    Replica giver;     // whom we have it from
    Acceptor acceptor;
    uint32_t next_round = 0;       // of our proposals; each is used once
    std::optional<Winner> winner;  // chosen, if we know of it
    std::optional<Round> round;
    std::optional<Copying> copying;
    MonoTime alarm = kNever;
  };
  struct Request {
    RecordId id;
    std::vector<Fingerprint> group;
    ProofHash proof;
    MonoTime deadline;
    size_t place = 0;                 // of whom we asked last
    std::bitset<kGroupSize> without;  // said that they do not have the record
    bool no_majority = false;         // somebody of the group said so
    MonoTime alarm = kNever;
  };

  void begin(Now now);
  void finish();
  void send(const Replica& to, MessageType type, Bytes payload);
  Result<void> take(const Replica& from, uint8_t type, ByteView payload);
  template <class Message>
  Result<void> take(const Replica& from, ByteView payload,
                    void (Core::*handler)(const Replica&, const Message&));
  void refuse() { ++counters_.messages_refused; }
  void set_alarm(MonoTime& present, Alarm next);

  // Requests: core.cpp.
  void ask(uint64_t number, Request& request);
  void conclude(uint64_t number, const RedeemedMessage& answer);
  void on_redeemed(const Replica& from, const RedeemedMessage& answer);

  // Records: records.cpp.
  Held* find(const RecordId& id);
  bool fits(const Load& present, const Record& record, size_t parts) const;
  Result<void> has_room(const Record& record, const Replica& giver) const;
  bool may_be_gone(const Record& record) const;
  Held& keep(Record record, size_t place, const Replica& giver);
  void drop(const RecordId& id);
  void sweep();
  void wake(Held& held);
  void plan(Held& held);
  void send_copies(Held& held);
  void tell_minted(Held& held, bool acknowledged);
  void on_store(const Replica& from, const Store& message);
  void on_stored(const Replica& from, const Stored& message);

  // The register: records.cpp.
  bool has_expired(const Record& record) const { return now_.wall >= record.expires; }
  void on_prepare(const Replica& from, const Prepare& message);
  void on_accept(const Replica& from, const Accept& message);
  void on_vote(const Replica& from, const VoteMessage& message);
  void on_redeem(const Replica& from, const Redeem& message);
  bool may_ask(const Replica& who) const;
  void forget_asker(const Replica& who);
  void propose(Held& held);
  void send_step(Held& held);
  void send_step(const Held& held, size_t place);
  void outbid(Held& held, const Ballot& promised);
  Winner first_asker(const Held& held) const;
  void answer(const Asker& asker, const RedeemedMessage& message);
  RedeemedMessage judge(const Held& held, const Asker& asker) const;
  void end_round(Held& held, Outcome outcome);
  void dismiss_late_askers(Held& held);

  const Config config_;
  const Replica self_;
  std::mt19937_64 random_;
  Now now_{};
  std::vector<Member> view_;
  std::map<Fingerprint, Replica> present_;  // of the view, and ourselves

  std::map<RecordId, Held> records_;
  std::set<std::pair<WallTime, RecordId>> by_expiry_;
  Load load_;                              // of all records
  std::map<Replica, Load> given_by_;       // of those that we have from each
  size_t asking_ = 0;                      // askers of all rounds
  std::map<Replica, size_t> asking_from_;  // of those, each one's
  WallTime gone_until_ = WallTime::min();  // the latest expiry that we dropped
  MonoTime next_sweep_ = kNever;

  std::map<uint64_t, Request> requests_;
  std::set<Alarm> alarms_;
  std::deque<Transmit> local_;  // to ourselves: we are a member of the group like the others
  std::deque<Transmit> transmits_;
  std::deque<Event> events_;
  Counters counters_;
};

}  // namespace kith::once
