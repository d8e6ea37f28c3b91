// A connection handed over after 101: what the other side sent early is read first.
#pragma once

#include "base/input_buffer.h"
#include "runtime/ports.h"

namespace kith::http {

// Over a stream and a buffer that outlive it.
class EarlyStream : public runtime::Stream {
 public:
  EarlyStream(runtime::Stream& inner, InputBuffer& early) : inner_(inner), early_(early) {}

  runtime::Task<Result<size_t>> read(MutableByteView buffer, MonoTime deadline) override {
    if (early_.empty()) return inner_.read(buffer, deadline);
    return take_early(buffer);
  }
  runtime::Task<Result<void>> write(std::span<const ByteView> pieces, MonoTime deadline) override {
    return inner_.write(pieces, deadline);
  }
  runtime::Task<Result<void>> shutdown() override { return inner_.shutdown(); }
  void close() override { inner_.close(); }
  Endpoint local_endpoint() const override { return inner_.local_endpoint(); }
  Endpoint remote_endpoint() const override { return inner_.remote_endpoint(); }

 private:
  runtime::Task<Result<size_t>> take_early(MutableByteView buffer) {
    size_t taken = early_.take(buffer);
    early_.shrink();
    co_return taken;
  }

  runtime::Stream& inner_;
  InputBuffer& early_;
};

}  // namespace kith::http
