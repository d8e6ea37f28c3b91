#include "fake_world.h"

#include <algorithm>

#include "base/check.h"
#include "runtime/sync.h"

namespace kith::http::test {

struct FakeLoop::Pending {
  std::function<void()> fn;
};

runtime::Timer FakeLoop::call_at(MonoTime when, std::function<void()> fn) {
  struct Handle final : runtime::TimerHandle {
    std::shared_ptr<Pending> pending;
    ~Handle() override { pending->fn = nullptr; }
  };
  auto handle = std::make_unique<Handle>();
  handle->pending = std::make_shared<Pending>(Pending{std::move(fn)});
  timers_.emplace(when, handle->pending);
  return handle;
}

void FakeLoop::run() {
  for (;;) {
    if (!posted_.empty()) {
      auto fn = std::move(posted_.front());
      posted_.pop_front();
      fn();
    } else if (!timers_.empty() && timers_.begin()->first <= now_) {
      auto pending = timers_.begin()->second;
      timers_.erase(timers_.begin());
      if (auto fn = std::exchange(pending->fn, nullptr)) fn();
    } else {
      return;
    }
  }
}

void FakeLoop::advance(Duration duration) {
  MonoTime until = now_ + duration;
  run();
  while (!timers_.empty() && timers_.begin()->first <= until) {
    now_ = timers_.begin()->first;
    run();
  }
  now_ = until;
}

// Suspends until woken through the slot or until the deadline.
struct FakeStream::Wait {
  FakeLoop& loop;
  std::coroutine_handle<>& slot;
  MonoTime deadline;
  runtime::Timer timer{};
  Why why = Why::ready;

  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    KITH_CHECK(!slot);
    slot = handle;
    if (deadline == kNever) return;
    timer = loop.call_at(deadline, [this] {
      if (!slot) return;  // woken already
      why = Why::timeout;
      std::exchange(slot, {}).resume();
    });
  }
  Why await_resume() const noexcept { return why; }
};

std::pair<std::unique_ptr<FakeStream>, std::unique_ptr<FakeStream>> FakeStream::pair(FakeLoop& loop,
                                                                                     StreamOptions options) {
  auto one = std::make_shared<Channel>();
  auto two = std::make_shared<Channel>();
  one->capacity = two->capacity = options.capacity;
  std::unique_ptr<FakeStream> a(new FakeStream(loop, one, two, options));
  std::unique_ptr<FakeStream> b(new FakeStream(loop, two, one, options));
  return {std::move(a), std::move(b)};
}

FakeStream::~FakeStream() {
  FakeStream::close();
  KITH_CHECK(!reading_ && !writing_);
}

void FakeStream::wake(std::coroutine_handle<>& waiter) {
  if (!waiter) return;
  loop_.post([handle = std::exchange(waiter, {})] { handle.resume(); });
}

runtime::Task<Result<size_t>> FakeStream::read(MutableByteView buffer, MonoTime deadline) {
  KITH_CHECK(!reading_ && !buffer.empty());
  for (;;) {
    if (closed_) co_return Error(Code::closed, "closed");
    KITH_CHECK(!spent_);
    if (in_->broken) co_return Error(Code::reset, "reset");
    if (!in_->bytes.empty()) break;
    if (in_->ended) co_return size_t{0};
    reading_ = true;
    Why why = co_await Wait{loop_, in_->reader, deadline};
    reading_ = false;
    if (why == Why::timeout) {
      spent_ = true;
      co_return Error(Code::timeout, "timeout");
    }
  }
  size_t n = std::min({buffer.size(), in_->bytes.size(), options_.max_read});
  std::copy_n(in_->bytes.begin(), n, buffer.begin());
  in_->bytes.erase(in_->bytes.begin(), in_->bytes.begin() + static_cast<long>(n));
  wake(in_->writer);
  co_return n;
}

runtime::Task<Result<void>> FakeStream::write(std::span<const ByteView> pieces, MonoTime deadline) {
  KITH_CHECK(!writing_);
  ++writes_;
  Bytes all;
  for (ByteView piece : pieces) append(all, piece);
  size_t done = 0;
  while (done < all.size()) {
    if (closed_ || out_->ended) co_return Error(Code::closed, "closed");
    KITH_CHECK(!spent_);
    if (out_->broken) co_return Error(Code::reset, "reset");
    size_t n = std::min(all.size() - done, out_->capacity - std::min(out_->capacity, out_->bytes.size()));
    if (n > 0) {
      out_->bytes.insert(out_->bytes.end(), all.begin() + static_cast<long>(done),
                         all.begin() + static_cast<long>(done + n));
      done += n;
      wake(out_->reader);
      continue;
    }
    writing_ = true;
    Why why = co_await Wait{loop_, out_->writer, deadline};
    writing_ = false;
    if (why == Why::timeout) {
      spent_ = true;
      co_return Error(Code::timeout, "timeout");
    }
  }
  co_return Result<void>();
}

