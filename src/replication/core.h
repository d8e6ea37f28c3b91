// The core of replication: every node keeps a log of its own writes, and every node gets every log.
//
// Problem: state must be on all nodes within milliseconds, survive any node, and become equal again
// after cuts, restarts and slow links, with exact knowledge of who has what.
// Idea: one log per origin. A write is (origin, number), so gaps, acknowledgements and "have you seen
// my write" are plain arithmetic on numbers; merging is a property of the values alone (store/).
//   fan-out     each node sends its own log to each peer, in order, from a cursor per peer
//   vectors     peers tell one another what they have; an acknowledgement is one entry of a vector
//   ranges      what a peer has and we lack is asked for by number, also of a log whose node is dead
//   snapshots   when the numbers have left the ring: the whole state, then the donor's vector is ours
//   debts       state that came outside a log (a pull, a broken-off snapshot) and that no log brings
//               any more is written to our own log, so that nothing exists on one node only
// A peer may be hostile, so it speaks for itself only: an op that a third node passes on must be signed
// by its writer, nobody has more of a present peer's log than that peer wrote, and what others claim of
// our own log is cut at its end. What a snapshot holds cannot be proven (docs/formats/replication.md).
// Nothing here depends on clocks. Bytes: docs/formats/replication.md.
//
// A sans-IO state machine on one thread: handle_* and commands are input; poll_event, poll_transmit
// and poll_timeout are output. After each input: drain poll_event and apply the events to the store,
// then poll_transmit for each peer whose link has room, then arm a timer for poll_timeout.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/node.h"
#include "base/result.h"
#include "base/time.h"
#include "crypto/ed25519.h"
#include "replication/coverage.h"
#include "replication/messages.h"
#include "replication/op.h"
#include "replication/ring.h"

namespace kith::replication {

// control: vectors, requests, pulled states. session: live ops. repair: ranges and snapshots.
// Messages of one priority to one peer must arrive in the order in which they were polled, or not at
// all; when one may be lost, say so by peer_down and peer_up.
enum class Priority : uint8_t { control, session, repair };

struct Transmit {
  NodeId to;
  Priority priority = Priority::control;
  uint8_t type = 0;
  Bytes payload;  // at most kMaxMessage
};

// Where a snapshot stands, in the source's own order. A fresh one starts at the beginning.
struct SnapshotCursor {
  StoreId store = StoreId{0};
  Key after;
  bool begun = false;
  bool operator==(const SnapshotCursor&) const = default;
};

// The stores, as replication reads them.
class Source {
 public:
  virtual ~Source() = default;
  // Appends entries after the cursor while they fit in max_bytes (of keys and states; at least one if
  // there is any) and moves the cursor to the last of them. False when nothing is left after it.
  // An entry that was there when the snapshot began and still is must come; changes meanwhile may.
  virtual bool next(SnapshotCursor& cursor, size_t max_bytes, std::vector<StateEntry>& out) = 0;
  // The state of one key; nullopt when nothing is known of it.
  virtual std::optional<Bytes> state_of(StoreId store, const Key& key) = 0;
};

struct Apply {  // merge this op; it may have been seen before
  Op op;
  Bytes record{};  // with Config::tell_records
};
struct ApplyState {  // merge this state
  StateEntry entry;
  bool pulled = false;  // by itself; else of a snapshot
};
struct Appended {  // a write of ours is in our log
  Dot dot;
  Bytes record{};  // with Config::tell_records
};
struct Covered {  // more of this log is applied now; comes after the Apply events it speaks of
  Replica origin;
  uint64_t prefix = 0;
};
struct Adopted {  // this part of the log is in the states that were taken, not in ops
  Replica origin;
  Coverage coverage;
};
struct Clipped {  // what was adopted of the log beyond this was not true
  Replica origin;
  uint64_t last = 0;
};
struct Settled {};    // what came as states until now is known to be in logs
struct AckProgress {  // the peer has applied our own log up to seq, and maybe some above: see acked_by
  NodeId peer;
  uint64_t seq = 0;
};
struct CaughtUp {};  // once: caught_up() became true
struct Forgotten {   // covers() is false for all of this log; a Covered that follows is true again
  Replica origin;
};
struct FalseClaim {  // the peer says that it has writes of ours that we never wrote; once for each link
  NodeId peer;
};
struct Pulled {  // the answer to pull(); a found state came just before, as ApplyState
  uint64_t request = 0;
  NodeId from;
  bool found = false;   // the other side knew the key
  bool covers = false;  // it had applied at_least, so this is at least as new, also when not found
};
using Event = std::variant<Apply, ApplyState, Appended, Covered, Adopted, Clipped, Settled, AckProgress,
                           CaughtUp, Forgotten, FalseClaim, Pulled>;

// What an earlier life of this node left on a disk (journal/recovery.h).
struct Recovered {
  Vector applied;                             // what its stores hold at least
  std::deque<std::pair<Dot, Bytes>> records;  // the last of the logs, for others that lack them
  std::vector<std::pair<StoreId, Key>> owes;  // states that may be in no log
  bool owes_all = false;                      // ... and nobody knows which
  bool partial = false;                       // they hold what `applied` does not tell of

