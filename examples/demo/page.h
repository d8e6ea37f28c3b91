// The demo's one page, as text.
#pragma once

#include <map>
#include <string>

namespace kith::demo {

// One request as the gateway passed it on, and what this person did before.
struct Visit {
  std::string user, name, email;           // from the headers the configuration makes of claims; "" = nobody
  std::string node;                        // X-Kith-Node: the node that asked us
  std::string forwarded_by;                // X-Kith-Forwarded-By: the node that had handed the request to it
  std::map<std::string, uint64_t> clicks;  // by node
};

std::string render_page(const Visit& visit);
std::string render_json(const Visit& visit);

}  // namespace kith::demo
