// One value that lives elsewhere (a provider's metadata, its keys): fetched when first needed, by one
// fetch however many ask meanwhile; refreshed after an hour; kept for a day while the other side is
// down; after a failure asked for again with growing pauses. All on one loop.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/log.h"
#include "base/text.h"
#include "runtime/sync.h"

namespace kith::identity::oidc {

struct CacheTimes {
  Duration refresh = 1h;
  Duration keep = 24h;        // how old a value may get when no newer one can be had
  Duration first_pause = 1s;  // after a failed fetch; doubles
  Duration longest_pause = 30s;
  Duration between_renewals = 30s;  // see renewed()
};

template <class T>
class Cached {
 public:
  using Value = std::shared_ptr<const T>;
  using Fetch = std::function<runtime::Task<Result<T>>()>;

  // what names the value in errors and the log. No call may be under way at the end of the object.
  Cached(runtime::Loop& loop, std::string what, Log log, Fetch fetch, CacheTimes times = {})
      : loop_(loop), what_(std::move(what)), log_(std::move(log)), fetch_(std::move(fetch)), times_(times) {}

  // The value, fetched if need be. unavailable (side upstream) when there is none to be had.
  runtime::Task<Result<Value>> get() {
    bool fresh = value_ && loop_.now() < fetched_at_ + times_.refresh;
    if (!fresh && (fetching_ || loop_.now() >= retry_at_)) co_await update();
    if (value_ && loop_.now() < fetched_at_ + times_.keep) co_return Result<Value>(value_);
    co_return Error(Code::unavailable, what_ + ": " + last_error_, Side::upstream);
  }

  // For a caller whom the value `seen` did not serve (a key is missing in it): a newer one, if there
  // is one or may be fetched now; else the same. Such fetches are at least 30 s apart, so that bad
  // tokens cannot turn us against the provider.
  runtime::Task<Value> renewed(Value seen) {
    bool may_fetch = fetching_ || !renewed_at_ || loop_.now() >= *renewed_at_ + times_.between_renewals;
    if (value_ == seen && may_fetch) {
      if (!fetching_) renewed_at_ = loop_.now();
      co_await update();
    }
    co_return value_;
  }

 private:
  runtime::Task<void> update() {
    if (fetching_) {
      co_await done_.wait_until(loop_, kNever);
      co_return;
    }
    fetching_ = true;
    Result<T> fetched = co_await fetch_();
    fetching_ = false;
    if (fetched) {
      value_ = std::make_shared<const T>(std::move(*fetched));
      fetched_at_ = loop_.now();
      pause_ = Duration(0);
    } else {
      pause_ = std::clamp(pause_ * 2, times_.first_pause, times_.longest_pause);
      last_error_ = fetched.error().message();
      log_.warn("cannot fetch " + what_, {{"error", last_error_}, {"retry_in", format_duration(pause_)}});
    }
    retry_at_ = loop_.now() + pause_;
    done_.notify_all();
  }

  runtime::Loop& loop_;
  const std::string what_;
  const Log log_;
  const Fetch fetch_;
  const CacheTimes times_;

  Value value_;
  MonoTime fetched_at_{};
  MonoTime retry_at_ = MonoTime::min();
  std::optional<MonoTime> renewed_at_;
  Duration pause_{0};
  std::string last_error_;
  bool fetching_ = false;
  runtime::Event done_;
};

}  // namespace kith::identity::oidc
