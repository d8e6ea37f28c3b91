// A Stream inside TLS: puts a TlsEngine on top of any other stream.
#pragma once

#include <memory>

#include "crypto/tls.h"
#include "runtime/ports.h"

namespace kith::http {

// Both complete the handshake within the deadline. The inner stream is owned by the result.
runtime::Task<Result<std::unique_ptr<runtime::Stream>>> tls_accept(
    std::unique_ptr<runtime::Stream> inner, std::shared_ptr<const crypto::TlsContext> context,
    MonoTime deadline);
runtime::Task<Result<std::unique_ptr<runtime::Stream>>> tls_connect(
    std::unique_ptr<runtime::Stream> inner, std::shared_ptr<const crypto::TlsContext> context,
    std::string server_name, MonoTime deadline);

}  // namespace kith::http
