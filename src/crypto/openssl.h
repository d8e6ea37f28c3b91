// Shared by the files of this room only: owning handles of OpenSSL's objects, and its words for errors.
#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/check.h"

namespace kith::crypto {

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
template <class T, auto Free>
using Owned = std::unique_ptr<T, Freer<Free>>;

// A read-only view; the text must outlive it.
inline Owned<BIO, BIO_free_all> memory_bio(std::string_view text) {
  KITH_CHECK(text.size() < (1u << 30));
  Owned<BIO, BIO_free_all> bio(
      BIO_new_mem_buf(text.empty() ? "" : text.data(), static_cast<int>(text.size())));
  KITH_CHECK(bio);
  return bio;
}

// For PEM readers: an encrypted file is an error, never a prompt on the terminal.
inline int no_passphrase(char*, int, int, void*) { return -1; }

// The first error on this thread's queue, which is the cause; the queue is emptied.
inline std::string take_openssl_error() {
  unsigned long error = ERR_get_error();
  ERR_clear_error();
  if (error == 0) return "unknown error";
  const char* reason = ERR_reason_error_string(error);
  return reason != nullptr ? reason : "error " + std::to_string(error);
}

}  // namespace kith::crypto
