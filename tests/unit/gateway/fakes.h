// The neighbours of a Gateway, scripted: a loop on a virtual clock, a store, a forwarder, a connector,
// an upstream, an exchange, and a log that is kept.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gateway/gateway.h"
#include "runtime/sync.h"

namespace kith::gateway::testing {

class FakeLoop final : public runtime::Loop {
 public:
  MonoTime now() const override { return now_; }
  WallTime wall_now() const override {
    return from_unix_ms(
        1'700'000'000'000 +
        std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch()).count());
  }
  // At once, or with the next advance().
  void post(std::function<void()> fn) override { defer ? posted_.push_back(std::move(fn)) : fn(); }
  runtime::Timer call_at(MonoTime when, std::function<void()> fn) override {
    auto entry = std::make_shared<Entry>(Entry{when, std::move(fn)});
    timers_.push_back(entry);
    return std::make_unique<Handle>(std::move(entry));
  }
  bool on_this_thread() const override { return true; }

  void advance(Duration by) {
    MonoTime until = now_ + by;
    while (true) {
      for (auto& fn : std::exchange(posted_, {})) fn();
      std::erase_if(timers_, [](const auto& entry) { return !entry->fn; });
      auto next = std::min_element(timers_.begin(), timers_.end(),
                                   [](const auto& a, const auto& b) { return a->when < b->when; });
      if (next == timers_.end() || (*next)->when > until) break;
      now_ = std::max(now_, (*next)->when);
      std::function<void()> fn = std::exchange((*next)->fn, nullptr);
      fn();
    }
    now_ = until;
  }

  bool defer = false;

 private:
  struct Entry {
    MonoTime when;
    std::function<void()> fn;
  };
  struct Handle final : runtime::TimerHandle {
    explicit Handle(std::shared_ptr<Entry> entry_in) : entry(std::move(entry_in)) {}
    ~Handle() override { entry->fn = nullptr; }
    std::shared_ptr<Entry> entry;
  };
  MonoTime now_{1h};
  std::vector<std::shared_ptr<Entry>> timers_;
  std::vector<std::function<void()>> posted_;
};

class FakeEntropy final : public runtime::Entropy {
 public:
  void fill(MutableByteView out) override {
    for (uint8_t& byte : out)
      byte = static_cast<uint8_t>((state_ = state_ * 6364136223846793005u + 1442695040888963407u) >> 56);
  }

 private:
  uint64_t state_ = 42;
};

struct NoWorld final : runtime::Network, runtime::Resolver, runtime::Files, runtime::Pool {
  Error none() { return Error(Code::unavailable, "not in this world"); }
  Result<std::unique_ptr<runtime::Listener>> listen(const kith::Endpoint&,
                                                    const runtime::ListenOptions&) override {
    return none();
  }
  runtime::Task<Result<std::unique_ptr<runtime::Stream>>> connect(kith::Endpoint, MonoTime) override {
    co_return none();
  }
  runtime::Task<Result<std::vector<IpAddress>>> resolve(std::string, runtime::Family, MonoTime) override {
    co_return none();
  }
  Result<std::string> read(const std::string&, size_t) override { return none(); }
  Result<void> write(const std::string&, std::string_view, uint32_t) override { return none(); }
  Result<void> create(const std::string&, std::string_view, uint32_t) override { return none(); }
  bool exists(const std::string&) override { return false; }
  bool submit(std::function<void()>, runtime::Loop&, std::function<void()>) override { return false; }
};

class FakeBody final : public http::BodyReader {
 public:
  explicit FakeBody(std::string text = "") : text_(std::move(text)) {}
  runtime::Task<Result<size_t>> read(MutableByteView buffer) override {
    size_t size = std::min(buffer.size(), text_.size());
    std::copy_n(text_.begin(), size, buffer.begin());
    text_.erase(0, size);
    if (size == 0 && endless) (void)co_await closed->wait();
    if (size == 0 && (broken || endless)) co_return Error(Code::reset, "broke off", Side::upstream);
    co_return size;
  }
  void close() { closed->set(true); }
  bool broken = false;
  bool endless = false;  // after its text it has nothing to say until it is closed

 private:
  std::string text_;
  std::shared_ptr<runtime::OneShot<bool>> closed = std::make_shared<runtime::OneShot<bool>>();
};

