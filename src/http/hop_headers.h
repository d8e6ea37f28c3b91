// The headers that an intermediary never passes on: those of one connection (RFC 9110 section 7.6.1) and
// those that frame a message, which the codec writes itself. One list, for the gateway that chooses what
// goes on and for the codec that writes it.
#pragma once

#include "http/headers.h"

namespace kith::http {

// What Connection names beside them is for the caller to see.
inline const NameSet& hop_headers() {
  static const NameSet names = {"connection",
                                "keep-alive",
                                "proxy-connection",
                                "proxy-authenticate",
                                "proxy-authorization",
                                "te",
                                "trailer",
                                "transfer-encoding",
                                "upgrade",
                                "expect",
                                "content-length",
                                "http2-settings"};
  return names;
}

}  // namespace kith::http
