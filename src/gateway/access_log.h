// One line per request, when it is over. No query string, no cookie, no id that opens anything.
#pragma once

#include "base/log.h"
#include "gateway/context.h"

namespace kith::gateway {

struct AccessFacts {
  std::string_view node_name;
  MonoTime finished;
};

void write_access_log(const Log& log, Level level, const RequestContext& context, const AccessFacts& facts);

}  // namespace kith::gateway
