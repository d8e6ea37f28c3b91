// `http:`, `tls:` and `logger:`.

#include <algorithm>
#include <map>

#include "app/keys.h"
#include "base/text.h"
#include "platform/time_layout.h"

namespace kith::app {

namespace {

using http::HttpConfig;
using http::RoutingConfig;
using http::ServerOptions;
using http::TlsProfileConfig;

constexpr size_t kMaxPemBytes = 1 << 20;

// "192.0.2.0/24", "::1": kept as written, checked here.
Codec<std::string> network() {
  return leaf<std::string>(
      {Shape::Kind::text, "an IP address or a network such as 10.0.0.0/8"},
      [](const std::string& text) -> Result<std::string> {
        size_t slash = text.find('/');
        auto address = IpAddress::parse(text.substr(0, slash));
        if (!address) return plain_mismatch();
        if (slash == std::string::npos) return text;
        auto bits = parse_u64(text.substr(slash + 1));
        if (!bits || *bits > (address->is_v4() ? 32U : 128U)) return plain_mismatch();
        return text;
      },
      [](const std::string& value) { return json::value(value); });
}

Keys<RoutingConfig> routing_keys() {
  using Prefer = RoutingConfig::Prefer;
  using Lost = RoutingConfig::Lost;
  return {
      key("enabled", &RoutingConfig::enabled, flag(),
          "forward a request to the node that holds the user's newest state; without it this node waits and "
          "pulls only"),
      fixed_word<RoutingConfig>("type", "cluster", "the only way of routing there is"),
      group<RoutingConfig>(
          "cluster", "the cluster that requests are forwarded in",
          {key("name", &RoutingConfig::cluster, name("the name of a cluster"), "a defined cluster's name")}),
      key("prefer", &RoutingConfig::prefer,
          choice<Prefer>({{"pull", Prefer::pull}, {"forward", Prefer::forward}}),
          "what a node that is behind does first: pull the session, or forward the request"),
      key("wait", &RoutingConfig::wait, duration(0s, 10s), "how long a write on its way is waited for first"),
      key("timeout", &RoutingConfig::timeout, duration(1ms, 60s),
          "how long another node may take to answer a pull, or to take over a request"),
      key("onLost", &RoutingConfig::lost,
          choice<Lost>({{"reauth", Lost::reauth}, {"stale", Lost::stale}, {"fail", Lost::fail}}),
          "when the newest state is nowhere to be had: log in again, use the older state, or answer 503"),
  };
}

Keys<ServerOptions> server_keys() {
  return {
      key("readTimeoutSeconds", &ServerOptions::read_timeout, seconds(), "a whole request; 0 = no limit"),
      key("readHeaderTimeoutSeconds", &ServerOptions::read_header_timeout, seconds(),
          "a request's head; 0 = readTimeoutSeconds"),
      key("writeTimeoutSeconds", &ServerOptions::write_timeout, seconds(),
          "a write of response bytes without progress; 0 = no limit"),
      key("idleTimeoutSeconds", &ServerOptions::idle_timeout, seconds(),
          "an idle connection between requests"),
  };
}

Keys<ServerOptions> limit_keys() {
  return {
      key("headBytes", &ServerOptions::max_head_bytes, number<size_t>(1024, http::kMaxHeadBytes),
          "request line and headers, in bytes"),
      key("headers", &ServerOptions::max_headers, number<size_t>(10, http::kMaxHeaders),
          "headers of a request"),
      key("connections", &ServerOptions::max_connections, number<size_t>(1, 1'000'000),
          "open connections, shared out among the workers (one for each core); further ones are closed"),
  };
}

// Reads a PEM file, or takes the PEM that a secret reference stood for.
Key<TlsProfileConfig> pem_key(std::string name, bool secret, std::string doc,
                              std::function<void(TlsProfileConfig&, std::string)> put,
                              std::function<json::value(const TlsProfileConfig&)> show) {
  Shape shape{Shape::Kind::text, "a PEM file that can be read"};
  shape.secret = secret;
  return {Property{std::move(name), std::move(doc), shape},
          [shape, put](Reader& reader, const Node& node, TlsProfileConfig& out) {
            auto text = reader.scalar(node, shape.expected);
            if (!text) return;
            if (text->text.find("-----BEGIN ") != std::string::npos) return put(out, std::move(text->text));
            if (text->text.empty()) return reader.mismatch(node, shape.expected);
            const std::string path = reader.absolute(text->text);
            if (shape.secret && reader.around().is_exposed(path))
              return reader.mismatch(node, shape.expected, kExposed);
            auto content = reader.around().files->read(path, kMaxPemBytes);
            if (!content) return reader.mismatch(node, shape.expected, content.error().message());
            if (content->find("-----BEGIN ") == std::string::npos) {
              return reader.mismatch(node, shape.expected, "it holds no PEM block");
            }
            put(out, std::move(*content));
          },
          [show](const TlsProfileConfig& value) { return if_worth_showing(show(value)); }};
}

json::value show_pem(const std::string& pem) {
  return pem.empty() ? json::value() : json::value("(PEM of " + std::to_string(pem.size()) + " bytes)");
}

// Only suites with forward secrecy and authenticated encryption, under both of their customary names.
struct Suite {
  std::string_view iana, openssl;
};
constexpr Suite kSuites[] = {
    {"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"},
    {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"},
    {"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"},
    {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"},
};

Codec<std::string> suite() {
  Shape shape{Shape::Kind::text,
              "an ECDHE suite with AES-GCM or ChaCha20, such as TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"};
  return leaf<std::string>(
      shape,
      [](const std::string& text) -> Result<std::string> {
        for (const Suite& one : kSuites) {
          if (text == one.iana || text == one.openssl) return std::string(one.openssl);
        }
        return plain_mismatch();
      },
      [](const std::string& value) { return json::value(value); });
}

// The profile holds the suites joined by ':', the file holds a list.
Key<TlsProfileConfig> suites_key() {
  auto codec = list(suite(), "a list of cipher suites");
  return {Property{"enabledCiphers", "suites for TLS 1.2, if not our own list; TLS 1.3 has its fixed ones",
                   codec.shape},
          [codec](Reader& reader, const Node& node, TlsProfileConfig& out) {
            std::vector<std::string> names;
            codec.read(reader, node, names);
            out.profile.ciphers.clear();
            for (const std::string& one : names)
              out.profile.ciphers += (out.profile.ciphers.empty() ? "" : ":") + one;
          },
          [](const TlsProfileConfig& value) -> std::optional<json::value> {
            if (value.profile.ciphers.empty()) return std::nullopt;
            json::array out;
            for (std::string_view one : split(value.profile.ciphers, ':')) out.push_back(json::value(one));
            return json::value(std::move(out));
          }};
}

Key<TlsProfileConfig> client_cas_key() {
  Codec<TlsProfileConfig> one{
      {Shape::Kind::text, "a PEM file that can be read"},
      pem_key(
          "", false, "",
          [](TlsProfileConfig& out, std::string pem) { out.profile.client_ca_pem += pem + "\n"; },
          [](const TlsProfileConfig&) { return json::value(); })
          .read,
      [](const TlsProfileConfig&) { return json::value(); }};
  Shape shape{Shape::Kind::list, "a list of PEM files", {}, 0, 0, {}, {one.shape}};
  return {
      Property{"clientCAFiles", "authorities of client certificates", shape},
      [one, shape](Reader& reader, const Node& node, TlsProfileConfig& out) {
        read_items(reader, node, shape, [&](const Node& item) { one.read(reader, item, out); });
      },
      [](const TlsProfileConfig& value) { return if_worth_showing(show_pem(value.profile.client_ca_pem)); }};
}

Keys<crypto::TlsProfile> profile_keys() {
  using ClientAuth = crypto::TlsProfile::ClientAuth;
  return {
      key("clientAuth", &crypto::TlsProfile::client_auth,
          choice<ClientAuth>({{"NoClientCert", ClientAuth::none},
                              {"RequestClientCert", ClientAuth::request},
                              {"RequireAnyClientCert", ClientAuth::require_any},
                              {"VerifyClientCertIfGiven", ClientAuth::verify_if_given},
                              {"RequireAndVerifyClientCert", ClientAuth::require_and_verify}}),
          "whether clients have to show a certificate"),
      key("minVersion", &crypto::TlsProfile::min_version, choice<int>({{"1.2", 12}, {"1.3", 13}}),
          "the oldest TLS version that is spoken; older ones are refused"),
  };
}

Keys<TlsProfileConfig> tls_profile_keys() {
  Keys<TlsProfileConfig> files = {
      pem_key(
          "certFile", false, "certificate chain, leaf first: a path, or a secret that holds the PEM",
          [](TlsProfileConfig& out, std::string pem) { out.profile.certificate_pem = std::move(pem); },
          [](const TlsProfileConfig& value) { return show_pem(value.profile.certificate_pem); }),
      pem_key(
          "keyFile", true, "private key: a path, or a secret that holds the PEM",
          [](TlsProfileConfig& out, std::string pem) {
            out.profile.private_key_pem = crypto::Secret(std::string_view(pem));
          },
          [](const TlsProfileConfig& value) {
            return value.profile.private_key_pem.empty() ? json::value() : json::value(kMasked);
          }),
      pem_key(
          "caFile", false, "authorities to believe, added to the system's",
          [](TlsProfileConfig& out, std::string pem) { out.profile.ca_pem = std::move(pem); },
          [](const TlsProfileConfig& value) { return show_pem(value.profile.ca_pem); }),
      client_cas_key(), suites_key()};
  return files + of(&TlsProfileConfig::profile, profile_keys());
}

}  // namespace

Keys<HttpConfig> http_keys() {
  return Keys<HttpConfig>{
             address_key(&HttpConfig::host, &HttpConfig::port, "0.0.0.0:9443, [::1]:9443 or :9443",
                         "where HTTP is served; no host means all addresses. KITH_HTTP_ADDRESS wins over it"),
             key("tls", &HttpConfig::tls, name("the name of a TLS profile"),
                 "TLS profile to serve with, which needs certFile and keyFile; without it plain HTTP"),
             unsupported<HttpConfig>("hosts", "one TLS profile for each server name")} +
         of(&HttpConfig::server, server_keys()) +
         Keys<HttpConfig>{
             key("endpointTimeoutSeconds", &HttpConfig::endpoint_timeout, seconds(),
                 "an endpoint that kith itself answers"),
             group<HttpConfig>(
                 "accessLog", "one line for each request",
                 {inverted("disabled", &HttpConfig::access_log, "no access log"),
                  key("level", &HttpConfig::access_log_level,
                      level({{"debug", Level::debug}, {"info", Level::info}, {"error", Level::error}}),
                      "the level of its lines")}),
             key("trustedProxies", &HttpConfig::trusted_proxies, list(network(), "a list of networks"),
                 "proxies whose X-Forwarded-* headers are believed; by default nobody's are"),
             group<HttpConfig>("limits", "sizes and counts beyond which requests are refused",
                               of(&HttpConfig::server, limit_keys())),
             group<HttpConfig>(
                 "drain", "how the node stops on SIGTERM",
                 {key("delay", &HttpConfig::drain_delay, duration(0s, 5min),
                      "how long requests are still taken while the status already says draining"),
                  key("timeout", &HttpConfig::drain_timeout, duration(0s, 1h),
                      "how long the requests in flight may take after that")}),
             group<HttpConfig>("routing", "what happens when this node is behind the user's last write",
                               of(&HttpConfig::routing, routing_keys()))};
}

Codec<std::vector<TlsProfileConfig>> tls_codec() {
  auto profile = object<TlsProfileConfig>(tls_profile_keys());
  Shape shape{Shape::Kind::map, "a map of TLS profiles by name", {}, 0, 0, {}, {profile.shape}};
  auto name_codec = name("the name of a TLS profile");
  return {shape,
          [profile, shape, name_codec](Reader& reader, const Node& node, std::vector<TlsProfileConfig>& out) {
            read_map(reader, node, shape, [&](const std::string& key, const Node& value) {
              TlsProfileConfig& one = out.emplace_back();
              one.name = key;
              profile.read(reader, value, one);
            });
          },
          [profile](const std::vector<TlsProfileConfig>& profiles) {
            json::object out;
            for (const TlsProfileConfig& one : profiles) out[one.name] = profile.show(one);
            return json::value(std::move(out));
          }};
}

Keys<platform::LoggerConfig> logger_keys() {
  using platform::LoggerConfig;
  auto time_format = leaf<std::string>(
      {Shape::Kind::text, "a layout's name such as RFC3339Nano, or a layout such as 2006-01-02 15:04:05"},
      [](const std::string& value) -> Result<std::string> {
        if (value.size() > 100 || !platform::time_layout(value)) return plain_mismatch();
        return value;
      },
      [](const std::string& value) { return json::value(value); });
  return {
      key("level", &LoggerConfig::level,
          level({{"debug", Level::debug},
                 {"info", Level::info},
                 {"warn", Level::warn},
                 {"error", Level::error}}),
          "the least level that is written; -verbose and MAVERICS_DEBUG_MODE=true mean debug"),
      key("jsonOutput", &LoggerConfig::json_output, flag(), "JSON lines instead of key=value"),
      key("logSessionID", &LoggerConfig::log_session_id, flag(),
          "keep the field session_ref, a keyed hash that tells sessions apart and is not the session's id"),
      key("timeFormat", &LoggerConfig::time_format, time_format,
          "how times are written (UTC): ANSIC, UnixDate, RubyDate, RFC822, RFC822Z, RFC850, RFC1123, "
          "RFC1123Z, "
          "RFC3339, RFC3339Milli, RFC3339Nano, Kitchen, Stamp, StampMilli, StampMicro, StampNano, DateTime, "
          "DateOnly, TimeOnly, in any case, or a layout as Go writes them"),
      group<LoggerConfig>("fieldOrdering", "the order of fields in a line",
                          {key("enabled", &LoggerConfig::field_ordering, flag(),
                               "the documented order, further fields by name; else as they were written")}),
  };
}

}  // namespace kith::app
