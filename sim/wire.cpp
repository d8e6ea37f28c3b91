#include "sim/wire.h"

#include <algorithm>
#include <optional>

namespace kith::sim {
namespace {
constexpr Duration kRetransmit = 200ms;  // the first time; doubles
constexpr Duration kMaxRetransmit = 120s;
constexpr Duration kFirstSynRetry = 1s;  // Linux: 1, 3, 7 s after the first
constexpr Duration kNoRoute = 3s;        // until a host that does not exist is reported
constexpr Duration kSameHost = 20us;
}  // namespace

struct Wire::Segment {
  enum class Kind : uint8_t { data, fin, reset };
  Kind kind = Kind::data;
  std::shared_ptr<const Bytes> bytes;  // null for the others
  size_t taken = 0;                    // of the bytes, by a partial read
  MonoTime arrives{};
  size_t size() const { return bytes ? bytes->size() - taken : 0; }
};

struct Wire::Connection {
  struct Side {
    Process* process = nullptr;
    Endpoint endpoint;
    std::shared_ptr<const Handlers> handlers;  // null before handle() and after the end
    bool gone = false;    // closed by its application or dead: the kernel answers data with RST
    bool broken = false;  // a RST came in
    bool sent_fin = false;
    std::optional<MonoTime> stalled;  // segments wait for the path to open, since then
    bool waking = false;              // a delivery is on its way to a process that could not take it at once
    std::deque<Segment> incoming;     // on the way here
    std::deque<Segment> arrived;      // in the kernel, the application has not seen them
    MonoTime last_arrival{};
    size_t unread = 0;  // bytes on the way, arrived, or seen and not consumed
  };
  explicit Connection(Wires& w) : wires(w) {}
  Wires& wires;
  Side sides[2];
  bool forgotten = false;  // by something in between: nothing arrives any more
};

Wire::~Wire() { close(); }

void Wire::handle(Handlers handlers) {
  auto& side = connection_->sides[side_];
  side.handlers = std::make_shared<const Handlers>(std::move(handlers));
  Wires& wires = connection_->wires;
  if (!side.arrived.empty()) wires.wake(connection_, side_, wires.world_.now());
}

bool Wire::send(Bytes data) { return send(std::make_shared<const Bytes>(std::move(data))); }

bool Wire::send(std::shared_ptr<const Bytes> data) {
  auto& side = connection_->sides[side_];
  if (side.gone || side.broken || side.sent_fin) return false;
  if (data->empty()) return true;
  connection_->sides[1 - side_].unread += data->size();
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
  Wires& wires = connection_->wires;
  bool was_full = side.unread >= wires.world_.network().window;
  side.unread -= std::min(bytes, side.unread);
  if (!was_full || !other.handlers || !other.handlers->on_room) return;
  Duration delay = wires.latency(side.process->host(), other.process->host());
  wires.world_.after(
      delay,
      [c = connection_, s = 1 - side_] {
        auto handlers = c->sides[s].handlers;
        if (handlers) handlers->on_room();
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
  uint64_t loss = options.loss_per_mille + from.loss_per_mille + to.loss_per_mille;
  if (loss == 0) return out;
  for (Duration again = kRetransmit; world_.random().chance(std::min<uint64_t>(loss, 990), 1000);) {
    out += again;
    again = std::min(again * 2, kMaxRetransmit);
  }
  return out;
}

Result<Endpoint> Wires::listen(Process& process, const Endpoint& at, OnAccept on_accept) {
  if (process.dead()) return Error(Code::closed, "the process is dead");
  Endpoint mine = at;
  if (mine.port == 0) mine.port = next_port_++;
  std::vector<Listener>& here = listeners_[process.host().index];
  for (const Listener& other : here) {
    bool overlap = other.at.address == mine.address || other.at.address.is_unspecified() ||
                   mine.address.is_unspecified();
    if (other.at.port == mine.port && overlap) return Error(Code::conflict, mine.text() + " is taken");
  }
  here.push_back({&process, mine, std::move(on_accept)});
  return mine;
}

void Wires::stop_listening(Process& process, const Endpoint& at) {
  std::erase_if(listeners_[process.host().index],
                [&](const Listener& l) { return l.process == &process && l.at == at; });
}

Wires::Listener* Wires::find_listener(const Host& host, const Endpoint& to) {
  auto here = listeners_.find(host.index);
  if (here == listeners_.end()) return nullptr;
  for (Listener& listener : here->second) {
    if (listener.at.port == to.port &&
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
  if (connections_.size() >= sweep_at_) {
    std::erase_if(connections_, [](const auto& weak) { return weak.expired(); });
    sweep_at_ = std::max<size_t>(64, 2 * connections_.size());
  }
  connections_.push_back(connection);
  world_.at(
      world_.now(),
      [on_accept = listener->on_accept, accepted = std::unique_ptr<Wire>(new Wire(connection, 1))]() mutable {
        on_accept(std::move(accepted));
      },
      listener->process);
  world_.after(back, [this, attempt, connected = std::unique_ptr<Wire>(new Wire(connection, 0))]() mutable {
    finish(attempt, std::move(connected));
  });
}

void Wires::finish(const std::shared_ptr<Attempt>& attempt, Result<std::unique_ptr<Wire>> result) {
  if (*attempt->give_up) return;  // answered before; a connection that comes too late closes with `result`
  *attempt->give_up = true;
  world_.at(
      world_.now(),
      [done = std::move(attempt->done), result = std::move(result)]() mutable { done(std::move(result)); },
      attempt->process);
}

void Wires::send(const std::shared_ptr<Connection>& connection, int from, Segment segment) {
  auto& source = connection->sides[from];
  auto& target = connection->sides[1 - from];
  MonoTime arrives = world_.now() + latency(source.process->host(), target.process->host());
  arrives = std::max(arrives, target.last_arrival);
  uint64_t rate = source.process->host().bytes_per_second;
  if (rate == 0) rate = world_.network().bytes_per_second;
  if (rate > 0) arrives += Duration(static_cast<int64_t>(segment.size() * 1'000'000'000 / rate));
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
  const Host& here = side.process->host();
  const Host& there = connection->sides[1 - to].process->host();
  while (!side.incoming.empty() && side.incoming.front().arrives <= world_.now()) {
    Segment::Kind kind = side.incoming.front().kind;
    if (connection->forgotten) {
      side.incoming.clear();
      return;
    }
    if (!world_.reaches(there, here) || !world_.reaches(here, there)) {
      if (kind == Segment::Kind::reset) {
        side.incoming.pop_front();  // sent once, lost for good
        continue;
      }
      if (!side.stalled) {
        stalled_.emplace_back(connection, to);
        side.stalled = world_.now();
      }
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
    world_.note(segment.size());
    side.arrived.push_back(std::move(segment));
  }
  if (side.arrived.empty()) return;
  if (side.process->state() == Process::State::running) return deliver(connection, to);
  wake(connection, to, world_.now());
}

void Wires::wake(const std::shared_ptr<Connection>& connection, int to, MonoTime when) {
  auto& side = connection->sides[to];
  if (std::exchange(side.waking, true)) return;
  world_.at(
      when,
      [this, connection, to] {
        connection->sides[to].waking = false;
        deliver(connection, to);
      },
      side.process);
}

void Wires::deliver(const std::shared_ptr<Connection>& connection, int to) {
  auto& side = connection->sides[to];
  while (side.handlers && !side.waking && !side.arrived.empty()) {
    // Held here: the callback may close this side, which takes its handlers away.
    std::shared_ptr<const Wire::Handlers> handlers = side.handlers;
    Segment& first = side.arrived.front();
    size_t size = first.size();
    if (size > 1 && world_.random().chance(world_.network().partial_per_mille, 1000)) {
      size = 1 + world_.random().below(size - 1);
      std::shared_ptr<const Bytes> bytes = first.bytes;
      ByteView piece = ByteView(*bytes).subspan(first.taken, size);
      first.taken += size;
      wake(connection, to, world_.now() + world_.random().between(1us, 1ms));
      handlers->on_data(piece);
      return;
    }
    Segment segment = std::move(first);
    side.arrived.pop_front();
    if (segment.kind == Segment::Kind::data) {
      handlers->on_data(ByteView(*segment.bytes).subspan(segment.taken));
    } else if (handlers->on_end) {
      handlers->on_end(segment.kind == Segment::Kind::fin ? WireEnd::fin : WireEnd::reset);
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
  side.handlers = nullptr;
  side.arrived.clear();
}

void Wires::kill(Process& process, bool tell_peers) {
  std::erase_if(listeners_[process.host().index],
                [&](const Listener& listener) { return listener.process == &process; });
  for (const auto& weak : connections_) {
    auto connection = weak.lock();
    if (!connection) continue;
    for (int index : {0, 1}) {
      auto& side = connection->sides[index];
      if (side.process != &process || side.gone) continue;
      // The ghost's own operations end; what it does with that is not seen by anyone.
      if (side.handlers && side.handlers->on_end)
        world_.at(
            world_.now(), [handlers = side.handlers] { handlers->on_end(WireEnd::reset); }, &process);
      if (tell_peers) end_side(connection, index);
      side.gone = true;
    }
  }
}

void Wires::path_opened() {
  std::vector<std::pair<std::weak_ptr<Connection>, int>> still;
  for (auto& [weak, to] : std::exchange(stalled_, {})) {
    auto connection = weak.lock();
    if (!connection) continue;
    auto& side = connection->sides[to];
    const Host& here = side.process->host();
    const Host& there = connection->sides[1 - to].process->host();
    if (!world_.reaches(there, here) || !world_.reaches(here, there)) {
      still.emplace_back(weak, to);
      continue;
    }
    MonoTime next = *std::exchange(side.stalled, std::nullopt);
    for (Duration again = kRetransmit; next <= world_.now(); again = std::min(2 * again, kMaxRetransmit))
      next += again;
    schedule_arrival(connection, to, next);
  }
  stalled_.insert(stalled_.end(), still.begin(), still.end());
}

std::shared_ptr<Wires::Connection> Wires::pick(const Host& host) {
  std::vector<std::shared_ptr<Connection>> candidates;
  for (const auto& weak : connections_) {
    auto connection = weak.lock();
    if (!connection || connection->forgotten) continue;
    const auto& [one, other] = connection->sides;
    if (one.gone || other.gone || one.broken ||
        (&one.process->host() != &host && &other.process->host() != &host))
      continue;
    candidates.push_back(std::move(connection));
  }
  return candidates.empty() ? nullptr : candidates[world_.random().below(candidates.size())];
}

bool Wires::reset_one(const Host& host) {
  auto connection = pick(host);
  if (!connection) return false;
  for (int to : {0, 1}) {
    auto& side = connection->sides[to];
    side.incoming.clear();
    side.arrived.clear();
    side.broken = true;
    Segment reset;
    reset.kind = Segment::Kind::reset;
    side.arrived.push_back(std::move(reset));
    wake(connection, to, world_.now());
  }
  return true;
}

bool Wires::forget_one(const Host& host) {
  auto connection = pick(host);
  if (connection) connection->forgotten = true;
  return connection != nullptr;
}

}  // namespace kith::sim
