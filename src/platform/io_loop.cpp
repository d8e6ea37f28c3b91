#include "platform/io_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "platform/io_loop_impl.h"

namespace kith::platform {
namespace {

constexpr int kMaxEvents = 256;               // of one epoll_wait
constexpr uint32_t kOperationsPerRound = 32;  // of one channel, before others go first

constinit thread_local LoopState* running_here = nullptr;

MonoTime clock_now() {
  return MonoTime(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

WallTime clock_wall_now() {
  return WallTime(
      std::chrono::duration_cast<WallTime::duration>(std::chrono::system_clock::now().time_since_epoch()));
}

// Waits for events, to the nanosecond: timers of a millisecond are in the path of a replicated write.
int wait_for_events(int epoll, epoll_event* events, Duration timeout) {
  const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(timeout).count();
  const timespec time{nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
  const int n = ::epoll_pwait2(epoll, events, kMaxEvents, &time, nullptr);
  if (n >= 0 || errno == EINTR) return std::max(n, 0);
  // Older kernels, and sandboxes that do not know the call.
  const int milliseconds = static_cast<int>((nanoseconds + 999'999) / 1'000'000);
  return std::max(::epoll_wait(epoll, events, kMaxEvents, milliseconds), 0);
}

}  // namespace

// ---------------------------------------------------------------- deadlines and timers

void DeadlineWheel::advance(MonoTime now) {
  // After a long pause one round over the wheel is enough.
  int64_t last = tick_of(now);
  if (last - next_ >= static_cast<int64_t>(kBuckets)) next_ = last - static_cast<int64_t>(kBuckets) + 1;
  for (; next_ <= last; ++next_) {
    WaiterList due;
    due.splice(due.end(), buckets_[static_cast<size_t>(next_) % kBuckets]);
    WaiterList later;
    while (!due.empty()) {
      Waiter& waiter = due.front();
      if (waiter.deadline > now) {
        waiter.unlink();
        later.push_back(waiter);  // another round of the wheel, or later within this tick
      } else {
        waiter.wake(Wake::timeout);  // may end other waiters: they unlink themselves
      }
    }
    auto& bucket = buckets_[static_cast<size_t>(next_) % kBuckets];
    bucket.splice(bucket.end(), later);
    if (next_ == last) break;  // this tick is not over: look at it again next time
  }
}

runtime::Timer TimerQueue::add(MonoTime when, std::function<void()> fn) {
  auto node = std::make_unique<Node>();
  node->when = when;
  node->age = next_age_++;
  node->fn = std::move(fn);
  timers_.insert(*node);
  return node;
}

void TimerQueue::run(MonoTime now) {
  const uint64_t first_new = next_age_;
  for (auto it = timers_.begin(); it != timers_.end() && it->when <= now;) {
    if (it->age >= first_new) {
      ++it;
      continue;
    }
    auto call = std::move(it->fn);
    it->unlink();
    call();  // may add timers and drop any, this one among them
    it = timers_.begin();
  }
}

// ---------------------------------------------------------------- descriptors

Channel::Channel(LoopState& loop, int fd) : loop_(loop), fd_(fd) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.ptr = this;
  // Out of kernel memory or watches: every operation then says closed.
  if (::epoll_ctl(loop_.epoll.get(), EPOLL_CTL_ADD, fd_, &event) != 0) close();
}

Channel::~Channel() { close(); }

void Channel::close() {
  if (closed()) return;
  ::close(std::exchange(fd_, -1));
  reader_.wake(Wake::closed);
  writer_.wake(Wake::closed);
}

void Channel::on_events(uint32_t events) {
  if (closed()) return;
  const bool broken = (events & (EPOLLHUP | EPOLLERR)) != 0;
  if (broken || (events & EPOLLRDHUP) != 0) hung_up = true;
  if (hung_up || (events & EPOLLIN) != 0) readable = true;
  if (broken || (events & EPOLLOUT) != 0) writable = true;
  if (readable) reader_.wake(Wake::ready);
  if (writable) writer_.wake(Wake::ready);  // nobody waits when the reader has closed it
}

bool Channel::may_go_on() {
  if (round_ != loop_.round) {
    round_ = loop_.round;
    operations_ = 0;
  }
  return ++operations_ <= kOperationsPerRound;
}

void Channel::Readiness::await_suspend(std::coroutine_handle<> handle) {
  KITH_CHECK(!waiter.handle);  // one read and one write at a time
  waiter.handle = handle;
  waiter.deadline = deadline;
  const bool ready = &waiter == &channel.reader_ ? channel.readable : channel.writable;
  if (ready) {
    channel.loop_.yielded.push_back(waiter);
  } else if (deadline != kNever) {
    channel.loop_.wheel.add(waiter);
  }
}

// ---------------------------------------------------------------- the loop

LoopState::LoopState(IoLoop& owner, ThreadPool& threads, std::shared_ptr<SharedPorts> ports)
    : self(owner),
      pool(threads),
      shared_ports(std::move(ports)),
      epoll(::epoll_create1(EPOLL_CLOEXEC)),
      wake_up_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  KITH_CHECK(epoll.get() >= 0 && wake_up_.get() >= 0);
  // Edge-triggered: every write wakes, and nobody has to read the counter.
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = nullptr;
  KITH_CHECK(::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake_up_.get(), &event) == 0);
  network = make_network(*this);
  resolver = make_resolver(*this);
}

// While everything it uses is still there.
LoopState::~LoopState() { signals.reset(); }

void LoopState::run() {
  thread = std::this_thread::get_id();
  running_here = this;
  now = clock_now();
  wall_now = clock_wall_now();
  wheel.start(now);
  while (!stopped_.load(std::memory_order_relaxed)) {
    wait();
    run_posted();
    resume_yielded();
    timers.run(now);
    if (now >= wheel.next()) wheel.advance(now);
    end_round();
  }
  running_here = nullptr;
  thread = std::thread::id();  // what happens from here on is teardown
}

void LoopState::end_round() {
  for (auto& call : round_ends) call();
  round_ends.clear();
  retired_.clear();
}

bool at_end_of_round(std::function<void()> fn) {
  if (running_here == nullptr) return false;
  running_here->round_ends.push_back(std::move(fn));
  return true;
}

// Waits until something is due, then takes the time and hands out the events.
void LoopState::wait() {
  Duration timeout = Duration::zero();
  if (posted_here_.empty() && yielded.empty()) {
    const MonoTime next = std::min(timers.next(), wheel.next());
    timeout = std::max(Duration::zero(), next - clock_now());
  }
  std::array<epoll_event, kMaxEvents> events;
  const int count = wait_for_events(epoll.get(), events.data(), timeout);
  now = clock_now();
  wall_now = clock_wall_now();
  ++round;
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<size_t>(i)];
    if (event.data.ptr == nullptr) {
      woken_ = true;
    } else {
      static_cast<Channel*>(event.data.ptr)->on_events(event.events);
    }
  }
}

void LoopState::post(std::function<void()> fn) {
  if (on_this_thread()) {
    posted_here_.push_back(std::move(fn));
    return;
  }
  std::lock_guard lock(mutex_);
  posted_elsewhere_.push_back(std::move(fn));
  if (posted_elsewhere_.size() == 1) {
    const uint64_t one = 1;
    KITH_CHECK(::write(wake_up_.get(), &one, sizeof one) == sizeof one);
  }
}

// What was posted up to now; what these calls post waits for the next round.
void LoopState::run_posted() {
  std::vector<std::function<void()>> calls;
  calls.swap(posted_here_);
  for (auto& call : calls) call();
  calls.clear();
  if (posted_here_.empty()) posted_here_.swap(calls);  // keeps its memory
  if (!std::exchange(woken_, false)) return;
  std::vector<std::function<void()>> remote;
  {
    std::lock_guard lock(mutex_);
    remote.swap(posted_elsewhere_);
  }
  for (auto& call : remote) call();
}

void LoopState::resume_yielded() {
  WaiterList now_due;
  now_due.swap(yielded);
  while (!now_due.empty()) now_due.front().wake(Wake::ready);
}

void LoopState::stop() {
  post([this] { stopped_ = true; });
}

void LoopState::retire(std::unique_ptr<Channel> channel) {
  if (!channel) return;
  channel->close();
  // When the loop does not run there is no round whose events could name it.
  if (on_this_thread()) retired_.push_back(std::move(channel));
}

IoLoop::IoLoop(ThreadPool& pool, std::shared_ptr<SharedPorts> shared_ports)
    : state_(std::make_unique<LoopState>(*this, pool, std::move(shared_ports))) {}

IoLoop::~IoLoop() = default;

void IoLoop::run() { state_->run(); }
void IoLoop::stop() { state_->stop(); }
MonoTime IoLoop::now() const { return state_->on_this_thread() ? state_->now : clock_now(); }
WallTime IoLoop::wall_now() const { return state_->on_this_thread() ? state_->wall_now : clock_wall_now(); }
void IoLoop::post(std::function<void()> fn) { state_->post(std::move(fn)); }
runtime::Timer IoLoop::call_at(MonoTime when, std::function<void()> fn) {
  return state_->timers.add(when, std::move(fn));
}
bool IoLoop::on_this_thread() const { return state_->on_this_thread(); }
runtime::Network& IoLoop::network() { return *state_->network; }
runtime::Resolver& IoLoop::resolver() { return *state_->resolver; }

void IoLoop::on_signal(std::initializer_list<int> signals, std::function<void(int)> fn) {
  state_->signals.reset();
  state_->signals = std::make_unique<SignalPipe>(*state_, signals, std::move(fn));
}

}  // namespace kith::platform