  void keep(const Dot& dot, Bytes record);

 private:
  size_t bytes_ = 0;
};

struct Config {
  std::string cluster;              // its name is part of what is signed
  bool tell_records = false;        // for a journal
  RingLimits ring;                  // for all logs together
  Duration exchange_interval = 1s;  // of vectors, only what changed
  Duration direct_grace = 3s;       // a gap in the log of a present peer is left to its own stream
  Duration request_timeout = 10s;   // silence on a range request or a snapshot
  Duration donor_pause = 60s;       // a peer that did not answer is asked for no more, if there are others
  Duration pull_timeout = 5s;
  Duration debt_patience = 60s;   // beyond direct_grace, while something is still asked for
  size_t range_bytes = 1 << 20;   // sent for one range request
  size_t snapshot_window = 4;     // chunks on their way
  size_t max_departed = 256;      // logs of replicas that are not present; beyond, they are retired ...
  Duration retire_after = 10min;  // ... when they were quiet for so long and all agree on them; beyond
                                  // twice as many, also when a peer does not agree
  // Logs that exist for us by one peer's word alone. An honest peer brings a node that joins what is
  // departed (twice max_departed at most) and what is retired (512).
  size_t max_brought = 1024;
  size_t max_debts = 1024;  // pulled states not yet known to be in a log
};

struct Counters {
  uint64_t ops_appended = 0, ops_sent = 0, ops_applied = 0, ops_duplicate = 0, ops_refused = 0;
  uint64_t ops_forged = 0, false_claims = 0;
  uint64_t ranges_asked = 0, ranges_answered = 0, ranges_gone = 0;
  uint64_t snapshots_taken = 0, snapshots_aborted = 0, snapshots_served = 0;
  uint64_t pulls_asked = 0, pulls_answered = 0;
  uint64_t debts_written = 0, logs_retired = 0, logs_refused = 0, messages_refused = 0;
};

class Core {
 public:
  // The key is the one that self.node is made of. The source outlives the core. A core starts with an
  // empty log and joins: see caught_up.
  Core(Config config, Replica self, crypto::SigningKey key, Source& source, MonoTime now);

  // Goes on where an earlier life of this node ended; the stores have what it speaks of. Before anything
  // else, with a greater incarnation than any of that life's.
  void recover(Recovered recovered, MonoTime now);

  // Writes to our own log: op.dot is set and returned. The store has applied the op already.
  Dot append(Op op, MonoTime now);

  // A link to this peer is up; messages of an older link will not come any more. A peer that comes with
  // another incarnation is another replica.
  void peer_up(Replica peer, MonoTime now);
  void peer_down(NodeId peer, MonoTime now);
  // There is no ready member to learn from (this node is alone, or all start together): what the
  // present peers have is enough to be caught up. Has no effect later.
  void allow_founding(MonoTime now);

  // Fails with protocol or limit: the sender is broken, drop the link. Without effect then, but for
  // ops that preceded the bad one. Messages of a peer that is not up are ignored.
  Result<void> handle_message(NodeId from, uint8_t type, ByteView payload, MonoTime now);
  void handle_timeout(MonoTime now);
  MonoTime poll_timeout() const { return next_tick_; }

  std::optional<Event> poll_event();
  // The next message of this priority to this peer. Ask only when the link takes it: what is not
  // asked for costs nothing. Gives nothing while events wait, for what we say must be true of the store.
  std::optional<Transmit> poll_transmit(NodeId to, Priority priority);
  // Whether there was input since this was last asked. If not, a peer that was polled until it gave nothing
  // has nothing now: what is to be said changes by input alone.
  bool had_input() { return std::exchange(had_input_, false); }

  // Asks one peer for the state of a key. Always ends in one Pulled event: answered at once with what
  // the peer has, or not found after pull_timeout or peer_down.
  uint64_t pull(NodeId from, StoreId store, const Key& key, const Dot& at_least, MonoTime now);

