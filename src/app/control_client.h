// Asks the node behind a control socket one question and waits for the answer.
#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"
#include "base/time.h"

namespace kith::app {

struct ControlAnswer {
  int status = 0;
  json::object body;
};

// Blocks at most for the timeout. not_found, refused: no node is running there; io: the socket is another
// user's; protocol: what answered is no node.
Result<ControlAnswer> ask_node(const std::string& socket, const std::string& method, const std::string& path,
                               Duration timeout);

}  // namespace kith::app
