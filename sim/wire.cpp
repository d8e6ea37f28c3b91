#include "sim/wire.h"

#include <algorithm>

namespace kith::sim {
namespace {
constexpr Duration kRetransmit = 200ms;  // the first time; doubles
constexpr Duration kFirstSynRetry = 1s;  // Linux: 1, 3, 7 s after the first
constexpr Duration kNoRoute = 3s;        // until a host that does not exist is reported
constexpr Duration kSameHost = 20us;
}  // namespace

struct Wire::Segment {
  enum class Kind : uint8_t { data, fin, reset };
  Kind kind = Kind::data;
  Bytes bytes;
  MonoTime arrives{};
};

struct Wire::Connection {
  struct Side {
    Process* process = nullptr;
    Endpoint endpoint;
    Handlers handlers;
    bool handled = false;
    bool gone = false;    // closed by its application or dead: the kernel answers data with RST
    bool broken = false;  // a RST came in
    bool sent_fin = false;
    bool stalled = false;          // segments wait for the path to open
    std::deque<Segment> incoming;  // on the way here
    std::deque<Segment> arrived;   // in the kernel, the application has not seen them
    MonoTime last_arrival{};
    size_t unread = 0;  // bytes on the way, arrived, or seen and not consumed
  };
  explicit Connection(Wires& w) : wires(w) {}
  Wires& wires;
  Side sides[2];
};

Wire::~Wire() { close(); }

void Wire::handle(Handlers handlers) {
  auto& side = connection_->sides[side_];
  side.handlers = std::move(handlers);
  side.handled = true;
  if (side.arrived.empty()) return;
  connection_->wires.world_.at(
      connection_->wires.world_.now(), [c = connection_, s = side_] { c->wires.deliver(c, s); },
      side.process);
}

bool Wire::send(Bytes data) {
  auto& side = connection_->sides[side_];
  if (side.gone || side.broken || side.sent_fin) return false;
  if (data.empty()) return true;
  connection_->sides[1 - side_].unread += data.size();
  Segment segment;
  segment.bytes = std::move(data);
  connection_->wires.send(connection_, side_, std::move(segment));
  return true;
}

size_t Wire::room() const {
  size_t window = connection_->wires.world_.network().window;
  size_t used = connection_->sides[1 - side_].unread;
  return used < window ? window - used : 0;
}

void Wire::consumed(size_t bytes) {
  auto& side = connection_->sides[side_];
  auto& other = connection_->sides[1 - side_];
  side.unread -= std::min(bytes, side.unread);
  Wires& wires = connection_->wires;
  Duration delay = wires.latency(side.process->host(), other.process->host());
  wires.world_.after(
      delay,
      [c = connection_, s = 1 - side_] {
        auto on_room = c->sides[s].handlers.on_room;
        if (on_room && !c->sides[s].gone) on_room();
      },
      other.process);
}

void Wire::shutdown() {
  auto& side = connection_->sides[side_];
  if (side.gone || side.broken || side.sent_fin) return;
  side.sent_fin = true;
  Segment fin;
  fin.kind = Segment::Kind::fin;
  connection_->wires.send(connection_, side_, std::move(fin));
}

void Wire::close() { connection_->wires.end_side(connection_, side_); }
Endpoint Wire::local() const { return connection_->sides[side_].endpoint; }
Endpoint Wire::remote() const { return connection_->sides[1 - side_].endpoint; }

struct Wires::Attempt {
  Process* process = nullptr;
  Host* target = nullptr;
  Endpoint from, to;
  OnConnect done;
  bool answered = false;
  World::Cancel give_up = std::make_shared<bool>(false);
};

Wires::~Wires() = default;

Duration Wires::latency(const Host& from, const Host& to) {
  if (&from == &to) return kSameHost;
  const NetworkOptions& options = world_.network();
  Duration out = world_.random().between(options.min_latency, options.max_latency);
  for (Duration again = kRetransmit; world_.random().chance(options.loss_per_mille, 1000); again *= 2)
    out += again;
  return out;
}

Result<Endpoint> Wires::listen(Process& process, const Endpoint& at, OnAccept on_accept) {
  if (process.dead()) return Error(Code::closed, "the process is dead");
  Endpoint mine = at;
  if (mine.port == 0) mine.port = next_port_++;
  for (const Listener& other : listeners_) {
    bool same_host = &other.process->host() == &process.host() && other.at.port == mine.port;
    bool overlap = other.at.address == mine.address || other.at.address.is_unspecified() ||
                   mine.address.is_unspecified();
    if (same_host && overlap) return Error(Code::conflict, mine.text() + " is taken");
  }
  listeners_.push_back({&process, mine, std::move(on_accept)});
  return mine;
}

void Wires::stop_listening(Process& process, const Endpoint& at) {
  std::erase_if(listeners_, [&](const Listener& l) { return l.process == &process && l.at == at; });
}

Wires::Listener* Wires::find_listener(const Host& host, const Endpoint& to) {
  for (Listener& listener : listeners_) {
    if (&listener.process->host() == &host && listener.at.port == to.port &&
        (listener.at.address == to.address || listener.at.address.is_unspecified()))
      return &listener;
  }
  return nullptr;
}

void Wires::connect(Process& process, const Endpoint& to, MonoTime deadline, OnConnect done) {
  auto attempt = std::make_shared<Attempt>();
  attempt->process = &process;
  attempt->target = world_.find_host(to.address, process.host());
  attempt->to = to;
  attempt->from = {process.host().address, next_port_++};
  if (next_port_ == 0) next_port_ = 32768;
  attempt->done = std::move(done);
  if (process.dead()) return finish(attempt, Error(Code::closed, "the process is dead"));
  if (deadline != kNever) {
    world_.at(
        deadline,
        [this, attempt] { finish(attempt, Error(Code::timeout, "connect to " + attempt->to.text())); },
        nullptr, attempt->give_up);
  }
  if (attempt->target == nullptr) {
    world_.after(kNoRoute, [this, attempt] {
      finish(attempt, Error(Code::unreachable, "no route to " + attempt->to.text()));
    });
    return;
  }
  send_syn(attempt, kFirstSynRetry);
}

void Wires::send_syn(std::shared_ptr<Attempt> attempt, Duration retry) {
  world_.after(latency(attempt->process->host(), *attempt->target), [this, attempt] { take_syn(attempt); });
  world_.at(
      world_.now() + retry, [this, attempt, retry] { send_syn(attempt, 2 * retry); }, nullptr,
      attempt->give_up);
}

void Wires::take_syn(const std::shared_ptr<Attempt>& attempt) {
  Host& here = *attempt->target;
  Host& there = attempt->process->host();
  if (attempt->answered || !world_.reaches(there, here) || !world_.reaches(here, there)) return;
  attempt->answered = true;
  Listener* listener = find_listener(here, attempt->to);
  Duration back = latency(here, there);
  if (listener == nullptr) {
    world_.after(back, [this, attempt] {
      finish(attempt, Error(Code::refused, attempt->to.text() + " refused the connection"));
    });
    return;
  }
  auto connection = std::make_shared<Connection>(*this);
  connection->sides[0].process = attempt->process;
  connection->sides[0].endpoint = attempt->from;
  connection->sides[0].gone = attempt->process->dead();
  connection->sides[1].process = listener->process;
  connection->sides[1].endpoint = attempt->to;
  std::erase_if(connections_, [](const auto& weak) { return weak.expired(); });
  connections_.push_back(connection);
  auto accepted = std::make_shared<std::unique_ptr<Wire>>(new Wire(connection, 1));
  world_.at(
      world_.now(), [on_accept = listener->on_accept, accepted] { on_accept(std::move(*accepted)); },
      listener->process);
  auto connected = std::make_shared<std::unique_ptr<Wire>>(new Wire(connection, 0));
  world_.after(back, [this, attempt, connected] { finish(attempt, std::move(*connected)); });
}

void Wires::finish(const std::shared_ptr<Attempt>& attempt, Result<std::unique_ptr<Wire>> result) {
  if (*attempt->give_up) return;  // answered before; a connection that comes too late closes with `result`
  *attempt->give_up = true;
  auto box = std::make_shared<Result<std::unique_ptr<Wire>>>(std::move(result));
  world_.at(
      world_.now(), [done = std::move(attempt->done), box] { done(std::move(*box)); }, attempt->process);
}

void Wires::send(const std::shared_ptr<Connection>& connection, int from, Segment segment) {
  auto& source = connection->sides[from];
  auto& target = connection->sides[1 - from];
  MonoTime arrives = world_.now() + latency(source.process->host(), target.process->host());
  arrives = std::max(arrives, target.last_arrival);
  if (uint64_t rate = world_.network().bytes_per_second; rate > 0)
    arrives += Duration(static_cast<int64_t>(segment.bytes.size() * 1'000'000'000 / rate));
  target.last_arrival = arrives;
  segment.arrives = arrives;
  target.incoming.push_back(std::move(segment));
  schedule_arrival(connection, 1 - from, arrives);
}

void Wires::schedule_arrival(const std::shared_ptr<Connection>& connection, int to, MonoTime when) {
  world_.at(when, [this, connection, to] { arrive(connection, to); });
}

// The receiving kernel's work: it goes on while the process is paused.
void Wires::arrive(const std::shared_ptr<Connection>& connection, int to) {
  auto& side = connection->sides[to];
  const Host& from = connection->sides[1 - to].process->host();
  while (!side.incoming.empty() && side.incoming.front().arrives <= world_.now()) {
    Segment::Kind kind = side.incoming.front().kind;
    if (!world_.reaches(from, side.process->host())) {
      if (kind == Segment::Kind::reset) {
        side.incoming.pop_front();  // sent once, lost for good
        continue;
      }
      side.stalled = true;
      return;
    }
    Segment segment = std::move(side.incoming.front());
    side.incoming.pop_front();
    if (side.gone) {
      auto& sender = connection->sides[1 - to];
      if (kind == Segment::Kind::data && !sender.gone && !sender.broken) {
        Segment reset;
        reset.kind = Segment::Kind::reset;
        send(connection, to, std::move(reset));
      }
      continue;
    }
    if (kind == Segment::Kind::reset) {
      side.broken = true;
      side.arrived.clear();
    }
    world_.note(segment.bytes.size());
    side.arrived.push_back(std::move(segment));
    world_.at(
        world_.now(), [this, connection, to] { deliver(connection, to); }, side.process);
  }
}

void Wires::deliver(const std::shared_ptr<Connection>& connection, int to) {
  auto& side = connection->sides[to];
  while (side.handled && !side.gone && !side.arrived.empty()) {
    Segment segment = std::move(side.arrived.front());
    side.arrived.pop_front();
    // Copies: the callback may close this side, which takes its handlers away.
    if (segment.kind == Segment::Kind::data) {
      if (auto on_data = side.handlers.on_data) on_data(std::move(segment.bytes));
    } else if (auto on_end = side.handlers.on_end) {
      on_end(segment.kind == Segment::Kind::fin ? WireEnd::fin : WireEnd::reset);
    }
  }
}

void Wires::end_side(const std::shared_ptr<Connection>& connection, int index) {
  auto& side = connection->sides[index];
  if (side.gone) return;
  bool unread = side.unread > 0;
  if (!side.broken && (unread || !side.sent_fin)) {
    Segment last;
    last.kind = unread ? Segment::Kind::reset : Segment::Kind::fin;
    send(connection, index, std::move(last));
  }
  side.gone = true;
  side.handlers = {};
  side.arrived.clear();
}

void Wires::kill(Process& process, bool tell_peers) {
  std::erase_if(listeners_, [&](const Listener& listener) { return listener.process == &process; });
  for (const auto& weak : connections_) {
    auto connection = weak.lock();
    if (!connection) continue;
    for (int index : {0, 1}) {
      auto& side = connection->sides[index];
      if (side.process != &process || side.gone) continue;
      // The ghost's own operations end; what it does with that is not seen by anyone.
      if (auto on_end = side.handlers.on_end)
        world_.at(
            world_.now(), [on_end] { on_end(WireEnd::reset); }, &process);
      if (tell_peers) end_side(connection, index);
      side.gone = true;
    }
  }
}

void Wires::path_opened() {
  for (const auto& weak : connections_) {
    auto connection = weak.lock();
    if (!connection) continue;
    for (int to : {0, 1}) {
      auto& side = connection->sides[to];
      if (!side.stalled || !world_.reaches(connection->sides[1 - to].process->host(), side.process->host()))
        continue;
      side.stalled = false;
      schedule_arrival(connection, to, world_.now() + world_.random().between(1ms, kRetransmit));
    }
  }
}

}  // namespace kith::sim
