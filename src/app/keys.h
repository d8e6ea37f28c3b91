// The tables of keys, one function for each part of the configuration. See schema.h for the words.
#pragma once

#include "app/config.h"
#include "app/schema.h"

namespace kith::app {

Codec<Config> config_codec();

// The parts, in the rooms' own structs.
Keys<NodeConfig> node_keys();
Keys<ControlConfig> control_keys();
Keys<http::HttpConfig> http_keys();
Codec<std::vector<http::TlsProfileConfig>> tls_codec();
Keys<platform::LoggerConfig> logger_keys();
Keys<gateway::SessionConfig> session_keys();
Keys<gateway::SingleLogoutConfig> single_logout_keys();
Keys<gateway::HealthConfig> health_keys();
Codec<std::vector<cluster::ClusterConfig>> clusters_codec();
Codec<std::vector<cache::CacheConfig>> caches_codec();
Codec<std::vector<identity::ConnectorConfig>> connectors_codec();
Codec<std::vector<gateway::AppConfig>> apps_codec();

// Values that several tables use.
Codec<std::string> name(std::string what, bool dots = true);  // letters, digits, '-', '_', '.'; at most 64
Codec<std::string> url();                                     // absolute, http or https
Codec<std::string> local_path();                              // "/status": canonical, no query
Codec<crypto::Secret> secret(std::string what);
Codec<Level> level(std::vector<std::pair<std::string, Level>> words);
Codec<gateway::Template> template_text();

// What a table cannot say: references between keys. Reports through the reader's places.
void check_config(const Config& config, Reader& reader);

// `address: IP:PORT`, to listen on.
template <class T>
Key<T> address_key(std::string T::*host, uint16_t T::*port, std::string example, std::string doc) {
  return key_with<T>(
      "address", {Shape::Kind::text, "IP:PORT such as " + std::move(example)},
      [host, port](const std::string& text, T& out) -> Result<void> {
        auto parsed = parse_host_port(text);
        if (!parsed) return plain_mismatch();
        if (parsed->host == "localhost") parsed->host = "127.0.0.1";
        if (!parsed->host.empty() && !IpAddress::parse(parsed->host))
          return Error(Code::invalid, "the host is not an IP address", Side::config);
        out.*host = parsed->host;
        out.*port = parsed->port;
        return {};
      },
      [host, port](const T& value) {
        const bool v6 = (value.*host).find(':') != std::string::npos;
        return json::value((v6 ? "[" + value.*host + "]" : value.*host) + ":" + std::to_string(value.*port));
      },
      std::move(doc));
}

// `accessLog: {disabled: true}`: a flag that says the opposite of the member.
template <class T>
Key<T> inverted(std::string name, bool T::*member, std::string doc) {
  auto codec = flag();
  Property property{std::move(name), std::move(doc), codec.shape};
  property.fallback = json::value(!(T{}.*member));
  return {std::move(property),
          [member, codec](Reader& reader, const Node& node, T& out) {
            bool disabled = !(out.*member);
            codec.read(reader, node, disabled);
            out.*member = !disabled;
          },
          [member](const T& value) { return std::optional(json::value(!(value.*member))); }};
}

// `type: cluster`: a key with one possible word, which is only checked.
template <class T>
Key<T> fixed_word(std::string name, std::string word, std::string doc) {
  return key_with<T>(
      std::move(name), choice_shape({word}),
      [word](const std::string& text, T&) -> Result<void> {
        if (iequals(text, word)) return {};
        return plain_mismatch();
      },
      [word](const T&) { return json::value(word); }, std::move(doc));
}

// A map whose key `type` says which object it is. Kinds of the product family that this version has
// not are refused by name.
template <class T>
Codec<T> by_type(std::vector<std::pair<std::string, Codec<T>>> kinds,
                 std::vector<std::string> unsupported_kinds, std::function<size_t(const T&)> kind_of) {
  std::vector<std::string> names;
  Shape shape{Shape::Kind::variant, "a map with the key \"type\""};
  for (const auto& [kind, codec] : kinds) {
    names.push_back(kind);
    shape.inner.push_back(codec.shape);
  }
  Shape word = choice_shape(names);
  return {shape,
          [kinds, unsupported_kinds, word](Reader& reader, const Node& node, T& out) {
            if (node.kind != Node::Kind::map) return reader.mismatch(node, "a map with the key \"type\"");
            const Entry* type = node.find("type");
            if (!type) return reader.missing("type", word.expected);
            std::string chosen;
            {
              auto inside = reader.enter(*type);
              auto text = reader.scalar(type->value, word.expected);
              if (!text) return;
              chosen = text->text;
              for (const std::string& kind : unsupported_kinds) {
                if (iequals(kind, chosen)) return report_unsupported(reader, "the type \"" + kind + "\"");
              }
              bool known = false;
              for (const auto& [kind, codec] : kinds) known = known || iequals(kind, chosen);
              if (!known) return reader.mismatch(type->value, word.expected);
            }
            for (const auto& [kind, codec] : kinds) {
              if (iequals(kind, chosen)) codec.read(reader, node, out);
            }
          },
          [kinds, names, kind_of](const T& value) {
            size_t kind = kind_of(value);
            json::value shown = kinds[kind].second.show(value);
            shown.as_object()["type"] = names[kind];
            return shown;
          }};
}

// A map with exactly one of the keys: an operator, or a joint of operators.
template <class T>
Codec<T> one_of(Keys<T> keys, std::string expected) {
  Codec<T> whole = object<T>(std::move(keys), expected);
  auto read = whole.read;
  whole.read = [read, expected](Reader& reader, const Node& node, T& out) {
    if (node.kind != Node::Kind::map || node.entries.size() != 1) return reader.mismatch(node, expected);
    read(reader, node, out);
  };
  return whole;
}

}  // namespace kith::app
