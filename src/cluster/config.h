// One entry of `clusters:`.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/net.h"
#include "base/time.h"
#include "cluster/admission.h"
#include "crypto/secret.h"
#include "mesh/rotation.h"

namespace kith::cluster {

// What a cluster does about having one leader, and about not having one.
struct FailoverConfig {
  enum class Mode : uint8_t {
    single_node,     // no leader is sought; every node serves
    active_passive,  // the leader serves, the others stand by
    active_active,   // every node serves; the leader does what one alone must do
  };
  enum class Minority : uint8_t { serve, standby };
  Mode mode = Mode::active_active;
  // In a part of the cluster without a majority; by default serve, and standby with active_passive.
  std::optional<Minority> minority;
  Duration lease = 3s;
  size_t quorum = 1;         // grants that a lease needs at least
  // How long after its last word of a majority a node knows what the cluster knows; by default 10 s, or three
  // leases when that is more.
  std::optional<Duration> freshness;
  Duration fresh_for() const { return freshness.value_or(std::max<Duration>(10s, 3 * lease)); }
  bool serves_in_minority() const {
    return minority.value_or(mode == Mode::active_passive ? Minority::standby : Minority::serve) ==
           Minority::serve;
  }
};

// discovery.srvDNS
struct SrvConfig {
  static constexpr size_t kMaxNames = 16;
  std::string dns_host;  // dnsAddress: an IP address or a host name; "": the servers of the system
  uint16_t dns_port = 53;
  Duration poll_interval = 30s;
  std::vector<std::string> names;  // absolute, in lower case, without the last dot; at most kMaxNames
};

// journal
struct JournalConfig {
  std::string directory;                 // "": no journal
  crypto::Secret key;                    // keys.current: 32 bytes; seals, and opens
  std::vector<crypto::Secret> old_keys;  // keys.old: open
};

struct ClusterConfig {
  std::string name;
  bool disabled = false;
  Multiaddr membership;                           // addresses.membership: bind address
  Multiaddr data;                                 // addresses.data: bind address
  std::optional<Multiaddr> advertise_membership;  // addresses.advertise.*: what peers dial, when it differs
  std::optional<Multiaddr> advertise_data;        // from the bind address (NAT, a proxy); else derived
  enum class Discovery : uint8_t { fixed, srv };
  Discovery discovery = Discovery::fixed;  // discovery.method: static | srvdns
  std::vector<Multiaddr> seeds;            // discovery.static.nodes[].endpoints.membership
  SrvConfig srv;                           // discovery.srvDNS, for Discovery::srv
  // encryption.psk: all are accepted, and the first is offered as soon as every member holds it. A list, or
  // one value. Loaded anew by Cluster::reload_keys().
  std::vector<crypto::Secret> psks;
  mesh::RotationConfig rotation;  // encryption.rotation
  AdmissionConfig admission;      // loaded anew by Cluster::reload_admission()
  std::string node_key_file;      // encryption.nodeKey.file; "" = a new key each start
  size_t max_members = 1024;      // replication talks with every member: what it costs grows with them
  FailoverConfig failover;
  JournalConfig journal;
};

}  // namespace kith::cluster
