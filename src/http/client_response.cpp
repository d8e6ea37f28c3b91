#include "http/client_response.h"

#include "http/early_stream.h"

namespace kith::http {
namespace {

// After 101: the stream with its connection, which as a base is there before and after it.
struct Owner {
  std::unique_ptr<ClientConnection> connection;
};
class Upgraded final : private Owner, public EarlyStream {
 public:
  explicit Upgraded(std::unique_ptr<ClientConnection> from)
      : Owner{std::move(from)}, EarlyStream(*connection->stream, connection->input) {}
};

}  // namespace

PooledResponse::PooledResponse(runtime::Loop& loop, ClientPool& pool,
                               std::unique_ptr<ClientConnection> connection, ResponseHead head,
                               Framing framing, bool reusable, Deadlines deadlines)
    : loop_(loop),
      pool_(pool),
      connection_(std::move(connection)),
      head_(std::move(head)),
      body_(BodyDecoder(framing, head_.content_length.value_or(0))),
      reusable_(reusable && head_.keep_alive && framing != Framing::until_close),
      deadlines_(deadlines) {
  if (head_.status != 101) release_when_done();
}

// Bytes after a whole response belong to none of our requests: the other side counts otherwise than we
// do, and the next response on this connection would be somebody else's.
void PooledResponse::release_when_done() {
  if (!body_.done() || !connection_) return;
  std::unique_ptr<ClientConnection> connection = std::move(connection_);
  if (reusable_ && connection->input.empty()) pool_.give(std::move(connection));
}

runtime::Task<Result<size_t>> PooledResponse::read(MutableByteView buffer) {
  if (body_.done()) co_return size_t{0};
  if (!connection_) co_return Error(Code::closed, "aborted", Side::upstream);
  MonoTime deadline = deadlines_.total;
  if (deadlines_.silence != Duration::zero()) deadline = std::min(deadline, loop_.now() + deadlines_.silence);
  auto n = co_await body_.read(*connection_->stream, connection_->input, buffer, deadline);
  if (!n) co_return Error(n.error().code(), "response body: " + n.error().message(), Side::upstream);
  release_when_done();
  co_return n;
}

Result<void> PooledResponse::pass(size_t bytes) {
  if (!connection_) return Error(Code::closed, "aborted", Side::upstream);
  auto passed = body_.pass(connection_->input, bytes);
  if (!passed)
    return Error(passed.error().code(), "response body: " + passed.error().message(), Side::upstream);
  release_when_done();
  return {};
}

std::unique_ptr<runtime::Stream> PooledResponse::take_upgraded() {
  KITH_CHECK(head_.status == 101 && connection_);
  return std::make_unique<Upgraded>(std::move(connection_));
}

void PooledResponse::abort() {
  if (connection_) connection_->stream->close();
}

}  // namespace kith::http
