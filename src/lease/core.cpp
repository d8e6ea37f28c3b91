#include "lease/core.h"

#include <algorithm>

#include "base/check.h"
#include "base/take.h"

namespace kith::lease {
namespace {

constexpr Duration kTurn = 100ms;  // between the attempts of one voter and the next, so that one wins

uint64_t stamp_of(MonoTime time) { return static_cast<uint64_t>(time.time_since_epoch().count()); }

}  // namespace

Core::Core(Config config, NodeId self, uint64_t seed, MonoTime now)
    : config_(config),
      self_(self),
      random_(seed),
      now_(now),
      withhold_until_(now + config.lease + config.margin()),
      view_since_(now) {}

void Core::begin(MonoTime now) {
  now_ = std::max(now_, now);
  if (leading_ && now_ >= held_until()) stand_down();
}

// Tells who leads when that has changed, and sees to it that somebody seeks the lease.
void Core::finish() {
  std::optional<NodeId> known = leader(now_);
  uint64_t under = leader_epoch(now_);
  if (known != told_leader_ || (known && under != told_epoch_)) {
    told_leader_ = known;
    told_epoch_ = under;
    events_.push_back({known, under, known == self_});
  }
  plan_seeking();
}

// ---------------------------------------------------------------- the view

bool Core::in_view(const NodeId& node) const {
  return std::any_of(view_.begin(), view_.end(), [&](const Candidate& one) { return one.id == node; });
}

bool Core::is_ready() const {
  return std::any_of(view_.begin(), view_.end(),
                     [&](const Candidate& one) { return one.id == self_ && one.ready; });
}

bool Core::has_majority() const {
  if (!voters_) return false;
  auto present = std::count_if(voters_->nodes.begin(), voters_->nodes.end(),
                               [&](const NodeId& node) { return in_view(node); });
  return static_cast<size_t>(present) >= needed(*voters_);
}

void Core::set_view(std::vector<Candidate> view, MonoTime now) {
  begin(now);
  std::sort(view.begin(), view.end(), [](const Candidate& a, const Candidate& b) { return a.id < b.id; });
  if (view != view_) {
    std::vector<Candidate> before = std::exchange(view_, std::move(view));
    view_since_ = now_;
    for (const Candidate& one : view_) {
      bool is_new =
          std::none_of(before.begin(), before.end(), [&](const Candidate& old) { return old.id == one.id; });
      if (is_new && voters_ && one.id != self_) notice(one.id);
    }
  }
  finish();
}

// Who comes learns of the lineage before it thinks of beginning one.
void Core::notice(const NodeId& to) {
  Answer message{Answer::Verdict::notice, greatest_epoch_, 0, *voters_};
  transmits_.push_back({to, static_cast<uint8_t>(MessageType::answer), message.encode()});
}

// ---------------------------------------------------------------- voters

void Core::set_voters(Voters voters) {
  former_.reset();
  voters_ = std::move(voters);
  std::erase_if(missing_, [&](const auto& entry) { return !voters_->contains(entry.first); });
  if (claim_) claim_->adopted.clear();
}

// What somebody else says of the voters, when it is ahead of us.
void Core::adopt(const Voters& voters) {
  if (voters_ && !voters.supersedes(*voters_)) return;
  bool another_lineage = !voters_ || voters_->lineage != voters.lineage;
  stand_down();
  seek_at_ = kNever;
  if (another_lineage) heard_.reset();  // but what we granted stands: a promise is to everybody
  set_voters(voters);
}

bool Core::may_found() const {
  if (voters_ || resigned_ || !is_ready()) return false;
  auto ready = [](const Candidate& one) { return one.ready; };
  auto count = static_cast<size_t>(std::count_if(view_.begin(), view_.end(), ready));
  return count >= config_.quorum && std::find_if(view_.begin(), view_.end(), ready)->id == self_;
}

void Core::found(WallTime wall) {
  Voters voters;
  voters.lineage = {static_cast<uint64_t>(std::max<int64_t>(0, unix_ms(wall))), random_()};
  voters.nodes = {self_};
  voters.nodes = ideal_voters(self_, voters, view_, {}, config_.quorum);
  set_voters(std::move(voters));
  seek_at_ = now_;
}

// ---------------------------------------------------------------- seeking and holding

MonoTime Core::held_until(const Voters& voters) const {
  std::vector<MonoTime> until;
  for (const auto& [node, at] : claim_->granted) {
    if (voters.contains(node)) until.push_back(at);
  }
  if (until.size() < needed(voters)) return MonoTime::min();
  auto nth = until.begin() + static_cast<std::ptrdiff_t>(needed(voters)) - 1;
  std::nth_element(until.begin(), nth, until.end(), std::greater<>());
  return *nth;
}

MonoTime Core::held_until() const {
  if (!claim_ || !voters_) return MonoTime::min();
  MonoTime until = held_until(*voters_);
  return former_ ? std::max(until, held_until(*former_)) : until;
}

// Who leads may have been cut off from the majority for as long as its lease lasts.
MonoTime Core::confirmed() const {
  const MonoTime by_leader = heard_at_ == MonoTime::min() ? heard_at_ : heard_at_ - config_.lease;
  return leading_ ? std::max(by_leader, held_until() - config_.lease) : by_leader;
}

std::optional<NodeId> Core::leader(MonoTime now) const {
  if (leads(now)) return self_;
  if (heard_ && now < heard_->until) return heard_->node;
  return std::nullopt;
}

uint64_t Core::leader_epoch(MonoTime now) const {
  if (leads(now)) return epoch();
  return heard_ && now < heard_->until ? heard_->epoch : 0;
}

bool Core::may_seek() const {
  return !resigned_ && !claim_ && is_voter() && is_ready() && has_majority() &&
         !(heard_ && now_ < heard_->until);
}

// The voters that are there seek in turns, so that the first one wins before the next one asks.
void Core::plan_seeking() {
  if (!may_seek()) {
    seek_at_ = kNever;
    return;
  }
  if (seek_at_ != kNever) return;
  int64_t turn = 0;
  for (const NodeId& node : voters_->nodes) {
    if (node == self_) break;
    if (in_view(node)) ++turn;
  }
  MonoTime free = granted_ && granted_->node != self_ ? std::max(now_, granted_->until) : now_;
  if (voters_->nodes.size() > 1) free = std::max(free, withhold_until_);
  seek_at_ = free + turn * kTurn + Duration(random_() % static_cast<uint64_t>(Duration(kTurn / 2).count()));
}

void Core::seek(WallTime wall) {
  seek_at_ = kNever;
  uint64_t clock = static_cast<uint64_t>(std::max<int64_t>(0, unix_ms(wall)));
  claim_ = OwnClaim{};
  claim_->epoch = greatest_epoch_ = std::max(greatest_epoch_ + 1, clock);
  claim_->since = now_;
  send_round();
}

void Core::tell_all(Claim::Kind kind) {
  Bytes payload = Claim{kind, claim_->epoch, stamp_of(now_), *voters_}.encode();
  for (const Candidate& one : view_) {
    if (one.id != self_) transmits_.push_back({one.id, static_cast<uint8_t>(MessageType::claim), payload});
  }
}

// Whoever granted is told, so that it need not wait for the end of what nobody uses.
void Core::stand_down() {
  if (!claim_) return;
  leading_ = false;
  tell_all(Claim::Kind::release);
  claim_.reset();
  former_.reset();
  seek_at_ = kNever;
  if (granted_ && granted_->node == self_) granted_.reset();
}

void Core::send_round() {
  claim_->next_round = now_ + (leading_ ? config_.renewal() : config_.renewal() / 2);
  tell_all(leading_ ? Claim::Kind::hold : Claim::Kind::seek);
  if (is_voter() && may_grant(self_, claim_->epoch)) count_own_grant(stamp_of(now_));
}

// We vote by the same rule as the others, so that we cannot lead and grant to somebody else.
void Core::count_own_grant(uint64_t stamp) {
  promised_ = claim_->epoch;
  granted_ = {self_, claim_->epoch, now_ + config_.lease};
  take_grant(self_, {Answer::Verdict::granted, claim_->epoch, stamp, *voters_});
}

void Core::take_grant(const NodeId& from, const Answer& answer) {
  MonoTime asked{Duration(static_cast<int64_t>(answer.stamp))};
  if (asked < claim_->since || asked > now_) return;  // not what we asked
  MonoTime& until = claim_->granted[from];
  until = std::max(until, asked + config_.lease - config_.margin());
  bool same_form = answer.voters == *voters_;
  bool counted = std::find(claim_->adopted.begin(), claim_->adopted.end(), from) != claim_->adopted.end();
  if (same_form && !counted && voters_->contains(from)) claim_->adopted.push_back(from);
  win_if_held();
}

// A leader's first act is to put its own epoch on the voters: forms that were made under lesser epochs and
// are still about somewhere cannot come back any more.
void Core::win_if_held() {
  if (leading_ || now_ >= held_until()) return;
  leading_ = true;
  heard_.reset();
  Voters own = *voters_;
  own.epoch = claim_->epoch;
  own.version = 1;
  set_voters(std::move(own));
  send_round();
}

// The next form of the voters, when a majority has the present one.
void Core::reform() {
  for (const NodeId& node : voters_->nodes) {
    if (in_view(node)) {
      missing_.erase(node);
    } else {
      missing_.try_emplace(node, now_);
    }
  }
  if (claim_->adopted.size() < needed(*voters_)) return;
  former_.reset();
  std::vector<NodeId> absent;
  for (const auto& [node, since] : missing_) {
    if (now_ - since >= config_.absence()) absent.push_back(node);
  }
  std::vector<NodeId> next =
      next_voters(*voters_, ideal_voters(self_, *voters_, view_, absent, config_.quorum));
  if (next == voters_->nodes) return;
  Voters form = *voters_;
  ++form.version;
  form.nodes = std::move(next);
  Voters before = *voters_;
  set_voters(std::move(form));
  former_ = std::move(before);
}

void Core::resign(MonoTime now) {
  begin(now);
  stand_down();
  resigned_ = true;
  finish();
}

// ---------------------------------------------------------------- messages

bool Core::may_grant(const NodeId& to, uint64_t epoch) const {
  bool free = !granted_ || granted_->node == to || now_ >= granted_->until;
  // What we granted to ourselves in an earlier life is nobody's: only others have to wait for it.
  bool waited = now_ >= withhold_until_ || (voters_->nodes.size() == 1 && to == self_);
  return free && waited && epoch >= promised_;
}

void Core::answer(const NodeId& to, const Claim& claim, Answer::Verdict verdict) {
  uint64_t epoch = verdict == Answer::Verdict::granted ? claim.epoch : greatest_epoch_;
  Answer message{verdict, epoch, claim.stamp, *voters_};
  transmits_.push_back({to, static_cast<uint8_t>(MessageType::answer), message.encode()});
}

Result<void> Core::on_claim(NodeId from, const Claim& claim) {
  greatest_epoch_ = std::max(greatest_epoch_, claim.epoch);
  adopt(claim.voters);
  if (claim.kind == Claim::Kind::release) {
    if (granted_ && granted_->node == from && granted_->epoch == claim.epoch) granted_.reset();
    if (heard_ && heard_->node == from && heard_->epoch == claim.epoch) heard_.reset();
    seek_at_ = kNever;
    return {};
  }
  if (claim.voters != *voters_) {  // it is behind
    answer(from, claim, Answer::Verdict::refused);
    return {};
  }
  bool older_news = heard_ && claim.epoch < heard_->epoch && now_ < heard_->until;
  if (claim.kind == Claim::Kind::hold && !older_news && !leads(now_)) {
    heard_ = {from, claim.epoch, now_ + config_.lease};
    heard_at_ = now_;
  }
  if (!is_voter()) return {};
  if (!may_grant(from, claim.epoch)) {
    answer(from, claim, Answer::Verdict::refused);
    return {};
  }
  if (claim_) stand_down();  // our own grant was not there any more, or we sought in vain
  promised_ = claim.epoch;
  granted_ = {from, claim.epoch, now_ + config_.lease};
  seek_at_ = kNever;
  answer(from, claim, Answer::Verdict::granted);
  return {};
}

Result<void> Core::on_answer(NodeId from, const Answer& answer) {
  greatest_epoch_ = std::max(greatest_epoch_, answer.epoch);
  adopt(answer.voters);
  bool ours = answer.verdict == Answer::Verdict::granted && claim_ && answer.epoch == claim_->epoch;
  if (ours) take_grant(from, answer);
  return {};
}

Result<void> Core::handle_message(NodeId from, uint8_t type, ByteView payload, MonoTime now) {
  begin(now);
  Result<void> done;
  if (type == static_cast<uint8_t>(MessageType::claim)) {
    auto claim = Claim::decode(payload);
    done = claim ? on_claim(from, *claim) : Result<void>(std::move(claim).error());
  } else if (type == static_cast<uint8_t>(MessageType::answer)) {
    auto answer = Answer::decode(payload);
    done = answer ? on_answer(from, *answer) : Result<void>(std::move(answer).error());
  }
  finish();
  return done;
}

// ---------------------------------------------------------------- time

void Core::handle_timeout(MonoTime now, WallTime wall) {
  begin(now);
  if (may_found() && now_ - view_since_ >= config_.founding()) found(wall);
  if (claim_ && !leading_ && now_ - claim_->since >= config_.lease / 3) stand_down();  // somebody else had it
  if (claim_ && now_ >= claim_->next_round) {
    if (leading_) reform();
    send_round();
  }
  if (seek_at_ != kNever && now_ >= seek_at_ && may_seek()) seek(wall);
  finish();
}

MonoTime Core::poll_timeout() const {
  MonoTime next = seek_at_;
  if (may_found()) next = std::min(next, view_since_ + config_.founding());
  if (claim_) next = std::min(next, claim_->next_round);
  if (claim_ && !leading_) next = std::min(next, claim_->since + config_.lease / 3);
  if (leading_) next = std::min(next, held_until());
  if (heard_ && now_ < heard_->until) next = std::min(next, heard_->until);
  return next;
}

std::optional<Transmit> Core::poll_transmit() {
  return take_front(transmits_);
}

std::optional<LeaderChanged> Core::poll_event() {
  return take_front(events_);
}

}  // namespace kith::lease
