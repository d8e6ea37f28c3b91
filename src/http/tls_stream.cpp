#include "http/tls_stream.h"

#include <algorithm>

#include "runtime/sync.h"

namespace kith::http {
namespace {

constexpr size_t kFirstRead = 4 << 10;   // ciphertext buffer of a quiet connection
constexpr size_t kLargeRead = 32 << 10;  // of one that fills its buffer
constexpr size_t kRecord = 16 << 10;     // the largest plaintext of a record (RFC 8446 section 5.1)

class EngineStream final : public TlsStream {
 public:
  EngineStream(std::unique_ptr<runtime::Stream> inner, crypto::TlsEngine engine)
      : inner_(std::move(inner)), engine_(std::move(engine)), cipher_(kFirstRead) {}

  runtime::Task<Result<void>> handshake(MonoTime deadline) {
    for (;;) {
      auto done = engine_.handshake();
      auto sent = co_await flush(deadline);  // the alert too
      if (!done) co_return std::move(done).error();
      if (!sent) co_return sent;
      if (*done) co_return Result<void>();
      KITH_CO_TRY(bool more, co_await fill(deadline));
      if (!more) co_return Error(Code::reset, "the stream ended in the TLS handshake");
    }
  }

  runtime::Task<Result<size_t>> read(MutableByteView buffer, MonoTime deadline) override {
    for (;;) {
      if (failed_) co_return *failed_;
      if (ended_) co_return size_t{0};
      auto n = engine_.read(buffer);
      if (n && *n > 0) co_return n;
      if (!n && n.error().code() == Code::closed) {
        ended_ = true;
        continue;
      }
      if (!n) failed_ = n.error();
      if (engine_.has_output()) {  // an answer to a key update, or an alert
        auto sent = co_await flush(deadline);
        if (!sent) co_return std::move(sent).error();
      }
      if (failed_) continue;
      KITH_CO_TRY(bool more, co_await fill(deadline));
      if (!more) co_return Error(Code::reset, "the stream ended without TLS close_notify");
    }
  }

  runtime::Task<Result<void>> write(std::span<const ByteView> pieces, MonoTime deadline) override {
    if (failed_) co_return *failed_;
    auto sealed = seal(pieces);
    if (!sealed) {
      failed_ = sealed.error();
      co_return sealed;
    }
    co_return co_await flush(deadline);
  }

  runtime::Task<Result<void>> shutdown() override {
    engine_.close_notify();
    KITH_CO_TRY_VOID(co_await flush(kNever));
    co_return co_await inner_->shutdown();
  }

  void close() override { inner_->close(); }
  bool quiet() override { return !failed_ && !ended_ && inner_->quiet(); }
  Endpoint local_endpoint() const override { return inner_->local_endpoint(); }
  Endpoint remote_endpoint() const override { return inner_->remote_endpoint(); }
  std::string peer_subject() const override { return engine_.peer_subject(); }
  std::string protocol() const override { return engine_.protocol(); }

 private:
  // Small pieces share a record; large ones are encrypted where they lie.
  Result<void> seal(std::span<const ByteView> pieces) {
    Bytes small;
    for (ByteView piece : pieces) {
      if (small.empty() && (pieces.size() == 1 || piece.size() >= kRecord)) {
        KITH_TRY_VOID(engine_.write(piece));
        continue;
      }
      size_t fitting = std::min(piece.size(), kRecord - small.size());
      append(small, piece.first(fitting));
      if (small.size() == kRecord) {
        KITH_TRY_VOID(engine_.write(small));
        small.clear();
        KITH_TRY_VOID(engine_.write(piece.subspan(fitting)));
      }
    }
    return engine_.write(small);
  }

  // Sends all output. One at a time: a read may have to answer while a write is under way.
  runtime::Task<Result<void>> flush(MonoTime deadline) {
    while (flushing_) {
      runtime::OneShot<bool> turn;
      waiting_.push_back(&turn);
      co_await turn.wait();
    }
    Result<void> sent;
    flushing_ = true;
    while (sent && engine_.has_output()) {
      Bytes output = engine_.take_output();
      sent = co_await inner_->write_all(output, deadline);
    }
    flushing_ = false;
    std::vector<runtime::OneShot<bool>*> woken = std::exchange(waiting_, {});
    for (runtime::OneShot<bool>* turn : woken) turn->set(true);
    co_return sent;
  }

  // False at the end of the inner stream.
  runtime::Task<Result<bool>> fill(MonoTime deadline) {
    KITH_CO_TRY(size_t n, co_await inner_->read(cipher_, deadline));
    engine_.feed(ByteView(cipher_).first(n));
    if (n == cipher_.size() && n < kLargeRead) cipher_.resize(kLargeRead);
    co_return n > 0;
  }

  std::unique_ptr<runtime::Stream> inner_;
  crypto::TlsEngine engine_;
  Bytes cipher_;
  bool flushing_ = false;
  bool ended_ = false;
  std::optional<Error> failed_;
  std::vector<runtime::OneShot<bool>*> waiting_;  // at most a reader and a writer
};

runtime::Task<Result<std::unique_ptr<TlsStream>>> begin(std::unique_ptr<runtime::Stream> inner,
                                                        Result<crypto::TlsEngine> engine, MonoTime deadline) {
  if (!engine) co_return std::move(engine).error();
  auto stream = std::make_unique<EngineStream>(std::move(inner), std::move(*engine));
  KITH_CO_TRY_VOID(co_await stream->handshake(deadline));
  co_return std::unique_ptr<TlsStream>(std::move(stream));
}

}  // namespace

runtime::Task<Result<std::unique_ptr<TlsStream>>> tls_accept(
    std::unique_ptr<runtime::Stream> inner, std::shared_ptr<const crypto::TlsContext> context,
    MonoTime deadline) {
  return begin(std::move(inner), crypto::TlsEngine::server(std::move(context)), deadline);
}

runtime::Task<Result<std::unique_ptr<TlsStream>>> tls_connect(
    std::unique_ptr<runtime::Stream> inner, std::shared_ptr<const crypto::TlsContext> context,
    std::string server_name, MonoTime deadline) {
  return begin(std::move(inner), crypto::TlsEngine::client(std::move(context), server_name), deadline);
}

}  // namespace kith::http