  // Whether the write at this position is in our state. True for seq 0.
  bool covers(const Dot& dot) const;
  const Vector& applied() const { return applied_; }
  // Equal on two nodes when their vectors are (retired logs aside).
  uint64_t vector_digest() const;
  // Present peers known to have applied this write of ours.
  size_t acked_by(uint64_t own_seq) const;
  size_t peers() const { return peers_.size(); }
  std::vector<NodeId> present() const;
  // Present peers known by their vectors to have applied the write, its origin first.
  std::vector<NodeId> holders(const Dot& dot) const;
  // Whether we have had all that the present peers had when they came up, at least one of them being
  // caught up itself (or founding allowed). Stays true.
  bool caught_up() const { return caught_up_; }

  Replica self() const { return self_; }
  uint64_t own_seq() const { return own_seq_; }
  size_t bytes_held() const { return ring_.bytes(); }
  // Whether states came of which nobody can say yet that they are in logs.
  bool owes() const { return owing_; }
  // Whether logs were retired: the stores hold what applied() does not tell of.
  bool partial() const { return partial_; }
  // Whether Forgotten will come for this log, when the time is there.
  bool remembers(const Replica& origin) const { return applied_.contains(origin) || is_retired(origin); }
  const Counters& counters() const { return counters_; }

 private:
  struct RangeJob {  // what a peer asked of us
    uint64_t request = 0;
    Replica origin;
    std::vector<Interval> wanted;
    size_t budget = 0;  // bytes left
    bool gone = false;  // something wanted has left the ring
  };
  struct SnapshotJob {  // a snapshot we give
    uint64_t request = 0;
    SnapshotCursor cursor;
    uint64_t next_chunk = 0;
    uint64_t acked_chunks = 0;
  };
  struct Small {  // a control message that waits for its turn
    MessageType type = MessageType::vector;
    Bytes payload;
  };
  struct Peer {
    Replica replica;
    Vector known;             // what it said it has
    bool introduced = false;  // its first vector is complete
    bool caught_up = false;   // it said so
    bool partial = false;     // likewise
    Vector at_start;          // its first vector, while we are joining
    uint64_t next_own = 1;    // cursor into our own log
    uint64_t own_at_up = 0;   // how long our log was when the link came up
    bool claimed_falsely = false;
    uint64_t end_heard = 0;            // claims of others about its log up to here were put to it
    MonoTime no_donor_until;           // its last snapshot timed out ...
    MonoTime silent_until;             // ... or its last range
    std::set<Replica> changed;         // entries of our vector to tell at the next exchange
    bool tell_all = true;              // our first vector is to be sent
    std::optional<Replica> tell_from;  // ... and continues here
    bool tell_now = true;              // do not wait for the exchange interval
    bool ack_due = false;              // its own log advanced here
    bool vector_was_last = false;      // of the control messages
    std::deque<Small> small;
    std::deque<PullRequest> pulls;  // to be answered
    std::map<Replica, RangeJob> ranges;
    std::optional<SnapshotJob> snapshot;
  };
  struct Ask {  // our range request for a log
    NodeId to;
    uint64_t request = 0;
    uint64_t had = 0;      // how much we had of it, to see whether an answer brought something
    uint64_t claimed = 0;  // its writer is asked whether it goes so far
    MonoTime deadline;
  };
  struct Repair {             // of a log that we lack something of
    uint64_t stalled_at = 0;  // our prefix, the last time it moved ...
    MonoTime since;           // ... which was then
    std::optional<Ask> ask;
    std::set<NodeId> gone;  // holders that could not give it
    bool hopeless = false;  // nor a snapshot, for now
  };
  struct Intake {  // the snapshot that we take
    Replica from;
    uint64_t request = 0;
    uint64_t next_chunk = 0;
    MonoTime deadline;
    Vector at_start;  // what the donor had and we had not, when it began
    Vector latest;    // and at the last chunk: the entries so far hold no more than this
  };
  struct PendingPull {
    NodeId from;
    StoreId store = StoreId::session;
    Key key;
    MonoTime deadline;
  };
  // State that came outside a log; it holds no more than the donor had then. Paid when we have that too.
  struct Debt {
    Replica from;
    Vector limit;
    std::optional<std::pair<StoreId, Key>> key;  // of a pull; else many, of a snapshot
    MonoTime since;
  };

  struct Departed {
    Replica origin;
    MonoTime since;
  };