// A stream whose input is scripted; it ends in order after that.
class FakeStream final : public runtime::Stream {
 public:
  FakeStream(std::string input, std::string& output, bool endless = false)
      : input_(std::move(input)), output_(output) {
    input_.endless = endless;
  }
  runtime::Task<Result<size_t>> read(MutableByteView buffer, MonoTime) override {
    return input_.read(buffer);
  }
  runtime::Task<Result<void>> write(std::span<const ByteView> pieces, MonoTime) override {
    for (ByteView piece : pieces) output_ += as_text(piece);
    co_return Result<void>();
  }
  runtime::Task<Result<void>> shutdown() override { co_return Result<void>(); }
  void close() override { input_.close(); }
  kith::Endpoint local_endpoint() const override { return {}; }
  kith::Endpoint remote_endpoint() const override { return {}; }

 private:
  FakeBody input_;
  std::string& output_;
};

class FakeExchange final : public http::Exchange {
 public:
  explicit FakeExchange(std::string target, std::string method = "GET", std::string body_text = "")
      : body_(body_text) {
    head.method = std::move(method);
    auto parsed = http::parse_target(target);
    KITH_CHECK(parsed.has_value());
    head.target = *parsed;
    head.host = "app.test";
    if (!body_text.empty()) head.content_length = body_text.size();
    origin_facts.peer.address = IpAddress::v4(192, 0, 2, 7);
  }
  const http::RequestHead& request() const override { return head; }
  const http::Origin& origin() const override { return origin_facts; }
  http::BodyReader& body() override { return body_; }
  runtime::Task<Result<void>> start(http::ResponseHead answer_head) override {
    KITH_CHECK(!started_);
    started_ = true;
    answer = std::move(answer_head);
    co_return Result<void>();
  }
  runtime::Task<Result<void>> write(ByteView data) override {
    text += as_text(data);
    co_return Result<void>();
  }
  runtime::Task<Result<void>> finish() override {
    finished = true;
    co_return Result<void>();
  }
  runtime::Task<Result<std::unique_ptr<runtime::Stream>>> upgrade(http::ResponseHead answer_head) override {
    started_ = true;
    answer = std::move(answer_head);
    std::unique_ptr<runtime::Stream> stream =
        std::make_unique<FakeStream>(stream_input, stream_output, stream_endless);
    co_return stream;
  }
  bool started() const override { return started_; }
  uint64_t bytes_in() const override { return 0; }
  uint64_t bytes_out() const override { return text.size(); }
  void abort() override { aborted = true; }

  FakeExchange& with(std::string name, std::string value) {
    head.headers.add(std::move(name), std::move(value));
    return *this;
  }
  FakeExchange& browser() { return with("Accept", "text/html").with("Sec-Fetch-Mode", "navigate"); }
  std::vector<std::string> set_cookies() const {
    std::vector<std::string> all;
    for (const http::Header& header : answer.headers) {
      if (header.name == "Set-Cookie") all.emplace_back(header.value);
    }
    return all;
  }

  http::RequestHead head;
  http::Origin origin_facts;
  http::ResponseHead answer;
  std::string text;
  std::string stream_input, stream_output;
  bool stream_endless = false;
  bool finished = false;
  bool aborted = false;

 private:
  FakeBody body_;
  bool started_ = false;
};

