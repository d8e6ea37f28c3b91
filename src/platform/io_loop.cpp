#include "platform/io_loop.h"

#include "base/check.h"
#include "platform/io_loop_impl.h"

namespace kith::platform {
namespace {

class AsioTimer final : public runtime::TimerHandle {
 public:
  AsioTimer(boost::asio::io_context& context, std::chrono::steady_clock::time_point when,
            std::function<void()> fn)
      : timer_(context, when), alive_(std::make_shared<bool>(true)) {
    timer_.async_wait([alive = alive_, call = std::move(fn)](const boost::system::error_code&) {
      if (std::exchange(*alive, false)) call();
    });
  }
  ~AsioTimer() override { *alive_ = false; }  // a completion that is queued already does nothing

 private:
  SteadyTimer timer_;
  std::shared_ptr<bool> alive_;
};

std::chrono::steady_clock::time_point to_steady(MonoTime time) {
  return std::chrono::steady_clock::time_point(
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(time.time_since_epoch()));
}

}  // namespace

void DeadlineWheel::advance(MonoTime now) {
  // After a long pause one round over the wheel is enough.
  int64_t last = tick_of(now);
  if (last - next_ >= static_cast<int64_t>(kBuckets)) next_ = last - static_cast<int64_t>(kBuckets) + 1;
  for (; next_ <= last; ++next_) {
    List due;
    due.splice(due.end(), buckets_[static_cast<size_t>(next_) % kBuckets]);
    List later;
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

IoLoop::Impl::Impl(IoLoop& owner, ThreadPool& threads, std::shared_ptr<SharedPorts> ports)
    : self(owner), pool(threads), shared_ports(std::move(ports)) {
  network = make_network(*this);
  resolver = make_resolver(*this);
}

IoLoop::Impl::~Impl() = default;

void IoLoop::Impl::tick() {
  wheel.advance(self.now());
  ticker.expires_after(std::chrono::duration_cast<std::chrono::steady_clock::duration>(DeadlineWheel::kTick));
  ticker.async_wait([this](const boost::system::error_code& error) {
    if (!error) tick();
  });
}

IoLoop::IoLoop(ThreadPool& pool, std::shared_ptr<SharedPorts> shared_ports)
    : impl_(std::make_unique<Impl>(*this, pool, std::move(shared_ports))) {}

IoLoop::~IoLoop() = default;

void IoLoop::run() {
  impl_->thread = std::this_thread::get_id();
  impl_->wheel.start(now());
  impl_->tick();
  impl_->context.run();
}

void IoLoop::stop() { impl_->context.stop(); }

MonoTime IoLoop::now() const {
  return MonoTime(std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

WallTime IoLoop::wall_now() const {
  return WallTime(
      std::chrono::duration_cast<WallTime::duration>(std::chrono::system_clock::now().time_since_epoch()));
}

void IoLoop::post(std::function<void()> fn) { boost::asio::post(impl_->context, std::move(fn)); }

runtime::Timer IoLoop::call_at(MonoTime when, std::function<void()> fn) {
  return std::make_unique<AsioTimer>(impl_->context, to_steady(when), std::move(fn));
}

bool IoLoop::on_this_thread() const { return impl_->thread == std::this_thread::get_id(); }

runtime::Network& IoLoop::network() { return *impl_->network; }
runtime::Resolver& IoLoop::resolver() { return *impl_->resolver; }

void IoLoop::on_signal(std::initializer_list<int> signals, std::function<void(int)> fn) {
  impl_->signals = std::make_unique<boost::asio::signal_set>(impl_->context);
  for (int signal : signals) impl_->signals->add(signal);
  struct Again {
    static void wait(boost::asio::signal_set& set, const std::function<void(int)>& call) {
      set.async_wait([&set, call](const boost::system::error_code& error, int number) {
        if (error) return;
        call(number);
        wait(set, call);
      });
    }
  };
  Again::wait(*impl_->signals, fn);
}

}  // namespace kith::platform
