// `caches:`.

#include "app/keys.h"

namespace kith::app {

namespace {

using cache::CacheConfig;
using cache::EndpointConfig;

Keys<EndpointConfig> endpoint_keys() {
  return {
      address_key(&EndpointConfig::host, &EndpointConfig::port, "127.0.0.1:6379 or [::1]:6379",
                  "where it listens; beyond this machine only with a password")
          .required(),
      key("username", &EndpointConfig::username, name("the name of a user"),
          "who may log in, with AUTH or HELLO"),
      key("password", &EndpointConfig::password, secret("a password, better a secret reference"),
          "the user's; without one everybody who reaches the address is let in"),
      key("tls", &EndpointConfig::tls, name("the name of a TLS profile"),
          "TLS profile to serve with, which needs certFile and keyFile; without it plain TCP"),
      key("maxConnections", &EndpointConfig::max_connections, number<size_t>(1, 1'000'000),
          "connections at a time; beyond, new ones are closed"),
  };
}

Key<CacheConfig> endpoint_key() {
  auto base =
      group<CacheConfig>("endpoint", "serve the cache over the Redis protocol on this node, to applications",
                         of(&CacheConfig::endpoint, endpoint_keys()));
  base.read = [read = base.read](Reader& reader, const Node& node, CacheConfig& out) {
    out.has_endpoint = true;
    read(reader, node, out);
  };
  base.show = [show = base.show](const CacheConfig& value) -> std::optional<json::value> {
    if (!value.has_endpoint) return std::nullopt;
    return show(value);
  };
  return base;
}

Codec<CacheConfig> cluster_cache() {
  using Ack = cluster::AckLevel;
  Keys<CacheConfig> in_cluster = {
      key("name", &CacheConfig::cluster, name("the name of a cluster"), "a defined cluster's name")
          .required(),
      key("ack", &CacheConfig::ack,
          choice<Ack>({{"local", Ack::local},
                       {"journal", Ack::journal},
                       {"fsync", Ack::fsync},
                       {"one", Ack::one},
                       {"zone", Ack::zone},
                       {"all", Ack::all}}),
          "what has to hold a write before it is answered; see session.store.cluster.ack"),
      key("maxMemoryMiB", &CacheConfig::max_memory_mib, number<size_t>(1, 1 << 20),
          "memory on each node; the caches of one cluster share the sum of theirs. Beyond, what was not read "
          "for "
          "longest is dropped"),
  };
  auto where = group<CacheConfig>("cluster", "the cluster whose members share it", std::move(in_cluster));
  where.property.required = true;
  return object<CacheConfig>({
      key("name", &CacheConfig::name, name("a name for the cache"), "what its users call it").required(),
      fixed_word<CacheConfig>("type", "cluster", "where it is: on every node of a cluster").required(),
      std::move(where),
      endpoint_key(),
  });
}

}  // namespace

Codec<std::vector<CacheConfig>> caches_codec() {
  auto kinds =
      by_type<CacheConfig>({{"cluster", cluster_cache()}}, {"redis"}, [](const CacheConfig&) { return 0; });
  return list(std::move(kinds), "a list of caches");
}

}  // namespace kith::app
