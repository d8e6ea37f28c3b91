#include "once/register.h"

namespace kith::once {

Vote Acceptor::prepare(const Ballot& ballot) {
  if (ballot < promised_) return {Vote::Kind::refused, ballot, promised_, {}};
  promised_ = ballot;
  return {Vote::Kind::promised, ballot, promised_, accepted_};
}

Vote Acceptor::accept(const Ballot& ballot, const Winner& winner) {
  // Two values under one ballot come from a proposer that lies.
  bool another = accepted_ && accepted_->ballot == ballot && accepted_->winner != winner;
  if (ballot < promised_ || another) return {Vote::Kind::refused, ballot, promised_, {}};
  promised_ = ballot;
  accepted_ = {ballot, winner};
  return {Vote::Kind::accepted, ballot, promised_, {}};
}

bool Proposal::count(size_t place, const Vote& vote) {
  Vote::Kind wanted = preparing() ? Vote::Kind::promised : Vote::Kind::accepted;
  if (vote.ballot != ballot_ || vote.kind != wanted) return false;
  answered_.set(place);
  if (vote.found && (!found_ || vote.found->ballot > found_->ballot)) found_ = vote.found;
  return answered_.count() >= majority_;
}

void Proposal::propose(const Winner& ours) {
  value_ = found_ ? found_->winner : ours;
  answered_.reset();
}

}  // namespace kith::once
