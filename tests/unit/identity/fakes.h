// A loop on a virtual clock, a pool that works at once, and an HTTP client that answers from a table.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "http/client.h"
#include "runtime/ports.h"
#include "runtime/scope.h"
#include "runtime/sync.h"

namespace kith::identity::testing {

class FakeLoop final : public runtime::Loop {
 public:
  MonoTime now() const override { return now_; }
  WallTime wall_now() const override {
    return from_unix_ms(
        1'700'000'000'000 +
        std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch()).count());
  }
  void post(std::function<void()> fn) override { posted_.push_back(std::move(fn)); }
  runtime::Timer call_at(MonoTime when, std::function<void()> fn) override {
    auto entry = std::make_shared<Entry>(Entry{when, std::move(fn)});
    timers_.push_back(entry);
    return std::make_unique<Handle>(std::move(entry));
  }
  bool on_this_thread() const override { return true; }

  void run_posted() {
    while (!posted_.empty()) {
      std::function<void()> fn = std::move(posted_.front());
      posted_.pop_front();
      fn();
    }
  }
  void advance(Duration by) {
    const MonoTime until = now_ + by;
    for (;;) {
      run_posted();
      std::erase_if(timers_, [](const std::shared_ptr<Entry>& entry) { return !entry->fn; });
      auto next = std::min_element(timers_.begin(), timers_.end(),
                                   [](const auto& a, const auto& b) { return a->when < b->when; });
      if (next == timers_.end() || (*next)->when > until) break;
      std::shared_ptr<Entry> entry = *next;
      now_ = std::max(now_, entry->when);
      std::function<void()> fn = std::exchange(entry->fn, nullptr);
      fn();
    }
    now_ = until;
  }

 private:
  struct Entry {
    MonoTime when;
    std::function<void()> fn;  // empty: fired or cancelled
  };
  struct Handle final : runtime::TimerHandle {
    explicit Handle(std::shared_ptr<Entry> e) : entry(std::move(e)) {}
    ~Handle() override { entry->fn = nullptr; }
    std::shared_ptr<Entry> entry;
  };
  MonoTime now_{};
  std::deque<std::function<void()>> posted_;
  std::vector<std::shared_ptr<Entry>> timers_;
};

class FakePool final : public runtime::Pool {
 public:
  bool full = false;
  size_t jobs = 0;
  bool submit(std::function<void()> work, runtime::Loop& loop, std::function<void()> done) override {
    if (full) return false;
    ++jobs;
    work();
    loop.post(std::move(done));
    return true;
  }
};

class CountingEntropy final : public runtime::Entropy {
 public:
  void fill(MutableByteView out) override {
    for (uint8_t& byte : out) byte = next_++;
  }

 private:
  uint8_t next_ = 1;
};

// What a connector must not touch: its world ends at http::Client.
class NoNetwork final : public runtime::Network {
 public:
  Result<std::unique_ptr<runtime::Listener>> listen(const Endpoint&, const runtime::ListenOptions&) override {
    return Error(Code::unavailable, "no network here");
  }
  runtime::Task<Result<std::unique_ptr<runtime::Stream>>> connect(Endpoint, MonoTime) override {
    co_return Error(Code::unavailable, "no network here");
  }
};
class NoResolver final : public runtime::Resolver {
 public:
  runtime::Task<Result<std::vector<IpAddress>>> resolve(std::string, runtime::Family, MonoTime) override {
    co_return Error(Code::unavailable, "no resolver here");
  }
};
class NoFiles final : public runtime::Files {
 public:
  Result<std::string> read(const std::string&, size_t) override {
    return Error(Code::not_found, "no files here");
  }
  Result<void> write(const std::string&, std::string_view, uint32_t) override {
    return Error(Code::io, "no files");
  }
  Result<void> create(const std::string&, std::string_view, uint32_t) override {
    return Error(Code::io, "no files");
  }
  bool exists(const std::string&) override { return false; }
};

struct World {
  FakeLoop loop;
  NoNetwork network;
  NoResolver resolver;
  CountingEntropy entropy;
  NoFiles files;
  FakePool pool;
  runtime::Ports ports{loop, network, resolver, entropy, files, pool};
};

struct SeenRequest {
  std::string method, path, form, authorization;
};
struct FakeAnswer {
  int status = 200;
  std::string body;
  std::string content_type = "application/json";
  bool never_ends = false;  // the body stops coming
};

class FakeClient final : public http::Client {
 public:
  explicit FakeClient(runtime::Loop& loop) : loop_(loop) {}

  std::map<std::string, std::function<FakeAnswer(const SeenRequest&)>> pages;  // by path
  std::vector<SeenRequest> seen;
  bool down = false;

  size_t count(const std::string& path) const {
    return static_cast<size_t>(
        std::count_if(seen.begin(), seen.end(), [&](const SeenRequest& one) { return one.path == path; }));
  }
  void hold() { held_ = true; }
  void release() {
    held_ = false;
    gate_.notify_all();
  }

  runtime::Task<Result<std::unique_ptr<http::ClientResponse>>> send(http::ClientRequest request) override {
    SeenRequest one{request.head.method, request.url.target.text(), "",
                    std::string(request.head.headers.get("Authorization"))};
    Bytes buffer(64);
    while (request.body != nullptr) {
      Result<size_t> size = co_await request.body->read(buffer);
      if (!size || *size == 0) break;
      one.form += as_text(ByteView(buffer).first(*size));
    }
    seen.push_back(one);
    while (held_) co_await gate_.wait_until(loop_, kNever);
    auto page = pages.find(one.path);
    if (down || page == pages.end()) co_return Error(Code::refused, "connection refused", Side::upstream);
    co_return std::unique_ptr<http::ClientResponse>(std::make_unique<Response>(loop_, page->second(one)));
  }

 private:
  class Response final : public http::ClientResponse, public http::BodyReader {
   public:
    Response(runtime::Loop& loop, FakeAnswer answer) : loop_(loop), answer_(std::move(answer)) {
      head_.status = answer_.status;
      head_.headers.add("Content-Type", answer_.content_type);
    }
    const http::ResponseHead& head() const override { return head_; }
    http::BodyReader& body() override { return *this; }
    std::unique_ptr<runtime::Stream> take_upgraded() override { return nullptr; }
    void abort() override {
      aborted_ = true;
      event_.notify_all();
    }
    runtime::Task<Result<size_t>> read(MutableByteView buffer) override {
      size_t size = std::min(buffer.size(), answer_.body.size() - at_);
      std::copy_n(answer_.body.begin() + static_cast<ptrdiff_t>(at_), size, buffer.begin());
      at_ += size;
      if (size > 0 || !answer_.never_ends) co_return size;
      while (!aborted_) co_await event_.wait_until(loop_, kNever);
      co_return Error(Code::closed, "aborted");
    }

   private:
    runtime::Loop& loop_;
    FakeAnswer answer_;
    http::ResponseHead head_;
    size_t at_ = 0;
    bool aborted_ = false;
    runtime::Event event_;
  };

  runtime::Loop& loop_;
  bool held_ = false;
  runtime::Event gate_;
};

// A task's value, once the task has ended.
template <class T>
class Outcome {
 public:
  void start(runtime::Scope& scope, runtime::Task<T> task) { scope.spawn(keep(std::move(task), this)); }
  bool done() const { return value_.has_value(); }
  T& value() { return *value_; }

 private:
  static runtime::Task<void> keep(runtime::Task<T> task, Outcome* self) {
    self->value_.emplace(co_await std::move(task));
  }
  std::optional<T> value_;
};

}  // namespace kith::identity::testing