// A store whose position and answers to catch_up are scripted.
class FakeStore final : public cluster::SessionStore {
 public:
  cluster::SessionLookup get(const cluster::SessionKey& key, WallTime) override {
    if (ended.count(key)) return {.state = cluster::SessionState::ended, .reason = ended[key]};
    auto found = records.find(key);
    if (found == records.end()) return {};
    return {.state = cluster::SessionState::live,
            .record = std::make_shared<const cluster::SessionRecord>(found->second)};
  }
  bool covers(const Dot& position) override {
    asked.push_back(position);
    return position.seq <= applied;
  }
  runtime::Task<cluster::CatchUp> catch_up(runtime::Loop&, cluster::SessionKey, Dot, Duration, bool pull,
                                           MonoTime) override {
    pulls.push_back(pull);
    KITH_CHECK(!outcomes.empty());
    cluster::CatchUp outcome = outcomes.front();
    outcomes.pop_front();
    co_return outcome;
  }
  runtime::Task<Result<cluster::SessionWrite>> create(runtime::Loop&, cluster::SessionKey key,
                                                      cluster::SessionRecord record, cluster::AckLevel,
                                                      MonoTime) override {
    if (refuse) co_return Error(Code::unavailable, "draining");
    records[key] = std::move(record);
    co_return cluster::SessionWrite{.position = {.origin = {.node = node, .incarnation = 5}, .seq = ++seq},
                                    .at_level = at_level};
  }
  runtime::Task<Result<cluster::SessionWrite>> update(runtime::Loop&, cluster::SessionKey, Bytes,
                                                      cluster::AckLevel, MonoTime) override {
    co_return Error(Code::not_found, "not used");
  }
  runtime::Task<Result<cluster::SessionWrite>> revoke(runtime::Loop&, cluster::SessionKey key,
                                                      cluster::EndReason reason, WallTime, cluster::AckLevel,
                                                      MonoTime) override {
    if (refuse) co_return Error(Code::unavailable, "draining");
    records.erase(key);
    ended[key] = reason;
    watches().ended(key);
    co_return cluster::SessionWrite{};
  }
  runtime::Task<Result<cluster::SessionWrite>> mark(runtime::Loop&, store::Key, WallTime, cluster::AckLevel,
                                                    MonoTime) override {
    co_return Error(Code::unavailable, "not used");
  }
  void touch(const cluster::SessionKey&, WallTime) override { ++touches; }
  size_t size() const override { return records.size(); }
  std::vector<cluster::SessionListing> list(size_t, WallTime) override { return {}; }

  std::map<cluster::SessionKey, cluster::SessionRecord> records;
  std::map<cluster::SessionKey, cluster::EndReason> ended;
  std::deque<cluster::CatchUp> outcomes;
  std::vector<bool> pulls;
  std::vector<Dot> asked;
  uint64_t applied = 1000;
  uint64_t seq = 0;
  NodeId node{.bytes = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}};
  bool refuse = false;
  bool at_level = true;
  int touches = 0;
};

class FakeForwarder final : public cluster::Forwarder {
 public:
  runtime::Task<Result<void>> forward(runtime::Loop&, http::Exchange& exchange, NodeId to,
                                      MonoTime) override {
    targets.push_back(to);
    seen = exchange.request();
    if (failure) co_return *failure;
    http::ResponseHead head;
    head.headers.add("X-Kith-Node", "b");
    (void)co_await exchange.start(std::move(head));
    co_return Result<void>();
  }
  std::string node_name(NodeId) override { return "b"; }

  std::vector<NodeId> targets;
  http::RequestHead seen;
  std::optional<Error> failure;
};

class FakeConnector final : public identity::Connector {
 public:
  explicit FakeConnector(std::string name) : name_(std::move(name)) {}
  const std::string& name() const override { return name_; }
  std::vector<Place> login_callbacks() const override { return {{"", "/" + name_ + "/cb"}}; }
  std::vector<Place> logout_callbacks() const override { return {{"", "/" + name_ + "/out"}}; }
  runtime::Task<Result<identity::LoginStart>> start_login(std::string state, std::string origin) override {
    if (failure) co_return *failure;
    if (hang) co_await hang->wait();
    last_origin = origin;
    co_return identity::LoginStart{.redirect = "https://idp.test/auth?state=" + state,
                                   .remember = {{"nonce", "n-" + name_}}};
  }
  runtime::Task<Result<identity::LoginResult>> finish_login(identity::Callback callback,
                                                            identity::Private remembered) override {
    if (failure) co_return *failure;
    last_callback = callback;
    last_remembered = remembered;
    if (hang_at_the_end) co_await hang_at_the_end->wait();
    if (page) co_return identity::LoginResult(*page);
    co_return identity::LoginResult(identity);
  }
  runtime::Task<std::optional<std::string>> start_logout(const identity::Identity& of, std::string state,
                                                         std::string) override {
    if (!logs_out) co_return std::nullopt;
    co_return "https://idp.test/" + of.connector + "/end?state=" + state;
  }

