// What the files of a journal add up to.
//
// Rules: the newest whole snapshot, then the journals from its generation on, in order. An op stands for
// itself, whatever is missing around it. A claim beyond that (a snapshot's vector, an adopted part of a log)
// stands only if everything before it was read, for it may be about what was not; who claims too little pulls
// it again, who claims too much is wrong for ever. What may be in no log any more is owed: the core writes it
// to its own.
#pragma once

#include <functional>
#include <set>

#include "journal/records.h"

namespace kith::journal {

class Recovery {
 public:
  // The stores, as recovery writes to them.
  struct Stores {
    std::function<void(const replication::Op&)> apply_op;
    std::function<void(const replication::StateEntry&)> apply_state;
  };
  explicit Recovery(Stores stores) : stores_(std::move(stores)) {}

  // The records of one frame. intact: nothing before it in this file is missing.
  void take(ByteView frame, bool intact);
  // Before the frames of a journal. at_snapshot: it begins where the snapshot that was read does.
  void begin_journal(bool at_snapshot) { at_snapshot_ = at_snapshot; }
  // A torn end is no damage: what was being written when the node ended was not promised to anybody. A
  // snapshot that has no end is.
  // frames: the number of the last one.
  void end_of_file(bool intact, uint64_t frames = 0);
  // A file that there must be is not, or cannot be read.
  void missing_file() { intact_ = false; }

  struct Summary {
    uint64_t ops = 0, states = 0;
    uint64_t refused = 0;  // records that cannot be right
    uint64_t claims_refused = 0;
    uint64_t last_incarnation = 0;  // of the node that wrote it
  };
  const Summary& summary() const { return summary_; }
  // Once, at the end.
  replication::Recovered finish();

 private:
  void take(OpRecord&& op);
  void take(StateRecord&& state);
  void take(AdoptedRecord&& adopted);
  void take(SettledRecord&&);
  void take(ClippedRecord&& clipped);
  void take(LifeRecord&& life);
  void take(HeadRecord&& head);
  void take(EndRecord&& end);
  bool believes_claims();
  void distrust();

  Stores stores_;
  replication::Recovered out_;
  std::set<std::pair<replication::StoreId, replication::Key>> pulled_;  // since all was settled
  bool intact_ = true;
  bool at_snapshot_ = false;
  Replica life_;                    // who wrote the journal before
  uint64_t frames_ = 0;             // that were read of it
  std::optional<HeadRecord> head_;  // of the snapshot that is being read
  uint64_t states_in_snapshot_ = 0;
  bool owes_ = false;       // states of a peer's snapshot since all was settled
  bool owes_more_ = false;  // ... or states whose claim is not believed
  Summary summary_;
};

}  // namespace kith::journal
