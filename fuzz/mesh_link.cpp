// Bytes from the wire into a link: as a stranger before the proof, as a dialler with it, as an acceptor, and
// behind TLS as a peer that holds the key: HELLO and frames. The first byte chooses, the second sets how the
// input is cut.
#include <algorithm>

#include "mesh/link.h"

namespace {

using namespace kith;
using namespace kith::mesh;

const LinkConfig& config() {
  static const LinkConfig kConfig{
      .cluster = "fuzz",
      .key = crypto::SigningKey::from_seed(Bytes(32, 1)),
      .incarnation = 1,
      .boot_nonce = 1,
      .record = {},
      .keyring = std::make_shared<const Keyring>(Keyring::of({crypto::Secret(Bytes(kPskSize, 1))})),
      .tls = crypto::make_psk_context()};
  return kConfig;
}

void feed_link(Link link, ByteView input, size_t step) {
  for (; !input.empty(); input = input.subspan(std::min(step, input.size()))) {
    link.handle_input(input.first(std::min(step, input.size())), MonoTime{});
    (void)link.poll_transmit();
  }
  while (auto event = link.poll_event()) KITH_CHECK(std::holds_alternative<Closed>(*event));
  KITH_CHECK(!link.established());
}

void feed_entrance(ByteView input, size_t step) {
  Entrance entrance(Port::membership, Challenge{7});
  while (!input.empty() && !entrance.done()) {
    ByteView part = input.first(std::min(step, input.size()));
    input = input.subspan(part.size());
    entrance.handle_input(part, *config().keyring);
    (void)entrance.poll_transmit();
  }
  KITH_CHECK(!entrance.done() || entrance.refused());
}

// As if the proof had been shown: what TLS does with the rest.
Link admitted() {
  const MeshKey& key = config().keyring->offered();
  return Link::accept(config(),
                      {.opening = {},
                       .proof = {},
                       .channel = Channel::bulk,
                       .version = 1,
                       .key = key.id,
                       .tls_key = key.data},
                      MonoTime{});
}

void feed_frames(ByteView input, size_t step, bool established) {
  FrameReader reader;
  if (established) reader.allow_messages();
  for (; !input.empty(); input = input.subspan(std::min(step, input.size()))) {
    reader.feed(input.first(std::min(step, input.size())));
    while (auto received = reader.next()) {
      KITH_CHECK(received->payload.size() <= kMaxMessage);
      KITH_CHECK(established || received->lane == kLinkLane);
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const ByteView input = ByteView(data, size).subspan(2);
  const size_t step = size_t{data[1]} * 8 + 1;
  const Bytes random(16, 7);
  switch (data[0] % 6) {
    case 0: feed_entrance(input, step); break;
    case 1:
      feed_link(Link::dial(config(), {Channel::bulk, std::nullopt}, random, MonoTime{}), input, step);
      break;
    case 2: feed_frames(input, step, false); break;
    case 3: feed_frames(input, step, true); break;
    case 4:
      if (auto received = ReceivedHello::decode(input)) {
        KITH_CHECK(!received->verify(Role::dialler,
                                     Transcript{.exporter = crypto::Secret(Bytes(32, 3)), .opening = {}}));
      }
      break;
    default: feed_link(admitted(), input, step); break;
  }
  return 0;
}