  identity::Identity identity;
  std::optional<identity::Page> page;
  std::optional<Error> failure;
  runtime::OneShot<bool>* hang = nullptr;             // of start_login
  runtime::OneShot<bool>* hang_at_the_end = nullptr;  // of finish_login
  bool logs_out = true;
  std::string last_origin;
  identity::Callback last_callback;
  identity::Private last_remembered;

 private:
  std::string name_;
};

struct FakeResponse final : http::ClientResponse {
  const http::ResponseHead& head() const override { return answer; }
  http::BodyReader& body() override { return content; }
  std::unique_ptr<runtime::Stream> take_upgraded() override { return std::move(upgraded); }
  void abort() override { content.close(); }
  http::ResponseHead answer;
  FakeBody content;
  std::unique_ptr<runtime::Stream> upgraded;
};

class FakeClient final : public http::Client {
 public:
  runtime::Task<Result<std::unique_ptr<http::ClientResponse>>> send(http::ClientRequest request) override {
    sent.push_back(request);
    if (request.body) {
      std::array<uint8_t, 64> buffer;
      while (true) {
        auto got = co_await request.body->read(buffer);
        if (!got || *got == 0) break;
        body += as_text(ByteView(buffer).first(*got));
      }
    }
    if (failure) co_return *failure;
    auto response = std::make_unique<FakeResponse>();
    response->answer = answer;
    response->content = FakeBody(content);
    response->content.broken = broken;
    response->content.endless = endless;
    if (answer.status == 101)
      response->upgraded = std::make_unique<FakeStream>("from upstream", stream_output, endless);
    std::unique_ptr<http::ClientResponse> result = std::move(response);
    co_return result;
  }
  const http::ClientRequest& last() const { return sent.back(); }

  std::vector<http::ClientRequest> sent;
  std::string body;
  http::ResponseHead answer;
  std::string content = "hello";
  bool broken = false;
  bool endless = false;
  std::string stream_output;
  std::optional<Error> failure;
};

struct FakeHealth final : HealthSource {
  Health health() const override { return now; }
  bool degraded() const override { return flawed; }
  Health now = Health::up;
  cluster::Standing standing() const override { return stands; }
  bool fresh() const override { return hears; }
  bool hears = true;
  cluster::Standing stands;
  bool flawed = false;
};

class KeptLog final : public LogSink {
 public:
  bool enabled(Level) const override { return true; }
  void write(Level, std::string_view component, std::string_view message,
             std::span<const Field> fields) override {
    std::string line = std::string(component) + " " + std::string(message);
    for (const Field& field : fields) line += " " + std::string(field.key) + "=" + std::string(field.value());
    lines.push_back(std::move(line));
  }
  std::vector<std::string> lines;
};

Template claim(std::string name);
Template literal(std::string text);
identity::Identity person(std::string connector, std::string subject);

// One app at / of app.test: /public is open, everything else needs the connector "corp".
GatewayConfig test_config();

// A Gateway among fakes, and a browser's cookies for it.
class World {
 public:
  explicit World(GatewayConfig config = test_config(), bool forwards_beyond_store = false);
  ~World();

  FakeExchange& run(FakeExchange& exchange);            // with the browser's cookies; takes what is set
  FakeExchange get(std::string target);                 // a browser's navigation
  FakeExchange log_in(std::string connector = "corp");  // all the way; the callback's answer
  std::string session_cookie() const;                   // its value, or ""
  std::string state() const;                            // of the only open transaction

  FakeLoop loop;
  FakeEntropy entropy;
  NoWorld none;
  runtime::Ports ports{loop, none, none, entropy, none, none};
  FakeClient client;
  FakeStore store;
  FakeForwarder forwarder;
  FakeHealth health;
  std::shared_ptr<KeptLog> log = std::make_shared<KeptLog>();
  FakeConnector* corp = nullptr;
  FakeConnector* other = nullptr;
  std::shared_ptr<cluster::CookieKeys> cookie_keys = std::make_shared<cluster::CookieKeys>(
      cluster::CookieKeys::List{crypto::Secret(std::string_view("a key of thirty-two bytes length"))});
  std::map<std::string, std::string> cookies;
  std::string last_location;
  std::shared_ptr<const Routes> routes;
  std::unique_ptr<Gateway> gateway;
};

}  // namespace kith::gateway::testing
