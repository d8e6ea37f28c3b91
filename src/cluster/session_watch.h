// Tells those who still serve a session that it has ended.
//
// Problem: a request is judged when it begins, and a WebSocket, an event stream or a long download goes
// on for hours after the logout that should have ended it.
// Idea: who serves for long leaves a callback with the session's key. The end of a session is rare, so
// one map under one mutex is enough; ordinary requests never come here.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "base/node.h"
#include "runtime/ports.h"
#include "store/session_table.h"

namespace kith::cluster {

class SessionWatches {
  struct Watcher {
    runtime::Loop& loop;
    std::function<void()> on_end;
    bool over = false;  // on the loop only
  };
  using Watchers = std::unordered_multimap<store::Key, std::shared_ptr<Watcher>, IdHash>;

 public:
  // Keeps a callback; ends it when it goes, on the loop that the callback is for, before that loop and
  // the store do.
  class Watch {
   public:
    Watch() = default;
    Watch(Watch&& other) noexcept = default;
    Watch& operator=(Watch&&) = delete;
    ~Watch() {
      if (watcher_) watches_->remove(key_, *watcher_);
    }

   private:
    friend SessionWatches;
    Watch(SessionWatches* watches, const store::Key& key, std::shared_ptr<Watcher> watcher)
        : watches_(watches), key_(key), watcher_(std::move(watcher)) {}

    SessionWatches* watches_ = nullptr;
    store::Key key_;
    std::shared_ptr<Watcher> watcher_;
  };

  // on_end runs on the loop, at most once, if the session ends from now on while the Watch is there.
  [[nodiscard]] Watch add(runtime::Loop& loop, const store::Key& key, std::function<void()> on_end) {
    auto watcher = std::make_shared<Watcher>(Watcher{loop, std::move(on_end)});
    std::lock_guard lock(mutex_);
    watchers_.emplace(key, watcher);
    return Watch(this, key, std::move(watcher));
  }

  // From any thread.
  void ended(const store::Key& key) {
    std::lock_guard lock(mutex_);
    auto [first, last] = watchers_.equal_range(key);
    for (auto at = first; at != last; ++at) tell(at->second);
  }
  // Of all that are watched, those for which bool(const Key&) says so.
  template <class Predicate>
  void ended_if(Predicate has_ended) {
    std::lock_guard lock(mutex_);
    for (const auto& [key, watcher] : watchers_)
      if (has_ended(key)) tell(watcher);
  }

 private:
  static void tell(const std::shared_ptr<Watcher>& watcher) {
    watcher->loop.post([watcher] {
      if (!std::exchange(watcher->over, true)) watcher->on_end();
    });
  }
  void remove(const store::Key& key, Watcher& watcher) {
    watcher.over = true;
    std::lock_guard lock(mutex_);
    auto [first, last] = watchers_.equal_range(key);
    for (auto at = first; at != last; ++at) {
      if (at->second.get() != &watcher) continue;
      watchers_.erase(at);
      return;
    }
  }

  std::mutex mutex_;
  Watchers watchers_;
};

}  // namespace kith::cluster
