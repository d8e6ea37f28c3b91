// Why a link was not made or ended. The numbers are on the wire (docs/formats/mesh.md section 4).
#pragma once

#include <cstdint>
#include <string_view>

namespace kith::mesh {

enum class Refusal : uint8_t {
  none = 0,  // an orderly or a broken connection, no judgement
  foreign_protocol = 1,
  version = 2,
  wrong_port = 3,
  unknown_key = 4,
  tls_failure = 5,
  wrong_cluster = 6,
  bad_signature = 7,
  self = 8,
  unexpected_peer = 9,
  duplicate = 10,
  clone = 11,
  handshake_timeout = 12,
  frame_limit = 13,
  malformed = 14,
  banned = 15,
  shutting_down = 16,
  not_member = 17,
  retired_key = 18,
  not_admitted = 19,
  other = 255,  // one that a later version knows
};

// The name, as in logs and metrics: "wrong_cluster".
std::string_view to_string(Refusal reason);
// One sentence for people: what is wrong and, where there is one, what to do.
std::string_view explain(Refusal reason);
Refusal refusal_from(uint16_t number);

}  // namespace kith::mesh
