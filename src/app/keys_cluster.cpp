// `clusters:`.

#include <algorithm>

#include "app/keys.h"
#include "base/text.h"
#include "lease/voters.h"

namespace kith::app {

namespace {

using cluster::ClusterConfig;
using cluster::FailoverConfig;
using cluster::SrvConfig;

constexpr size_t kPskBytes = 32;

json::value show_multiaddr(const Multiaddr& value) {
  return value.host.empty() ? json::value() : json::value(value.text());
}

// The parser quotes the text before its reason and says what it expects after it; so do we.
Result<Multiaddr> parse_multiaddr(const std::string& text) {
  auto parsed = Multiaddr::parse(text);
  if (parsed) return parsed;
  std::string why = parsed.error().message();
  if (size_t end = why.rfind(" (expected"); end != std::string::npos) why.resize(end);
  if (size_t begin = why.find("': "); begin != std::string::npos) why.erase(0, begin + 3);
  return Error(Code::invalid, std::move(why), Side::config);
}

// To listen on: an address of this machine, not a name.
Codec<Multiaddr> bind_multiaddr() {
  return leaf<Multiaddr>(
      {Shape::Kind::text, "a multiaddr to listen on such as /ip4/0.0.0.0/tcp/9450"},
      [](const std::string& value) -> Result<Multiaddr> {
        KITH_TRY(Multiaddr address, parse_multiaddr(value));
        if (address.is_name()) return Error(Code::invalid, "a name cannot be listened on", Side::config);
        return address;
      },
      show_multiaddr);
}

// To dial: a real port.
Codec<Multiaddr> peer_multiaddr() {
  return leaf<Multiaddr>(
      {Shape::Kind::text, "a multiaddr such as /ip4/10.0.0.1/tcp/9450 or /dns/node2.example.test/tcp/9450"},
      [](const std::string& value) -> Result<Multiaddr> {
        KITH_TRY(Multiaddr address, parse_multiaddr(value));
        if (address.port == 0) return Error(Code::invalid, "the port is 0", Side::config);
        return address;
      },
      show_multiaddr);
}

// A key that repeats a few bytes or counts up is an example somebody forgot to replace. What it does, or "".
std::string_view placeholder_sign(const Bytes& key) {
  for (size_t period = 1; period <= 8; ++period) {
    bool repeats = true;
    for (size_t i = period; i < key.size(); ++i) repeats = repeats && key[i] == key[i - period];
    if (repeats) return "repeats";
  }
  for (size_t i = 1; i < key.size(); ++i) {
    if (key[i] != static_cast<uint8_t>(key[i - 1] + 1)) return "";
  }
  return "counts up";
}

Codec<crypto::Secret> psk() {
  Shape shape{Shape::Kind::text, "a random key of 32 bytes as 64 hex digits, as `kith keygen psk` makes it"};
  shape.secret = true;
  return {shape,
          [shape](Reader& reader, const Node& node, crypto::Secret& out) {
            auto scalar = reader.scalar(node, shape.expected, true);
            if (!scalar) return;
            auto bytes = unhex(scalar->text);
            if (!bytes || bytes->size() != kPskBytes) return reader.mismatch(node, shape.expected, "", true);
            std::string_view sign = placeholder_sign(*bytes);
            if (sign.empty()) {
              out = crypto::Secret(std::move(*bytes));
            } else {
              reader.mismatch(node, shape.expected + ", not one that " + std::string(sign), "", true);
            }
          },
          [](const crypto::Secret&) { return json::value(kMasked); }};
}

struct Member {
  Multiaddr membership;
};

// static.nodes[].endpoints.membership is a list of addresses for us.
Key<ClusterConfig> nodes_key() {
  Keys<Member> endpoints = {key("membership", &Member::membership, peer_multiaddr(),
                                "a member's membership address; one's own is ignored")
                                .required()};
  auto where = group<Member>("endpoints", "the member's addresses", std::move(endpoints));
  where.property.required = true;
  auto codec = list(object<Member>({std::move(where)}), "a list of members");
  return {Property{"nodes", "members to begin with; the others are learned from them", codec.shape},
          [codec](Reader& reader, const Node& node, ClusterConfig& out) {
            std::vector<Member> nodes;
            codec.read(reader, node, nodes);
            out.seeds.clear();
            for (const Member& one : nodes) out.seeds.push_back(one.membership);
          },
          [codec](const ClusterConfig& value) -> std::optional<json::value> {
            std::vector<Member> nodes;
            for (const Multiaddr& seed : value.seeds) nodes.push_back({seed});
            return codec.show(nodes);
          }};
}

// _service._proto.domain, with or without the last dot; kept without it, in lower case.
Codec<std::string> service_name() {
  return leaf<std::string>(
      {Shape::Kind::text, "the name of SRV records such as _kith._tcp.example.test"},
      [](const std::string& value) -> Result<std::string> {
        std::string name = lower(value);
        if (name.ends_with('.')) name.pop_back();
        if (!is_host_name(name) || name.find('.') == std::string::npos) return plain_mismatch();
        return name;
      },
      [](const std::string& value) { return json::value(value); });
}

Key<SrvConfig> dns_address() {
  constexpr uint16_t kDefaultPort = SrvConfig{}.dns_port;
  return key_with<SrvConfig>(
      "dnsAddress", {Shape::Kind::text, "HOST or HOST:PORT such as 10.0.0.53:53 or [2001:db8::53]:53"},
      [](const std::string& text, SrvConfig& out) -> Result<void> {
        auto parsed = parse_host_port(text);
        HostPort server = parsed ? *parsed : HostPort{text, kDefaultPort};
        bool is_host = IpAddress::parse(server.host) || is_host_name(server.host);
        if (!is_host || server.port == 0) return plain_mismatch();
        out.dns_host = lower(server.host);
        out.dns_port = server.port;
        return {};
      },
      [](const SrvConfig& value) {
        if (value.dns_host.empty()) return json::value();
        bool v6 = value.dns_host.find(':') != std::string::npos;
        return json::value((v6 ? "[" + value.dns_host + "]" : value.dns_host) + ":" +
                           std::to_string(value.dns_port));
      },
      "the DNS server to ask; without it those of /etc/resolv.conf. The port is 53 unless it is said");
}

Key<ClusterConfig> srv_key() {
  Keys<SrvConfig> keys = {
      dns_address(),
      key("pollInterval", &SrvConfig::poll_interval, duration(1s, 24h),
          "the time between two questions; a node that knows no other asks every 5 seconds at least"),
      key("names", &SrvConfig::names, list(service_name(), "a list of names", true),
          "names of SRV records whose targets and ports are membership addresses; absolute, at most 16"),
  };
  return group<ClusterConfig>("srvDNS", "for the method srvdns", of(&ClusterConfig::srv, std::move(keys)));
}

// As the method is written. Its keys are those of srvDNS.
Key<ClusterConfig> srv_key_as_method() {
  Key<ClusterConfig> key = std::move(srv_key()).old_spelling();
  key.property.name = "srvdns";
  key.property.doc = "srvDNS";
  key.property.shape = {Shape::Kind::any, "a map"};
  return key;
}

Key<ClusterConfig> node_key_file() {
  Shape shape{Shape::Kind::text, "the path of a file"};
  return {Property{"file",
                   "the node's key: made (mode 0600) when missing; without it a new identity at each start",
                   shape},
          [shape](Reader& reader, const Node& node, ClusterConfig& out) {
            read_scalar(reader, node, shape, [&](const std::string& text) -> Result<void> {
              if (text.empty() || text.size() > 4096 || text.ends_with('/')) return plain_mismatch();
              out.node_key_file = reader.absolute(text);
              if (reader.around().is_exposed(out.node_key_file))
                return Error(Code::invalid, kExposed, Side::config);
              return {};
            });
          },
          [](const ClusterConfig& value) { return if_worth_showing(json::value(value.node_key_file)); }};
}

Keys<FailoverConfig> failover_keys() {
  using Mode = FailoverConfig::Mode;
  using Minority = FailoverConfig::Minority;
  return {
      key("mode", &FailoverConfig::mode,
          choice<Mode>({{"single_node", Mode::single_node},
                        {"active_passive", Mode::active_passive},
                        {"active_active", Mode::active_active}}),
          "active_active: every node serves. active_passive: the leader serves, the others stand by: they "
          "forward with http.routing, and /status says 503. single_node: no leader is sought"),
      optional_key(
          "minority", &FailoverConfig::minority,
          choice<Minority>({{"serve", Minority::serve}, {"standby", Minority::standby}}),
          "what nodes do that cannot reach a majority; by default serve, and standby with active_passive"),
      key("lease", &FailoverConfig::lease, duration(500ms, 60s),
          "how long a leader leads without being confirmed; after a crash it takes this long until another "
          "leads"),
      optional_key(
          "freshness", &FailoverConfig::freshness, duration(1s, 10min),
          "how long after its last word of a majority a node still serves what has failClosed; above the "
          "lease"),
      key("quorum", &FailoverConfig::quorum, number<size_t>(1, lease::kMaxVoters),
          "nodes that must agree to a leader, at least: above half of the nodes there are to be, so that "
          "nodes that start apart do not each elect their own"),
  };
}

Keys<mesh::RotationConfig> rotation_keys() {
  return {key("grace", &mesh::RotationConfig::grace, duration(),
              "how long a key that psk does not name any more is accepted after the last member offered it"),
          key("patience", &mesh::RotationConfig::patience, duration(),
              "after this long a new key is offered although some member does not hold it, which cuts that "
              "member off; 0s: wait for every member")};
}

Codec<NodeId> node_id() {
  return leaf<NodeId>(
      Shape{Shape::Kind::text, "a node's id as 32 hex digits, as the log and `kith members` show it"},
      [](const std::string& value) -> Result<NodeId> {
        auto bytes = unhex(value);
        auto id = bytes ? NodeId::from(*bytes) : std::nullopt;
        if (!id) return plain_mismatch();
        return *id;
      },
      [](const NodeId& id) { return json::value(id.hex()); });
}

Keys<cluster::AdmissionConfig> admission_keys() {
  using cluster::AdmissionConfig;
  using Mode = AdmissionConfig::Mode;
  return {key("mode", &AdmissionConfig::mode, choice<Mode>({{"open", Mode::open}, {"pinned", Mode::pinned}}),
              "open: whoever has the pre-shared key; pinned: the listed nodes alone"),
          key("nodes", &AdmissionConfig::nodes, list(node_id(), "a list of node ids"),
              "the nodes that may come in, by the fingerprint of their node key; for the mode pinned"),
          key("banned", &AdmissionConfig::banned, list(node_id(), "a list of node ids"),
              "nodes that may not, at most 32. In a pinned cluster, whom more than half of the listed ban is "
              "banned by all")};
}

Key<cluster::JournalConfig> journal_directory() {
  using cluster::JournalConfig;
  Shape shape{Shape::Kind::text, "the path of a folder"};
  return {Property{"directory", "a folder for the files of this cluster alone, made when missing", shape},
          [shape](Reader& reader, const Node& node, JournalConfig& out) {
            read_scalar(reader, node, shape, [&](const std::string& text) -> Result<void> {
              if (text.empty() || text.size() > 4096) return plain_mismatch();
              out.directory = reader.absolute(text);
              return {};
            });
          },
          [](const JournalConfig& value) { return if_worth_showing(json::value(value.directory)); }};
}

Keys<cluster::JournalConfig> journal_keys() {
  using cluster::JournalConfig;
  Keys<JournalConfig> keys = {
      key("current", &JournalConfig::key, psk(),
          "seals what is written: 64 hex digits, better a secret reference"),
      key("old", &JournalConfig::old_keys, list(psk(), "a list of such keys"),
          "open what was written before; a start with a former key writes the files anew at once"),
  };
  return {journal_directory(),
          group<JournalConfig>("keys", "keys of the files, AES-256-GCM; not the pre-shared key",
                               std::move(keys))};
}

Keys<ClusterConfig> cluster_keys() {
  Keys<ClusterConfig> advertise = {
      optional_key("membership", &ClusterConfig::advertise_membership, peer_multiaddr(),
                   "what others dial, when it differs from addresses.membership"),
      optional_key("data", &ClusterConfig::advertise_data, peer_multiaddr(),
                   "what others dial, when it differs from addresses.data"),
  };
  Keys<ClusterConfig> addresses = {
      key("membership", &ClusterConfig::membership, bind_multiaddr(),
          "where membership listens, customarily 9450")
          .required(),
      key("data", &ClusterConfig::data, bind_multiaddr(),
          "where sessions and forwarded requests arrive, customarily 9451")
          .required(),
      group<ClusterConfig>("advertise", "behind address translation or a proxy", std::move(advertise)),
  };
  auto discovery =
      group<ClusterConfig>("discovery", "how members find each other",
                           {key("method", &ClusterConfig::discovery,
                                choice<ClusterConfig::Discovery>({{"static", ClusterConfig::Discovery::fixed},
                                                                  {"srvdns", ClusterConfig::Discovery::srv}}),
                                "how the first members are found")
                                .required(),
                            group<ClusterConfig>("static", "for the method static", {nodes_key()}), srv_key(),
                            srv_key_as_method()});
  discovery.property.required = true;
  auto encryption = group<ClusterConfig>(
      "encryption", "keys of the mesh",
      {key("psk", &ClusterConfig::psks, list(psk(), psk().shape.expected + ", or a list of such keys", true),
           "the key all members share: 64 hex digits, better a secret reference. Of a list the first is "
           "offered and "
           "all are accepted. Reloaded by SIGHUP and when the secrets change")
           .required(),
       group<ClusterConfig>("rotation", "how a new key takes the place of an old one",
                            of(&ClusterConfig::rotation, rotation_keys())),
       group<ClusterConfig>("nodeKey", "the node's identity", {node_key_file()})});
  encryption.property.required = true;
  auto where = group<ClusterConfig>("addresses", "addresses of this node", std::move(addresses));
  where.property.required = true;
  return {
      key("name", &ClusterConfig::name, name("a name for the cluster"), "what sessions and routing call it")
          .required(),
      key("disabled", &ClusterConfig::disabled, flag(), "keep the configuration, do not start the cluster"),
      std::move(where),
      std::move(discovery),
      std::move(encryption),
      group<ClusterConfig>("admission", "who may be a member. Reloaded as the keys are",
                           of(&ClusterConfig::admission, admission_keys())),
      group<ClusterConfig>(
          "journal",
          "what this node holds, on its disk: so that a full stop of the cluster loses nothing and "
          "a node that restarts asks for what it missed alone",
          of(&ClusterConfig::journal, journal_keys())),
      group<ClusterConfig>("failover", "one leader, and what is served without it",
                           of(&ClusterConfig::failover, failover_keys())),
  };
}

}  // namespace

Codec<std::vector<ClusterConfig>> clusters_codec() {
  return list(object<ClusterConfig>(cluster_keys()), "a list of clusters");
}

}  // namespace kith::app
