#include "cluster/link_driver.h"

namespace kith::cluster {
namespace {

constexpr size_t kReadSize = 64 << 10;
// A peer that takes nothing for this long is gone, whatever its heartbeats on the other link say.
constexpr Duration kWriteTimeout = 15s;
// After we refused: how long we read on, so that our words arrive before a reset does.
constexpr Duration kLinger = 500ms;
// How long a link that was replaced may still have to say.
constexpr Duration kFinishTimeout = 10s;

}  // namespace

LinkDriver::LinkDriver(runtime::Loop& loop, std::unique_ptr<runtime::Stream> stream, mesh::Link link,
                       bool dialled, Owner& owner, Bytes first)
    : loop_(loop),
      stream_(std::move(stream)),
      link_(std::move(link)),
      dialled_(dialled),
      owner_(owner),
      remote_(stream_->remote_endpoint()),
      local_(stream_->local_endpoint()),
      heard_(loop_.now()),
      first_(std::move(first)) {}

runtime::Task<void> LinkDriver::run(std::stop_token stop) {
  std::stop_callback on_stop(stop, [this] { cut(); });
  arm_timer();
  runtime::Scope scope;
  scope.spawn(write_loop());
  co_await read_loop();
  reading_done_ = true;
  output_.notify_all();
  co_await scope.close();
  timer_.reset();
  finish_timer_.reset();
  stream_->close();
}

runtime::Task<void> LinkDriver::read_loop() {
  Bytes buffer(kReadSize);
  if (!first_.empty()) take(std::exchange(first_, {}));
  while (!link_.closed()) {
    if (held_) {
      co_await released_.wait_until(loop_, kNever);
      co_await runtime::sleep(loop_, 0ns);  // whoever released us is still at work on us
      continue;
    }
    auto n = co_await stream_->read(buffer, kNever);
    if (!n) {
      note_end(mesh::Refusal::none, true, n.error().message());
      co_return;
    }
    take(ByteView(buffer).first(*n));
  }
  // What the link still has to say goes out first; then wait for the peer to hang up.
  MonoTime until = loop_.now() + kLinger;
  for (;;) {
    auto n = co_await stream_->read(buffer, until);
    if (!n || *n == 0) break;
  }
}

// Nothing: the end.
void LinkDriver::take(ByteView data) {
  heard_ = loop_.now();
  if (data.empty()) {
    link_.handle_end(loop_.now());
  } else {
    link_.handle_input(data, loop_.now());
  }
  drain_events();
  output_.notify_all();
  arm_timer();
}

runtime::Task<void> LinkDriver::write_loop() {
  while (!stopped_) {
    if (!link_.closed() && established() && only_calls_wait()) owner_.on_drained(*this);
    Bytes data = link_.poll_transmit();
    if (data.empty() && !link_.closed() && established()) {
      owner_.on_drained(*this);
      data = link_.poll_transmit();
    }
    if (link_.closed()) drain_events();  // it may end with what it says
    if (data.empty()) {
      if (link_.closed()) {
        (void)co_await stream_->shutdown();
        co_return;
      }
      if (reading_done_) co_return;
      co_await output_.wait_until(loop_, kNever);
      continue;
    }
    auto sent = co_await stream_->write_all(data, loop_.now() + kWriteTimeout);
    if (!sent) {
      note_end(mesh::Refusal::none, true, sent.error().message());
      stream_->close();
      co_return;
    }
  }
}

bool LinkDriver::only_calls_wait() const {
  return queued_bytes(mesh::Lane::cache) > 0 && queued_bytes(mesh::Lane::cache) == queued_bytes();
}

void LinkDriver::drain_events() {
  while (!held_) {
    auto event = link_.poll_event();
    if (!event) return;
    if (auto* established = std::get_if<mesh::Established>(&*event)) {
      peer_ = std::move(*established);
      owner_.on_established(*this, *peer_);
    } else if (auto* message = std::get_if<mesh::Message>(&*event)) {
      if (!stopped_) owner_.on_message(*this, *message);
    } else if (std::get_if<mesh::PeerFinished>(&*event) != nullptr) {
      heard_out_ = true;
      if (!finish_timer_) finish_timer_ = loop_.call_after(kFinishTimeout, [this] { cut(); });
      if (!stopped_) owner_.on_finished(*this);
    } else {
      const auto& closed = std::get<mesh::Closed>(*event);
      note_end(closed.reason, closed.by_peer, closed.detail);
    }
  }
}

void LinkDriver::arm_timer() {
  MonoTime when = link_.poll_timeout();
  if (when == armed_) return;
  armed_ = when;
  timer_.reset();
  if (when == kNever) return;
  timer_ = loop_.call_at(when, [this] {
    armed_ = kNever;
    link_.handle_timeout(loop_.now());
    drain_events();
    if (link_.closed()) {
      timer_ = loop_.call_at(loop_.now(), [this] { stream_->close(); });  // after its last words
    } else {
      arm_timer();
    }
    output_.notify_all();  // last: a write that fails at once goes on to the end of run()
  });
}

void LinkDriver::release() {
  if (!std::exchange(held_, false)) return;
  drain_events();
  output_.notify_all();
  released_.notify_all();
}

void LinkDriver::finish() {
  if (stopped_ || link_.closed()) return;
  link_.finish();
  finish_timer_ = loop_.call_after(kFinishTimeout, [this] { cut(); });
  output_.notify_all();
}

void LinkDriver::send(mesh::Lane lane, uint8_t type, ByteView payload) {
  if (stopped_ || !link_.established() || link_.closed()) return;
  link_.send(lane, type, payload);
  output_.notify_all();
}

void LinkDriver::refuse(mesh::Refusal reason, std::string detail) {
  if (link_.closed()) return;
  link_.refuse(reason, std::move(detail));
  finish_timer_ = loop_.call_after(kLinger, [this] { cut(); });  // a peer may stay and say nothing
  const bool held = std::exchange(held_, false);
  drain_events();
  output_.notify_all();
  if (held) released_.notify_all();
}

void LinkDriver::cut() {
  stopped_ = true;
  note_end(mesh::Refusal::none, false, "closed here");
  const bool held = std::exchange(held_, false);
  // Last: whoever waits on the stream goes on inside this call, to the end of run(). Nobody does while the
  // link is held.
  stream_->close();
  if (held) released_.notify_all();
}

void LinkDriver::note_end(mesh::Refusal reason, bool by_peer, std::string detail) {
  if (ended_) return;
  ended_ = true;
  end_ = {reason, by_peer, std::move(detail)};
}

}  // namespace kith::cluster
