// What a node does as a member of groups: it keeps records, votes, and finds out who has won.
#include <algorithm>

#include "once/core.h"

namespace kith::once {
namespace {

constexpr Duration kSweep = 1s;          // how often expired records are looked for
constexpr Duration kLongestPause = 10s;  // between two copies to a deputy that does not answer
constexpr Duration kBackoff = 40ms;      // at most, before one who was outbid tries anew

}  // namespace

Core::Held* Core::find(const RecordId& id) {
  auto at = records_.find(id);
  return at == records_.end() ? nullptr : &at->second;
}

// ---------------------------------------------------------------- records and their copies

Result<std::vector<Fingerprint>> Core::mint(Mint mint, MonoTime deadline, Now now) {
  begin(now);
  if (mint.payload.size() > kMaxPayload || mint.expires <= now_.wall ||
      mint.expires > now_.wall + config_.longest_life)
    return Error(Code::invalid, "a record of this size or lifetime is not kept");
  if (records_.contains(mint.id)) return Error(Code::conflict, "this record is there already");
  Record record{mint.id, choose_group(mint.id, self_, view_), mint.expires, mint.required,
                std::move(mint.payload)};
  KITH_TRY_VOID(has_room(record, self_));
  std::vector<Fingerprint> group;
  for (const Replica& replica : record.group) group.push_back(fingerprint_of(replica));

  Held& held = keep(std::move(record), 0, self_);
  ++counters_.minted;
  std::bitset<kGroupSize> deputies;
  for (size_t place = 1; place < group.size(); ++place) deputies.set(place);
  held.copying = Copying{deputies, deadline, now_.mono, config_.resend};
  if (deputies.none()) tell_minted(held, false);
  send_copies(held);
  plan(held);
  finish();
  return group;
}

bool Core::fits(const Load& present, const Record& record, size_t parts) const {
  return present.records < config_.max_records / parts &&
         present.bytes + record.payload.size() <= config_.max_bytes / parts;
}

Result<void> Core::has_room(const Record& record, const Replica& giver) const {
  if (record.expires > now_.wall + config_.longest_life + config_.grace)
    return Error(Code::limit, "the record lives too long");
  if (!fits(load_, record, 1)) return Error(Code::limit, "no room for another record");
  auto given = given_by_.find(giver);
  if (giver != self_ && given != given_by_.end() && !fits(given->second, record, 2))
    return Error(Code::limit, "no room for another record from this node");
  return {};
}

// Of another node's record: whether we may have had it, voted on it and dropped it. Who then votes again may
// vote for another.
bool Core::may_be_gone(const Record& record) const {
  return record.expires <= gone_until_ || record.expires + config_.grace <= now_.wall;
}

Core::Held& Core::keep(Record record, size_t place, const Replica& giver) {
  if (records_.empty()) next_sweep_ = now_.mono + kSweep;
  by_expiry_.emplace(record.expires, record.id);
  for (Load* load : {&load_, &given_by_[giver]}) {
    ++load->records;
    load->bytes += record.payload.size();
  }
  Held& held = records_[record.id];
  held.next_round = place == 0 ? 0 : 1;  // round 0 is the minting node's
  held.place = place;
  held.giver = giver;
  held.record = std::move(record);
  return held;
}

void Core::drop(const RecordId& id) {
  Held& held = *find(id);
  tell_minted(held, false);
  end_round(held, Outcome::expired);
  set_alarm(held.alarm, {kNever, id});
  gone_until_ = std::max(gone_until_, held.record.expires);
  by_expiry_.erase({held.record.expires, id});
  auto given = given_by_.find(held.giver);
  for (Load* load : {&load_, &given->second}) {
    --load->records;
    load->bytes -= held.record.payload.size();
  }
  if (given->second.records == 0) given_by_.erase(given);
  records_.erase(id);
}

// The wall clock may step, so it is looked at again and again.
void Core::sweep() {
  while (!by_expiry_.empty() && by_expiry_.begin()->first + config_.grace <= now_.wall)
    drop(RecordId(by_expiry_.begin()->second));
  next_sweep_ = records_.empty() ? kNever : now_.mono + kSweep;
}

void Core::tell_minted(Held& held, bool acknowledged) {
  if (!held.copying || held.copying->tell_by == kNever) return;
  held.copying->tell_by = kNever;
  events_.push_back(Minted{held.record.id, acknowledged});
}

// To deputies that have not answered, and rarer and rarer to one that does not.
void Core::send_copies(Held& held) {
  Copying& copying = *held.copying;
  if (copying.open.none()) {
    held.copying.reset();
    return;
  }
  Bytes payload = Store{held.record}.encode();
  for (size_t place = 1; place < held.record.group.size(); ++place) {
    if (copying.open[place]) send(held.record.group[place], MessageType::store, payload);
  }
  copying.next = now_.mono + copying.pause;
  copying.pause = std::min(copying.pause * 2, kLongestPause);
}

void Core::on_store(const Replica& from, const Store& message) {
  const Record& record = message.record;
  auto place = record.place_of(self_);
  bool has = false;
  if (place && *place != 0 && record.place_of(from)) {  // nobody has to tell us what we minted
    if (Held* held = find(record.id)) {
      has = held->record == record;
    } else if (!may_be_gone(record) && has_room(record, from)) {
      keep(record, *place, from);
      ++counters_.copies_taken;
      has = true;
    }
  }
  if (!has) ++counters_.copies_refused;
  send(from, MessageType::stored, Stored{record.id, has}.encode());
}

void Core::on_stored(const Replica& from, const Stored& message) {
  Held* held = find(message.id);
  auto place = held ? held->record.place_of(from) : std::nullopt;
  if (!place || !held->copying || !held->copying->open[*place]) return;
  held->copying->open.reset(*place);
  if (message.held || held->copying->open.none()) tell_minted(*held, message.held);
  if (held->copying->open.none()) held->copying.reset();
  plan(*held);
}

// ---------------------------------------------------------------- voting

void Core::on_prepare(const Replica& from, const Prepare& message) {
  Held* held = find(message.id);
  if (held && held->record.place_of(from) != message.ballot.place) return refuse();
  Vote vote{Vote::Kind::missing, message.ballot, {}, {}};
  if (held) vote = held->acceptor.prepare(message.ballot);
  send(from, MessageType::vote, VoteMessage{message.id, vote}.encode());
}

void Core::on_accept(const Replica& from, const Accept& message) {
  const auto& [ballot, winner] = message.proposal;
  Held* held = find(message.id);
  if (held && held->record.place_of(from) != ballot.place) return refuse();
  if (held && held->record.required && *held->record.required != winner.proof) return refuse();
  Vote vote{Vote::Kind::missing, ballot, {}, {}};
  if (held) vote = held->acceptor.accept(ballot, winner);
  send(from, MessageType::vote, VoteMessage{message.id, vote}.encode());
}

// ---------------------------------------------------------------- finding out who has won

// Ours are counted where our clients ask. Of the others nobody takes all places.
bool Core::may_ask(const Replica& who) const {
  if (who == self_) return true;
  auto present = asking_from_.find(who);
  bool has_many = present != asking_from_.end() && present->second >= config_.max_requests / 2;
  return !has_many && asking_ < config_.max_requests;
}

void Core::forget_asker(const Replica& who) {
  --asking_;
  auto present = asking_from_.find(who);
  if (--present->second == 0) asking_from_.erase(present);
}

void Core::on_redeem(const Replica& from, const Redeem& message) {
  Asker asker{from, message.nonce, message.proof, now_.mono + message.patience};
  Held* held = find(message.id);
  if (!held) return answer(asker, {.outcome = Outcome::unknown});
  if (held->record.required && *held->record.required != message.proof)
    return answer(asker, {.outcome = Outcome::wrong_proof});
  if (held->winner) return answer(asker, judge(*held, asker));

  auto is_asking = [&](const Asker& one) { return one.who == from && one.nonce == message.nonce; };
  if (held->round && std::any_of(held->round->askers.begin(), held->round->askers.end(), is_asking)) return;
  if (!may_ask(from)) {
    ++counters_.redemptions_dropped;  // it will ask somebody else
    return;
  }
  ++asking_;
  ++asking_from_[from];
  bool is_first = !held->round;
  if (is_first) held->round = Round{};
  held->round->askers.push_back(asker);
  held->round->until = std::min(held->round->until, asker.until);
  if (is_first) propose(*held);
  plan(*held);
}

Winner Core::first_asker(const Held& held) const {
  const Asker& asker = held.round->askers.front();
  return {asker.nonce, asker.proof, now_.wall};
}

// A ballot that was never used, above all that we know of.
void Core::propose(Held& held) {
  const Ballot& promised = held.acceptor.promised();
  if (promised != Ballot{}) held.next_round = std::max(held.next_round, promised.round + 1);
  // An expired record is only read, for who has won it may ask again.
  if (has_expired(held.record)) held.next_round = std::max<uint32_t>(held.next_round, 1);
  if (held.next_round > kMaxRound) return end_round(held, Outcome::no_majority);
  Ballot ballot{held.next_round++, static_cast<uint8_t>(held.place)};
  held.round->proposal.emplace(ballot, held.record.majority());
  if (ballot.round == 0) held.round->proposal->propose(first_asker(held));
  send_step(held);
}

void Core::send_step(Held& held) {
  held.round->next = now_.mono + config_.resend;
  held.round->supplied.reset();
  for (size_t place = 0; place < held.record.group.size(); ++place) {
    if (!held.round->proposal->has_answered(place)) send_step(held, place);
  }
}

void Core::send_step(const Held& held, size_t place) {
  const Proposal& proposal = *held.round->proposal;
  const Replica& to = held.record.group[place];
  if (proposal.preparing()) {
    send(to, MessageType::prepare, Prepare{held.record.id, proposal.ballot()}.encode());
  } else {
    send(to, MessageType::accept, Accept{held.record.id, {proposal.ballot(), proposal.value()}}.encode());
  }
}

void Core::on_vote(const Replica& from, const VoteMessage& message) {
  Held* held = find(message.id);
  auto place = held ? held->record.place_of(from) : std::nullopt;
  if (!place || !held->round || !held->round->proposal) return;
  Proposal& proposal = *held->round->proposal;
  const Vote& vote = message.vote;
  if (vote.ballot != proposal.ballot()) return;
  if (vote.kind == Vote::Kind::refused) {
    outbid(*held, vote.promised);
  } else if (vote.kind == Vote::Kind::missing) {
    if (held->round->supplied[*place]) return;
    held->round->supplied.set(*place);
    send(from, MessageType::store, Store{held->record}.encode());
    send_step(*held, *place);
  } else if (proposal.count(*place, vote)) {
    if (!proposal.preparing()) {
      held->winner = proposal.value();
      end_round(*held, Outcome::won);
    } else if (!proposal.found() && has_expired(held->record)) {
      end_round(*held, Outcome::expired);
    } else {
      proposal.propose(first_asker(*held));
      send_step(*held);
    }
  }
  plan(*held);
}

// Two that try at the same time would outbid each other for ever if they did not wait for a random time.
void Core::outbid(Held& held, const Ballot& promised) {
  ++counters_.rounds_outbid;
  held.next_round = std::max(held.next_round, promised.round + 1);
  held.round->proposal.reset();
  held.round->next = now_.mono + Duration(random_() % static_cast<uint64_t>(Duration(kBackoff).count()));
}

RedeemedMessage Core::judge(const Held& held, const Asker& asker) const {
  const Winner& winner = *held.winner;
  bool itself = winner.nonce == asker.nonce && winner.proof == asker.proof;
  bool in_time = winner.proof == asker.proof && now_.wall <= winner.at + config_.retry_window;
  if (itself || in_time) return {.outcome = Outcome::won, .again = !itself, .payload = held.record.payload};
  return {.outcome = Outcome::used, .first = winner.proof};
}

void Core::answer(const Asker& asker, const RedeemedMessage& message) {
  RedeemedMessage named = message;
  named.nonce = asker.nonce;
  send(asker.who, MessageType::redeemed, named.encode());
}

void Core::end_round(Held& held, Outcome outcome) {
  if (!held.round) return;
  for (const Asker& asker : held.round->askers) {
    answer(asker, outcome == Outcome::won ? judge(held, asker) : RedeemedMessage{.outcome = outcome});
    forget_asker(asker.who);
  }
  held.round.reset();
}

// ---------------------------------------------------------------- time

void Core::dismiss_late_askers(Held& held) {
  Round& round = *held.round;
  Outcome outcome = has_expired(held.record) ? Outcome::expired : Outcome::no_majority;
  round.until = kNever;
  std::erase_if(round.askers, [&](const Asker& asker) {
    bool is_late = asker.until <= now_.mono;
    if (is_late) {
      answer(asker, {.outcome = outcome});
      forget_asker(asker.who);
    } else {
      round.until = std::min(round.until, asker.until);
    }
    return is_late;
  });
  if (round.askers.empty()) held.round.reset();
}

void Core::wake(Held& held) {
  if (held.copying && held.copying->tell_by <= now_.mono) tell_minted(held, false);
  if (held.copying && held.copying->next <= now_.mono) send_copies(held);
  if (held.round && held.round->until <= now_.mono) dismiss_late_askers(held);
  if (held.round && held.round->next <= now_.mono) {
    if (held.round->proposal) {
      send_step(held);
    } else {
      propose(held);
    }
  }
  plan(held);
}

// The record's alarm is for whatever comes first.
void Core::plan(Held& held) {
  MonoTime when = kNever;
  if (held.copying) when = std::min(held.copying->next, held.copying->tell_by);
  if (held.round) when = std::min({when, held.round->next, held.round->until});
  set_alarm(held.alarm, {when, held.record.id});
}

}  // namespace kith::once
