// `node:` and `control:`.

#include "app/keys.h"
#include "membership/record.h"

namespace kith::app {

namespace {

// What travels in the node's record.
Codec<std::string> label(std::string what) { return text(std::move(what), membership::kMaxLabelBytes); }

// The kernel's limit (unix(7)), less what the name needs while the socket is made.
constexpr size_t kMaxSocketPath = 103;

Key<ControlConfig> socket_key() {
  Shape shape{Shape::Kind::text,
              "the path of a Unix socket, at most " + std::to_string(kMaxSocketPath) + " bytes"};
  return {
      Property{"socket",
               "where; by default /run/kith/NAME.sock for a configuration /etc/kith/NAME.yaml, and NAME.sock "
               "beside any other",
               shape},
      [shape](Reader& reader, const Node& node, ControlConfig& out) {
        read_scalar(reader, node, shape, [&](const std::string& value) -> Result<void> {
          if (value.empty() || value.ends_with('/')) return plain_mismatch();
          std::string path = reader.absolute(value);
          if (path.size() > kMaxSocketPath) return plain_mismatch();
          out.socket = std::move(path);
          out.is_default = false;
          return {};
        });
      },
      [](const ControlConfig& value) { return if_worth_showing(json::value(value.socket)); }};
}

}  // namespace

Keys<NodeConfig> node_keys() {
  return {key("name", &NodeConfig::name, label("a name of at most 64 bytes"),
              "what people call the node; by default KITH_NODE_NAME, else the machine's name"),
          key("region", &NodeConfig::region, label("a region of at most 64 bytes"),
              "where it runs, shown to people"),
          key("zone", &NodeConfig::zone, label("a zone of at most 64 bytes"),
              "what fails together there: the voters for the leader are chosen across zones")};
}

Keys<ControlConfig> control_keys() {
  return {inverted("disabled", &ControlConfig::enabled, "no socket: the commands cannot reach the node"),
          socket_key()};
}

}  // namespace kith::app
