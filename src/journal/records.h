// What a journal says, as plain structs and their bytes (docs/formats/journal.md).
//
// Problem: a cluster that stops as a whole must come back with what its nodes had, and a node that restarts
// must know exactly what it has, so that it pulls the rest and nothing else.
// Idea: a journal repeats what happened to the stores and to the vector: ops as their logs have them,
// states that came outside a log, and the parts of logs that a finished snapshot stands for. Merging is a
// property of the values, so replaying is applying it all again, in any number and over anything.
#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "replication/core.h"

namespace kith::journal {

// A write of some log: its record (replication/op.h) is what others can be given later.
struct OpRecord {
  Dot dot;
  Bytes record;
};
// What came outside a log.
struct StateRecord {
  replication::StateEntry entry;
  bool pulled = false;  // by itself; else as a part of a snapshot
};
// What a finished snapshot of a peer stands for.
struct AdoptedRecord {
  Replica origin;
  replication::Coverage coverage;
};
// What was claimed of the log beyond this was not true.
struct ClippedRecord {
  Replica origin;
  uint64_t last = 0;
};
// All states before this are known to be in logs.
struct SettledRecord {};
// The first of a journal: who writes it.
struct LifeRecord {
  Replica self;
  bool lossy = false;          // something that happened before this is in no file: the disk did not take it
  uint64_t frames_before = 0;  // in the journal that the same life wrote before; 0: this is its first
};
// The first of a snapshot: what its states hold at least.
struct HeadRecord {
  Replica self;
  bool owes = false;     // some of it may be in no log
  bool partial = false;  // there is more in the states than the vector tells of
  replication::Vector vector;
};
// The last of a snapshot.
struct EndRecord {
  uint64_t states = 0;
};
using Record = std::variant<OpRecord, StateRecord, AdoptedRecord, SettledRecord, LifeRecord, HeadRecord,
                            EndRecord, ClippedRecord>;

// Appends one record.
void put_op(Bytes& out, const Dot& dot, ByteView record);
void put_state(Bytes& out, const replication::StateEntry& entry, bool pulled);
void put(Bytes& out, const AdoptedRecord& record);
void put(Bytes& out, const ClippedRecord& record);
void put(Bytes& out, const SettledRecord& record);
void put(Bytes& out, const LifeRecord& record);
void put(Bytes& out, const HeadRecord& record);
void put(Bytes& out, const EndRecord& record);

// Takes the records of a frame one by one.
class RecordReader {
 public:
  explicit RecordReader(ByteView frame) : in_(frame) {}
  // The next that this version knows; nullopt at the end and at the first malformed one: ask ok().
  std::optional<Record> next();
  bool ok() const { return ok_; }

 private:
  std::optional<Record> decode(uint8_t kind, ByteView body);
  Reader in_;
  bool ok_ = true;
};

}  // namespace kith::journal
