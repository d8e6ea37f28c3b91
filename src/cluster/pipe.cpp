#include "cluster/pipe.h"

#include <algorithm>

#include "base/codec.h"

namespace kith::cluster {
namespace {
constexpr size_t kChunk = 16 << 10;  // one message; near a mesh frame, so that lanes can take turns
}

void Pipe::on_data(Bytes data) {
  if (finished() || received_end_) return;
  if (data.size() > granted_) {
    reset("more data than was granted");
    return;
  }
  granted_ -= data.size();
  // Joined, so that tiny messages do not cost more memory than the window says.
  if (!inbound_.empty() && inbound_.back().size() + data.size() <= kChunk) {
    append(inbound_.back(), data);
  } else if (!data.empty()) {
    inbound_.push_back(std::move(data));
  }
  readable_.notify_all();
}

void Pipe::on_end() {
  received_end_ = true;
  readable_.notify_all();
}

void Pipe::on_credit(uint64_t bytes) {
  credit_ = bytes < kPipeWindow ? std::min<uint64_t>(credit_ + bytes, kPipeWindow) : kPipeWindow;
  writable_.notify_all();
}

void Pipe::on_reset(Error error) {
  if (failed_) return;
  failed_ = error;
  head_.set(std::move(error));
  readable_.notify_all();
  writable_.notify_all();
}

runtime::Task<Result<http::ResponseHead>> Pipe::head() { co_return co_await head_.wait(); }

runtime::Task<Result<void>> Pipe::accepted(MonoTime deadline) {
  while (credit_ == 0 && !failed_) {
    bool woken = co_await writable_.wait_until(loop_, deadline);
    if (!woken) co_return Error(Code::timeout, "the other node did not take the request in time", Side::peer);
  }
  if (failed_ && credit_ == 0) co_return *failed_;
  co_return Result<void>();  // also when it failed right afterwards: the request was taken
}

runtime::Task<Result<size_t>> Pipe::read(MutableByteView buffer, MonoTime deadline) {
  while (inbound_.empty() && !received_end_ && !failed_) {
    bool woken = co_await readable_.wait_until(loop_, deadline);
    if (!woken) co_return Error(Code::timeout, "the deadline passed");
  }
  if (inbound_.empty() && failed_) co_return *failed_;
  size_t done = 0;
  while (done < buffer.size() && !inbound_.empty()) {
    ByteView piece = ByteView(inbound_.front()).subspan(offset_);
    size_t n = std::min(piece.size(), buffer.size() - done);
    std::copy_n(piece.begin(), n, buffer.begin() + static_cast<long>(done));
    done += n;
    offset_ += n;
    if (offset_ == inbound_.front().size()) {
      inbound_.pop_front();
      offset_ = 0;
    }
  }
  unacknowledged_ += done;
  if (unacknowledged_ >= window_ / 2) grant(std::exchange(unacknowledged_, 0));
  co_return done;
}

runtime::Task<Result<void>> Pipe::write(ByteView data, MonoTime deadline) {
  while (!data.empty()) {
    while (credit_ == 0 && !failed_) {
      bool woken = co_await writable_.wait_until(loop_, deadline);
      if (!woken) co_return Error(Code::timeout, "the deadline passed");
    }
    if (failed_) co_return *failed_;
    if (sent_end_) co_return Error(Code::closed, "closed");
    size_t n = std::min<size_t>({data.size(), kChunk, static_cast<size_t>(credit_)});
    credit_ -= n;
    send_(ForwardType::data, Bytes(data.begin(), data.begin() + static_cast<long>(n)));
    data = data.subspan(n);
  }
  co_return Result<void>();
}

void Pipe::send_head(const http::ResponseHead& head) {
  Bytes payload;
  encode_response(payload, head);
  send_(ForwardType::head, std::move(payload));
}

void Pipe::grant(size_t bytes) {
  if (failed_ || received_end_) return;
  granted_ += bytes;
  Bytes payload;
  Writer(payload).varint(bytes);
  send_(ForwardType::credit, std::move(payload));
}

void Pipe::end() {
  if (std::exchange(sent_end_, true) || failed_) return;
  send_(ForwardType::end, {});
}

void Pipe::reset(std::string_view why) {
  if (finished()) return;
  send_(ForwardType::reset, to_bytes(why));
  on_reset(Error(Code::closed, std::string(why)));
}

PipeStream::PipeStream(std::shared_ptr<Pipe> pipe, const http::Origin& origin)
    : pipe_(std::move(pipe)), local_(origin.local), remote_(origin.peer) {}

runtime::Task<Result<void>> PipeStream::write(std::span<const ByteView> pieces, MonoTime deadline) {
  std::vector<ByteView> all(pieces.begin(), pieces.end());
  for (ByteView piece : all) {
    auto sent = co_await pipe_->write(piece, deadline);
    if (!sent) co_return sent;
  }
  co_return Result<void>();
}

runtime::Task<Result<void>> PipeStream::shutdown() {
  pipe_->end();
  co_return Result<void>();
}

}  // namespace kith::cluster
