// One small exchange with an identity provider: a deadline over all of it, a cap on the answer's size,
// and no redirects (the status is handed back as it is; http::Client follows none).
#pragma once

#include <string>

#include "http/client.h"
#include "runtime/ports.h"

namespace kith::identity::oidc {

inline constexpr Duration kCallTimeout = 10s;

struct Answer {
  int status = 0;
  std::string content_type;
  std::string body;
};

struct Call {
  http::Url url;
  std::string authorization;  // Authorization header, "" = none
  std::string form;           // not empty: POST of this form; else GET
  size_t max_bytes = 0;       // of the answer's body
  std::shared_ptr<const crypto::TlsContext> tls;
};

// Failures: those of http::Client, limit (the answer is too large), timeout. Loop and client outlive
// the task.
runtime::Task<Result<Answer>> exchange(runtime::Loop& loop, http::Client& client, Call call,
                                       Duration timeout = kCallTimeout);

}  // namespace kith::identity::oidc
