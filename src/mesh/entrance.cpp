#include "mesh/entrance.h"

#include <algorithm>

#include "base/check.h"

namespace kith::mesh {
namespace {

// Moves what is missing of `into` from data. True when it is whole.
bool fill(MutableByteView into, size_t& have, ByteView& data) {
  const size_t size = std::min(data.size(), into.size() - have);
  std::copy_n(data.begin(), size, into.begin() + static_cast<ptrdiff_t>(have));
  have += size;
  data = data.subspan(size);
  return have == into.size();
}

}  // namespace

std::string version_range(const Preamble& theirs) {
  return "it speaks versions " + std::to_string(theirs.min_version) + " to " +
         std::to_string(theirs.max_version) + ", this node " + std::to_string(kMinVersion) + " to " +
         std::to_string(kMaxVersion);
}

void Entrance::handle_input(ByteView& data, const Keyring& keyring) {
  KITH_CHECK(!done());
  if (stage_ == Stage::preamble) {
    const bool whole = fill(opening_.dialler, received_, data);
    if (!may_be_preamble(ByteView(opening_.dialler).first(received_))) {
      return refuse(Refusal::foreign_protocol, false);
    }
    if (!whole) return;
    take_preamble();
  }
  if (stage_ == Stage::proof && fill(proof_, received_, data)) take_proof(keyring);
}

void Entrance::take_preamble() {
  const std::optional<Preamble> theirs = Preamble::decode(opening_.dialler);
  if (!theirs || theirs->kind != Preamble::Kind::dialler) return refuse(Refusal::malformed, false);
  const std::optional<uint16_t> version = common_version(*theirs, Preamble{});
  if (!version) return refuse(Refusal::version, true);
  const std::optional<Channel> channel = channel_from(theirs->channel);
  if (!channel) return refuse(Refusal::malformed, false);
  if (port_of(*channel) != port_) return refuse(Refusal::wrong_port, true);
  channel_ = *channel;
  version_ = *version;
  opening_.acceptor = Preamble{.kind = Preamble::Kind::acceptor, .channel = theirs->channel}.encode();
  say(opening_.acceptor);
  say(opening_.challenge);
  received_ = 0;
  stage_ = Stage::proof;
}

void Entrance::take_proof(const Keyring& keyring) {
  if (const MeshKey* key = keyring.find(opening_, proof_)) {
    key_ = key->id;
    tls_key_ = key->tls(port_);
    stage_ = Stage::admitted;
    return;
  }
  const std::optional<RefusalMac> retired = keyring.refuse_retired(opening_, proof_);
  refuse(retired ? Refusal::retired_key : Refusal::unknown_key, true);
  if (retired) say(*retired);
}

void Entrance::refuse(Refusal reason, bool aloud) {
  stage_ = Stage::refused;
  reason_ = reason;
  if (!aloud) return;
  say(Preamble{.kind = Preamble::Kind::refusal, .flags_or_reason = static_cast<uint8_t>(reason)}.encode());
}

void Entrance::say(ByteView bytes) {
  KITH_CHECK(output_size_ + bytes.size() <= output_.size());
  std::copy(bytes.begin(), bytes.end(), output_.begin() + static_cast<ptrdiff_t>(output_size_));
  output_size_ += bytes.size();
}

ByteView Entrance::poll_transmit() { return ByteView(output_).first(std::exchange(output_size_, 0)); }

std::string Entrance::detail() const {
  const std::optional<Preamble> theirs = Preamble::decode(opening_.dialler);
  return reason_ == Refusal::version && theirs ? version_range(*theirs) : std::string();
}

Admitted Entrance::take() {
  KITH_CHECK(stage_ == Stage::admitted);
  return {.opening = opening_,
          .proof = proof_,
          .channel = channel_,
          .version = version_,
          .key = key_,
          .tls_key = std::move(tls_key_)};
}

}  // namespace kith::mesh
