#include "cluster/forward_hub.h"

#include <set>

#include "base/codec.h"
#include "cluster/forwarded_exchange.h"
#include "http/relay.h"

namespace kith::cluster {
namespace {

// Requests one peer may have open with us; above, its next ones are refused and it answers itself.
constexpr size_t kMaxOpenPerPeer = 4096;
// Of these, as many have a whole window: 64 MiB in sum, and about as much for all the others.
constexpr size_t kWholeWindows = 256;
constexpr size_t kRelayBuffer = 32 << 10;

Error from_peer(std::string_view why) {
  return Error(Code::unavailable, "the other node: " + std::string(why), Side::peer);
}

// Pipe ids are chosen by the opener; one bit tells whose they are, so both sides can open freely.
uint64_t own_id(uint64_t number, bool smaller) { return number * 2 + (smaller ? 1 : 0); }

runtime::Task<void> pump_request_body(http::Exchange& exchange, std::shared_ptr<Pipe> pipe, bool& consumed) {
  Bytes buffer(kRelayBuffer);
  for (;;) {
    consumed = true;
    auto n = co_await exchange.body().read(buffer);
    if (!n) {
      pipe->reset("the client's request body ended early");
      co_return;
    }
    if (*n == 0) break;
    auto sent = co_await pipe->write(ByteView(buffer).first(*n), kNever);
    if (!sent) co_return;
  }
  pipe->end();
}

runtime::Task<Result<void>> relay_response(runtime::Loop& loop, http::Exchange& exchange,
                                           std::shared_ptr<Pipe> pipe, http::ResponseHead head) {
  if (head.status == 101) {
    http::Origin origin = exchange.origin();
    auto client = co_await exchange.upgrade(std::move(head));
    if (!client) co_return client.error();
    PipeStream peer(pipe, origin);
    // No idle limit here: the node that holds the upstream has the application's.
    co_await http::relay_duplex(loop, **client, peer, Duration::zero());
    co_return Result<void>();
  }
  KITH_CO_TRY_VOID(co_await exchange.start(std::move(head)));
  PipeBody body(pipe);
  co_return co_await http::relay_body(body, exchange);
}

}  // namespace

ForwardHub::ForwardHub(runtime::Loop& control, Links& links, NodeId self, Log log)
    : control_(control), links_(links), self_(self), log_(std::move(log)) {}

Pipe::Send ForwardHub::sender(const Key& key) {
  return [this, key](ForwardType type, Bytes payload) {
    auto box = std::make_shared<Bytes>(std::move(payload));
    control_.post([this, key, type, box] { transmit(key, type, *box); });
  };
}

void ForwardHub::transmit(const Key& key, ForwardType type, ByteView payload) {
  if (!pipes_.contains(key)) return;  // reset meanwhile
  Bytes message;
  Writer writer(message);
  writer.varint(key.id);
  writer.raw(payload);
  links_.send_forward(key.peer, type, message);
  if (type == ForwardType::reset) pipes_.erase(key);
}

runtime::Task<Result<void>> ForwardHub::forward(runtime::Loop& here, http::Exchange& exchange, NodeId to,
                                                MonoTime accept_deadline) {
  Key key{to, own_id(next_id_.fetch_add(1), self_ < to)};
  auto pipe = std::make_shared<Pipe>(here, sender(key));
  Bytes opening;
  encode_request(opening, exchange.origin(), exchange.request());
  if (opening.size() > kMaxForwardHead)
    co_return Error(Code::limit, "the request head is too large to forward");

  runtime::Loop* worker = &here;
  control_.post([this, key, pipe, worker, opening] {
    if (!links_.has_link(key.peer)) {
      worker->post([pipe] { pipe->on_reset(Error(Code::unreachable, "no link to the other node")); });
      return;
    }
    pipes_.emplace(key, Entry{pipe, worker});
    transmit(key, ForwardType::open, opening);
  });
  pipe->grant(kPipeWindow);  // goes out right behind
  // Whatever way this ends, the table entry goes.
  struct Closing {
    ForwardHub* hub;
    Key key;
    std::shared_ptr<Pipe> pipe;
    ~Closing() {
      pipe->reset("the request is over");
      ForwardHub* self = hub;
      Key which = key;
      hub->control_.post([self, which] { self->pipes_.erase(which); });
    }
  } closing{this, key, pipe};

  auto accepted = co_await pipe->accepted(accept_deadline);
  if (!accepted) {
    ++counters_.failed;
    co_return accepted;
  }
  ++counters_.out;

  bool consumed = false;
  runtime::Scope scope;
  if (exchange.request().has_body()) {
    scope.spawn(pump_request_body(exchange, pipe, consumed));
  } else if (exchange.request().upgrade.empty()) {
    pipe->end();
  }
  auto head = co_await pipe->head();
  Result<void> outcome;
  if (head) {
    outcome = co_await relay_response(here, exchange, pipe, std::move(*head));
    if (!outcome) exchange.abort();  // a cut answer must not look like a whole one
    outcome = Result<void>();
  } else {
    ++counters_.failed;
    outcome = Error(Code::closed, head.error().message(), Side::peer);  // whatever it was, the request was taken
    if (consumed) {  // nobody else can answer now
      http::ResponseHead bad;
      bad.status = 502;
      (void)co_await exchange.respond(std::move(bad), "The other node did not answer.\n", "text/plain");
      outcome = Result<void>();
    }
  }
  if (!pipe->finished() && scope.running() > 0) {
    // The answer is complete but the client still sends: nobody will read it.
    pipe->reset("the request is over");
    exchange.abort();
  }
  co_await scope.close();
  co_return outcome;
}

void ForwardHub::handle_message(NodeId from, uint8_t type, ByteView payload) {
  Reader in(payload);
  uint64_t id = in.varint();
  if (!in.ok()) return;
  Key key{from, id};
  ByteView rest = in.raw(in.remaining());
  if (type == static_cast<uint8_t>(ForwardType::open)) {
    open_from_peer(key, rest);
    return;
  }
  auto it = pipes_.find(key);
  if (it == pipes_.end()) return;  // over on our side; the reset is on its way
  std::shared_ptr<Pipe> pipe = it->second.pipe;
  runtime::Loop* worker = it->second.worker;
  switch (static_cast<ForwardType>(type)) {
    case ForwardType::head: {
      auto head = std::make_shared<Result<http::ResponseHead>>(decode_response(rest));
      worker->post([pipe, head] { pipe->on_head(std::move(*head)); });
      break;
    }
    case ForwardType::data: {
      auto data = std::make_shared<Bytes>(rest.begin(), rest.end());
      worker->post([pipe, data] { pipe->on_data(std::move(*data)); });
      break;
    }
    case ForwardType::end: worker->post([pipe] { pipe->on_end(); }); break;
    case ForwardType::credit: {
      Reader amount(rest);
      uint64_t bytes = amount.varint();
      if (amount.done()) worker->post([pipe, bytes] { pipe->on_credit(bytes); });
      break;
    }
    case ForwardType::reset: {
      Error why = from_peer(as_text(rest.first(std::min<size_t>(rest.size(), 200))));
      worker->post([pipe, why] { pipe->on_reset(why); });
      pipes_.erase(it);
      break;
    }
    case ForwardType::open: break;
  }
}

void ForwardHub::open_from_peer(const Key& key, ByteView payload) {
  auto refuse = [&](std::string_view why) {
    Bytes message;
    Writer writer(message);
    writer.varint(key.id);
    writer.raw(as_bytes(why));
    links_.send_forward(key.peer, ForwardType::reset, message);
  };
  bool theirs = (key.id & 1) == (key.peer < self_ ? 1u : 0u);
  if (!theirs || pipes_.contains(key)) return refuse("bad stream id");
  auto request = decode_request(payload);
  if (!request) return refuse(request.error().message());
  if (workers_.empty() || open_from_[key.peer] >= kMaxOpenPerPeer) return refuse("busy");
  request->origin.forwarded_by = links_.name_of(key.peer);
  if (request->origin.forwarded_by.empty()) request->origin.forwarded_by = key.peer.hex();

  ++counters_.in;
  const size_t window = open_from_[key.peer]++ < kWholeWindows ? kPipeWindow : kSmallPipeWindow;
  const Worker& worker = workers_[next_worker_++ % workers_.size()];
  auto pipe = std::make_shared<Pipe>(*worker.loop, sender(key), window);
  pipes_.emplace(key, Entry{pipe, worker.loop});
  auto box = std::make_shared<ForwardedRequest>(std::move(*request));
  runtime::Loop* loop = worker.loop;
  http::Handler* handler = worker.handler;
  runtime::Scope* scope = worker.scope;
  loop->post([this, key, pipe, box, loop, handler, scope] {
    auto over = [this, key] {
      control_.post([this, key] {
        pipes_.erase(key);
        --open_from_[key.peer];
      });
    };
    if (scope->stopping()) {
      pipe->reset("shutting down");
      over();
      return;
    }
    struct Body {
      static runtime::Task<void> run(std::shared_ptr<Pipe> p, std::shared_ptr<ForwardedRequest> r,
                                     runtime::Loop* l, http::Handler* h, std::function<void()> done) {
        co_await serve(p, std::move(*r), *l, *h);
        done();
      }
    };
    scope->spawn(Body::run(pipe, box, loop, handler, over));
  });
}

runtime::Task<void> ForwardHub::serve(std::shared_ptr<Pipe> pipe, ForwardedRequest request,
                                      runtime::Loop& loop, http::Handler& handler) {
  pipe->grant(pipe->window());  // the other side takes this as: accepted
  ForwardedExchange exchange(loop, pipe, std::move(request));
  co_await handler.handle(exchange);
  co_await exchange.complete();
}

void ForwardHub::peer_lost(NodeId peer) {
  for (auto it = pipes_.lower_bound(Key{peer, 0}); it != pipes_.end() && it->first.peer == peer;) {
    std::shared_ptr<Pipe> pipe = it->second.pipe;
    it->second.worker->post(
        [pipe] { pipe->on_reset(Error(Code::closed, "the other node was lost", Side::peer)); });
    it = pipes_.erase(it);
  }
}

void ForwardHub::reset_all() {
  std::set<NodeId> peers;
  for (const auto& [key, entry] : pipes_) peers.insert(key.peer);
  for (NodeId peer : peers) peer_lost(peer);
}

}  // namespace kith::cluster
