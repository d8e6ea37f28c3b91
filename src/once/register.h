// One value that a group chooses once and never changes: who redeemed a record.
//
// Problem: nodes crash, stall and lose each other while clients present one code to several of them, and
// nobody's clock can be trusted with the answer. Idea: single-decree Paxos. A proposer asks with a ballot
// that nobody else can use; an acceptor answers a ballot unless it has promised a greater one. What a
// majority accepted under one ballot is chosen, and whoever asks later hears of it from a majority and
// proposes the same. Round 0 is the minting node's alone, so it needs no promises: one round trip.
// Source: Lamport, "Paxos Made Simple" (2001); Rystsov, "CASPaxos" (2018), for a register by itself.
#pragma once

#include <bitset>

#include "once/record.h"

namespace kith::once {

// Unique among proposers by their place in the group, and by the round for each of them.
struct Ballot {
  uint32_t round = 0;
  uint8_t place = 0;  // of the proposer, in the group
  auto operator<=>(const Ballot&) const = default;
};

// A round beyond is malformed, so that one more never overflows.
inline constexpr uint32_t kMaxRound = uint32_t{1} << 30;

struct Winner {
  uint64_t nonce = 0;  // of the redemption
  ProofHash proof;
  WallTime at;  // when it was first proposed, by the proposer's clock
  bool operator==(const Winner&) const = default;
};

struct Accepted {
  Ballot ballot;
  Winner winner;
  bool operator==(const Accepted&) const = default;
};

struct Vote {
  enum class Kind : uint8_t {
    refused = 0,
    missing = 1 /* it does not have the record */,
    promised = 2,
    accepted = 3
  };
  Kind kind = Kind::refused;
  Ballot ballot;                  // that was asked with
  Ballot promised;                // refused: the greater one
  std::optional<Accepted> found;  // promised: what it accepted before
  bool operator==(const Vote&) const = default;
};

class Acceptor {
 public:
  Vote prepare(const Ballot& ballot);
  Vote accept(const Ballot& ballot, const Winner& winner);
  const Ballot& promised() const { return promised_; }

 private:
  Ballot promised_;  // at first the minting node's round 0
  std::optional<Accepted> accepted_;
};

// One ballot of one proposer: first a majority's promises, then a majority's acceptance.
class Proposal {
 public:
  Proposal(Ballot ballot, size_t majority) : ballot_(ballot), majority_(majority) {}

  const Ballot& ballot() const { return ballot_; }
  bool preparing() const { return !value_; }
  // What is proposed; only when it is no longer preparing.
  const Winner& value() const { return *value_; }
  // What may have been chosen before, as far as promises told. With a majority of promises: for certain.
  const std::optional<Accepted>& found() const { return found_; }

  // True when a majority has given what this step asks for.
  bool count(size_t place, const Vote& vote);
  bool has_answered(size_t place) const { return answered_[place]; }
  // With a majority's promises, or in round 0: goes on to acceptance, of ours only if nothing was found.
  void propose(const Winner& ours);

 private:
  Ballot ballot_;
  size_t majority_;
  std::bitset<kGroupSize> answered_;
  std::optional<Accepted> found_;
  std::optional<Winner> value_;
};

}  // namespace kith::once