runtime::Task<Result<void>> FakeStream::shutdown() {
  if (closed_) co_return Error(Code::closed, "closed");
  KITH_CHECK(!spent_);
  out_->ended = true;
  wake(out_->reader);
  co_return Result<void>();
}

void FakeStream::close() {
  if (closed_) return;
  closed_ = true;
  // As the kernel does: closing with unread bytes resets the connection, and what the other side sends
  // from now on breaks it.
  if (!in_->bytes.empty()) out_->broken = true;
  in_->broken = true;
  out_->ended = true;
  wake(in_->writer);
  wake(out_->reader);
  auto reader = std::exchange(in_->reader, {});
  auto writer = std::exchange(out_->writer, {});
  bool prompt = options_.prompt_close;  // whoever is woken may destroy us
  FakeLoop& loop = loop_;
  for (std::coroutine_handle<> own : {reader, writer}) {
    if (!own) continue;
    if (prompt) {
      own.resume();
    } else {
      loop.post([own] { own.resume(); });
    }
  }
}

void FakeStream::send(std::string_view text) {
  out_->bytes.insert(out_->bytes.end(), text.begin(), text.end());
  wake(out_->reader);
}

std::string FakeStream::take() {
  std::string text(in_->bytes.begin(), in_->bytes.end());
  in_->bytes.clear();
  wake(in_->writer);
  return text;
}

void FakeStream::shut() {
  out_->ended = true;
  wake(out_->reader);
}

void FakeStream::stop_reading() {
  in_->broken = true;
  wake(in_->writer);
}

void FakeStream::reset() {
  in_->broken = out_->broken = true;
  wake(in_->reader);
  wake(in_->writer);
  wake(out_->reader);
  wake(out_->writer);
}

class FakeListener final : public runtime::Listener {
 public:
  FakeListener(FakeNetwork& network, const Endpoint& endpoint) : network_(network), endpoint_(endpoint) {}
  ~FakeListener() override { FakeListener::close(); }

  runtime::Task<Result<std::unique_ptr<runtime::Stream>>> accept() override {
    while (waiting_.empty() && !closed_) co_await arrived_->wait_until(network_.loop_, kNever);
    if (closed_) co_return Error(Code::closed, "closed");
    std::unique_ptr<runtime::Stream> stream = std::move(waiting_.front());
    waiting_.pop_front();
    co_return stream;
  }
  void close() override {
    if (std::exchange(closed_, true)) return;
    network_.listeners_.erase(endpoint_);
    waiting_.clear();
    network_.loop_.post([event = arrived_] { event->notify_all(); });
  }
  Endpoint local_endpoint() const override { return endpoint_; }

  void arrive(std::unique_ptr<FakeStream> stream) {
    waiting_.push_back(std::move(stream));
    network_.loop_.post([event = arrived_] { event->notify_all(); });
  }

 private:
  FakeNetwork& network_;
  Endpoint endpoint_;
  bool closed_ = false;
  std::deque<std::unique_ptr<FakeStream>> waiting_;
  std::shared_ptr<runtime::Event> arrived_ = std::make_shared<runtime::Event>();
};

Result<std::unique_ptr<runtime::Listener>> FakeNetwork::listen(const Endpoint& at,
                                                               const runtime::ListenOptions&) {
  auto listener = std::make_unique<FakeListener>(*this, at);
  listeners_[at] = listener.get();
  return std::unique_ptr<runtime::Listener>(std::move(listener));
}

std::unique_ptr<FakeStream> FakeNetwork::dial(const Endpoint& to) {
  auto [mine, theirs] = FakeStream::pair(loop_, options);
  listeners_.at(to)->arrive(std::move(theirs));
  return std::move(mine);
}

runtime::Task<Result<std::unique_ptr<runtime::Stream>>> FakeNetwork::connect(Endpoint to, MonoTime deadline) {
  dialled.push_back(to);
  if (silent.contains(to)) {
    co_await runtime::sleep_until(loop_, deadline);
    co_return Error(Code::timeout, "timeout");
  }
  if (!listeners_.contains(to)) co_return Error(Code::refused, "refused");
  co_return std::unique_ptr<runtime::Stream>(dial(to));
}

runtime::Task<Result<std::vector<IpAddress>>> FakeResolver::resolve(std::string host, runtime::Family,
                                                                    MonoTime) {
  if (auto literal = IpAddress::parse(host)) co_return std::vector<IpAddress>{*literal};
  auto found = names.find(host);
  if (found == names.end()) co_return Error(Code::unreachable, "no such name");
  co_return found->second;
}

}  // namespace kith::http::test
