#include "journal/recovery.h"

namespace kith::journal {

void Recovery::take(ByteView frame, bool intact) {
  intact_ = intact_ && intact;
  RecordReader reader(frame);
  while (auto record = reader.next()) std::visit([this](auto& each) { take(std::move(each)); }, *record);
  if (!reader.ok()) distrust();
}

void Recovery::end_of_file(bool intact, uint64_t frames) {
  intact_ = intact_ && intact;
  frames_ = frames;
  if (!head_) return;
  head_.reset();
  intact_ = false;
  believes_claims();
}

void Recovery::distrust() {
  ++summary_.refused;
  intact_ = false;
}

void Recovery::take(OpRecord&& op) {
  replication::Op decoded;
  if (op.record.size() <= replication::kProofBytes ||
      !replication::decode_op_body(ByteView(op.record).first(op.record.size() - replication::kProofBytes),
                                   decoded)) {
    return distrust();
  }
  decoded.dot = op.dot;
  // Too many gaps to keep: it is applied all the same, and asked for again.
  out_.applied[op.dot.origin].add(op.dot.seq);
  stores_.apply_op(decoded);
  out_.keep(op.dot, std::move(op.record));
  ++summary_.ops;
}

void Recovery::take(StateRecord&& state) {
  stores_.apply_state(state.entry);
  ++summary_.states;
  if (head_) {
    ++states_in_snapshot_;
  } else if (state.pulled) {
    pulled_.emplace(state.entry.store, state.entry.key);
  } else {
    owes_ = true;
  }
}

bool Recovery::believes_claims() {
  if (intact_) return true;
  ++summary_.claims_refused;
  owes_more_ = true;
  return false;
}

void Recovery::take(AdoptedRecord&& adopted) {
  if (believes_claims()) out_.applied[adopted.origin].merge(adopted.coverage);
}

// Said of all that was written; of what is missing nobody knows.
void Recovery::take(SettledRecord&&) {
  if (!intact_) return;
  owes_ = owes_more_ = false;
  pulled_.clear();
}

void Recovery::take(ClippedRecord&& clipped) {
  if (auto log = out_.applied.find(clipped.origin); log != out_.applied.end()) log->second.clip(clipped.last);
}

void Recovery::take(LifeRecord&& life) {
  summary_.last_incarnation = std::max(summary_.last_incarnation, life.self.incarnation);
  if (life.lossy && !at_snapshot_) intact_ = false;  // the snapshot has what the disk did not take
  // What one life wrote to the file before, this file builds on. (What an earlier life left torn, it has read
  // as we did.)
  if (life_ == life.self && life.frames_before != frames_ && !at_snapshot_) intact_ = false;
  life_ = life.self;
}

void Recovery::take(HeadRecord&& head) {
  summary_.last_incarnation = std::max(summary_.last_incarnation, head.self.incarnation);
  owes_more_ = owes_more_ || head.owes;
  out_.partial = out_.partial || head.partial;
  head_ = std::move(head);
  states_in_snapshot_ = 0;
}

void Recovery::take(EndRecord&& end) {
  if (!head_) return distrust();
  const HeadRecord head = std::move(*head_);
  head_.reset();
  if (end.states != states_in_snapshot_) intact_ = false;
  if (!believes_claims()) return;
  for (const auto& [origin, coverage] : head.vector) out_.applied[origin].merge(coverage);
}

replication::Recovered Recovery::finish() {
  if (owes_ || owes_more_) {
    out_.owes_all = true;
  } else {
    out_.owes.assign(pulled_.begin(), pulled_.end());
  }
  return std::move(out_);
}

}  // namespace kith::journal
