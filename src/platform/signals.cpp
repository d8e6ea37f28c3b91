#include "platform/signals.h"

#include <fcntl.h>

#include "platform/io_loop_impl.h"

namespace kith::platform {
namespace {

std::atomic<int> signal_pipe{-1};
static_assert(std::atomic<int>::is_always_lock_free);

void on_signal(int signal) {
  const int saved = errno;
  const auto byte = static_cast<unsigned char>(signal);
  // A full pipe means that the loop has many signals to see already.
  [[maybe_unused]] ssize_t n = ::write(signal_pipe.load(std::memory_order_relaxed), &byte, 1);
  errno = saved;
}

}  // namespace

SignalPipe::SignalPipe(LoopState& loop, std::initializer_list<int> signals, std::function<void(int)> fn)
    : loop_(loop), fn_(std::move(fn)) {
  int ends[2];
  KITH_CHECK(::pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
  channel_ = std::make_unique<Channel>(loop_, ends[0]);
  write_end_ = Fd(ends[1]);
  int expected = -1;
  KITH_CHECK(signal_pipe.compare_exchange_strong(expected, write_end_.get()));
  for (int signal : signals) {
    struct sigaction action {};
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigfillset(&action.sa_mask);
    Former former{signal, {}};
    KITH_CHECK(::sigaction(signal, &action, &former.action) == 0);
    former_.push_back(former);
  }
  scope_.spawn(read());
}

SignalPipe::~SignalPipe() {
  for (const Former& former : former_) ::sigaction(former.signal, &former.action, nullptr);
  signal_pipe.store(-1);
  channel_->close();  // ends read()
  loop_.retire(std::move(channel_));
}

runtime::Task<void> SignalPipe::read() {
  for (;;) {
    unsigned char signal;
    const ssize_t n = ::read(channel_->fd(), &signal, 1);
    if (n == 1) {
      fn_(signal);
      continue;
    }
    channel_->readable = false;
    const Wake wake = co_await channel_->until_readable(kNever);
    if (wake != Wake::ready) co_return;
  }
}

}  // namespace kith::platform
