// A response on a connection of the client; gives the connection back when the body is complete.
#pragma once

#include "http/client_pool.h"
#include "http/framed_body.h"

namespace kith::http {

class PooledResponse final : public ClientResponse, private BodyReader {
 public:
  struct Deadlines {
    Duration silence{};  // within the body; 0 = none
    MonoTime total = kNever;
  };
  // reusable: the request was sent whole, and nothing else stands against using the connection again.
  PooledResponse(runtime::Loop& loop, ClientPool& pool, std::unique_ptr<ClientConnection> connection,
                 ResponseHead head, Framing framing, bool reusable, Deadlines deadlines);

  const ResponseHead& head() const override { return head_; }
  BodyReader& body() override { return *this; }
  std::unique_ptr<runtime::Stream> take_upgraded() override;
  void abort() override;

 private:
  runtime::Task<Result<size_t>> read(MutableByteView buffer) override;
  ByteView here() override { return connection_ ? body_.here(connection_->input) : ByteView(); }
  Result<void> pass(size_t bytes) override;
  bool complete() const override { return body_.done(); }
  void release_when_done();

  runtime::Loop& loop_;
  ClientPool& pool_;
  std::unique_ptr<ClientConnection> connection_;  // null when given back or upgraded
  ResponseHead head_;
  FramedBody body_;
  bool reusable_;
  Deadlines deadlines_;
};

}  // namespace kith::http
