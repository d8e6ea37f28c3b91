// A Stream inside TLS: puts a TlsEngine on top of any other stream.
#pragma once

#include <memory>

#include "crypto/tls.h"
#include "runtime/ports.h"

namespace kith::http {

class TlsStream : public runtime::Stream {
 public:
  virtual std::string peer_subject() const = 0;  // of a verified client certificate, or ""
  virtual std::string protocol() const = 0;      // "TLSv1.3"
};

// Both complete the handshake within the deadline. The inner stream is owned by the result. Failures:
// those of the stream, and protocol or unauthenticated from TLS; the alert was sent. An end of the inner
// stream without the other side's close_notify is Code::reset, since the data may have been cut.
runtime::Task<Result<std::unique_ptr<TlsStream>>> tls_accept(
    std::unique_ptr<runtime::Stream> inner, std::shared_ptr<const crypto::TlsContext> context,
    MonoTime deadline);
runtime::Task<Result<std::unique_ptr<TlsStream>>> tls_connect(
    std::unique_ptr<runtime::Stream> inner, std::shared_ptr<const crypto::TlsContext> context,
    std::string server_name, MonoTime deadline);

}  // namespace kith::http