  // core.cpp
  void drop(NodeId node, MonoTime now);
  Peer* find(NodeId node);
  bool is_present(const Replica& replica) const;
  bool is_retired(const Replica& replica) const;
  const Coverage& have_of(const Replica& origin) const;
  Coverage& log_of(const Replica& origin, MonoTime now);  // made when missing, revived when retired
  void note_progress(const Replica& origin);
  const Peer* writer_of(const Replica& origin) const;
  static uint64_t told_end(const Peer& writer);
  Coverage credible(const Replica& origin, const Coverage& claim) const;
  uint64_t open_claim(const Replica& origin, const Coverage& claim) const;
  void forget_departed(const Replica& origin);
  void finish_pull(uint64_t request, bool found, bool covers);
  // transmit.cpp
  std::optional<Transmit> control_for(Peer& peer);
  std::optional<Transmit> vector_for(Peer& peer);
  std::optional<Transmit> own_ops_for(Peer& peer);
  std::optional<Transmit> range_for(Peer& peer);
  std::optional<Transmit> snapshot_for(Peer& peer);
  Transmit pull_answer_for(Peer& peer);
  Vector ahead_of(const Peer& peer) const;
  Vector owed_for(std::optional<std::pair<StoreId, Key>> key) const;
  // receive.cpp
  Result<void> on_ops(Peer& peer, ByteView payload, MonoTime now);
  Result<void> on_vector(Peer& peer, ByteView payload, MonoTime now);
  Result<void> on_range_request(Peer& peer, ByteView payload);
  Result<void> on_range_end(Peer& peer, ByteView payload, MonoTime now);
  Result<void> on_snapshot_request(Peer& peer, ByteView payload);
  Result<void> on_snapshot(Peer& peer, ByteView payload, MonoTime now);
  Result<void> on_snapshot_ack(Peer& peer, ByteView payload);
  Result<void> on_pull(Peer& peer, ByteView payload);
  Result<void> on_pulled(Peer& peer, ByteView payload, MonoTime now);
  Bytes told(ByteView record) const;
  void introduce(Peer& peer, MonoTime now);
  bool knows(const Replica& origin) const;
  bool bring(NodeId peer, const Replica& origin);
  void take_own_claim(Peer& peer, const Coverage& claim);
  void take_back(const Replica& origin, uint64_t end);
  // repair.cpp
  void note_lack(const Replica& origin, MonoTime now);
  void plan(MonoTime now);
  bool needs_snapshot_of(const Peer& peer) const;
  Peer* join_donor(MonoTime now);
  Peer* best_donor(const std::vector<Peer*>& among, MonoTime now);
  uint64_t worth(const Peer& peer) const;
  Peer* plan_log(const Replica& origin, Repair& repair, MonoTime now);
  void ask_range(Peer& peer, const Replica& origin, Repair& repair, MonoTime now);
  void ask_end(const Replica& origin, uint64_t claimed, Repair& repair, MonoTime now);
  void begin_snapshot(Peer& donor, MonoTime now);
  void finish_snapshot(Peer& donor, MonoTime now);
  void abort_snapshot(MonoTime now);
  bool is_empty_talk(const Replica& origin) const;
  void check_caught_up();
  void expire_requests(MonoTime now);
  void owe(Debt debt, MonoTime now);
  bool is_paid(const Debt& debt) const;
  void settle_debts(MonoTime now);
  void note_settled();
  void write_debt(const std::pair<StoreId, Key>& of, MonoTime now);
  void write_debts();
  void retire_logs(MonoTime now);
  void retire(const Replica& origin);

  const Config config_;
  const Replica self_;
  const crypto::SigningKey key_;
  Source& source_;
  uint64_t own_seq_ = 0;
  uint64_t next_request_ = 1;
  MonoTime next_tick_;
  Ring ring_;
  Vector applied_;
  std::map<NodeId, Peer> peers_;
  std::map<Replica, Repair> repairs_;
  std::optional<Intake> intake_;
  std::map<uint64_t, PendingPull> pulls_;
  std::deque<Debt> debts_;
  std::deque<Departed> departed_;      // logs without a present node, the longest quiet first
  Vector retired_;                     // logs that were dropped from the vector: what we had of them ...
  std::deque<Replica> retired_order_;  // ... the oldest first, bounded
  std::map<NodeId, std::set<Replica>> brought_;  // logs that are here by the word of this peer
  std::deque<Event> events_;
  bool caught_up_ = false;
  bool founding_ = false;
  bool took_snapshot_ = false;
  bool recovered_ = false;
  bool partial_ = false;
  bool owing_ = false;  // states came since Settled
  bool had_input_ = false;
  Counters counters_;
};

}  // namespace kith::replication
