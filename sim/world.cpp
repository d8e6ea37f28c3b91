#include "sim/world.h"

#include <algorithm>
#include <functional>

#include "base/check.h"
#include "sim/wire.h"

namespace kith::sim {
namespace {
constexpr int64_t kEpochMs = 1'700'000'000'000;  // the wall clock of a fresh world

uint64_t way(const Host& from, const Host& to) { return uint64_t{from.index} << 32 | to.index; }
}  // namespace

World::World(uint64_t seed, NetworkOptions network)
    : seed_(seed), network_(network), random_(seed), wires_(std::make_unique<Wires>(*this)) {
  note(seed);
}

// What never happened is dropped before the wires that it may hold.
World::~World() {
  ended_ = true;
  for (auto& process : processes_) process->deferred_.clear();
  queue_.clear();
  events_.clear();
}

MonoTime World::now(const Host& host) const {
  if (host.drift_ppm == 0) return now_;
  auto count = static_cast<__int128>(now_.time_since_epoch().count());
  return now_ + Duration(static_cast<int64_t>(count * host.drift_ppm / 1'000'000));
}

MonoTime World::when_it_is(MonoTime local, const Host& host) const {
  if (host.drift_ppm == 0 || local == kNever) return local;
  auto wanted = static_cast<__int128>(local.time_since_epoch().count());
  MonoTime out(Duration(static_cast<int64_t>(wanted * 1'000'000 / (1'000'000 + host.drift_ppm))));
  // Rounding must not fire a timer before its time.
  return out + 2us;
}

WallTime World::wall_now(const Host& host) const {
  auto since_start = now(host).time_since_epoch() + host.wall_offset;
  return from_unix_ms(kEpochMs + std::chrono::duration_cast<std::chrono::milliseconds>(since_start).count());
}

void World::note(uint64_t value) {
  hash_ = (hash_ ^ value) * 0x9e3779b97f4a7c15;
  hash_ ^= hash_ >> 29;
}

void World::at(MonoTime when, Callback fn, Process* process, Cancel cancel) {
  if (ended_) return;
  uint32_t slot;
  if (free_.empty()) {
    slot = static_cast<uint32_t>(events_.size());
    events_.emplace_back();
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  events_[slot] = Event{std::move(fn), process, std::move(cancel)};
  queue_.push_back({std::max(when, now_), sequence_++, slot});
  std::push_heap(queue_.begin(), queue_.end(), std::greater<>());
}

bool World::step() {
  if (queue_.empty()) return false;
  std::pop_heap(queue_.begin(), queue_.end(), std::greater<>());
  Due due = queue_.back();
  queue_.pop_back();
  Event event = std::move(events_[due.slot]);
  free_.push_back(due.slot);
  now_ = due.when;
  if (event.cancel && *event.cancel) return true;
  ++events_run_;
  note(static_cast<uint64_t>(due.when.time_since_epoch().count()));
  note(due.sequence);
  if (event.process != nullptr && event.process->state_ == Process::State::paused) {
    event.process->deferred_.emplace_back(std::move(event.fn), std::move(event.cancel));
    return true;
  }
  event.fn();
  return true;
}

void World::run_until(MonoTime when) {
  while (!queue_.empty() && queue_.front().when <= when) step();
  now_ = std::max(now_, when);
}

bool World::run_while_not(const std::function<bool()>& condition, Duration limit) {
  MonoTime end = now_ + limit;
  while (!condition()) {
    if (queue_.empty() || queue_.front().when > end) {
      now_ = std::max(now_, end);
      return condition();
    }
    step();
  }
  return true;
}

Host& World::add_host(std::string name) {
  size_t number = hosts_.size() + 1;
  return add_host(std::move(name), IpAddress::v4(10, 0, static_cast<uint8_t>(number >> 8),
                                                 static_cast<uint8_t>(number & 0xff)));
}

Host& World::add_host(std::string name, IpAddress address) {
  hosts_.push_back(std::make_unique<Host>());
  Host& host = *hosts_.back();
  host.name = std::move(name);
  host.address = address;
  host.index = hosts_.size() - 1;
  by_address_.emplace(address, &host);
  names_[host.name] = {address};
  return host;
}

Host* World::find_host(const IpAddress& address, const Host& asking) {
  if (address.is_loopback()) return hosts_[asking.index].get();
  auto at = by_address_.find(address);
  return at == by_address_.end() ? nullptr : at->second;
}

Process& World::start(Host& host) {
  KITH_CHECK(host.up);
  processes_.push_back(std::unique_ptr<Process>(new Process(*this, host)));
  return *processes_.back();
}

void World::kill(Process& process) {
  if (process.dead()) return;
  resume(process);
  process.state_ = Process::State::dead;
  wires_->kill(process, /*tell_peers=*/true);
}

void World::pause(Process& process) {
  if (process.state_ == Process::State::running) process.state_ = Process::State::paused;
}

void World::resume(Process& process) {
  if (process.state_ != Process::State::paused) return;
  process.state_ = Process::State::running;
  for (auto& [fn, cancel] : process.deferred_) at(now_, std::move(fn), &process, std::move(cancel));
  process.deferred_.clear();
}

void World::power_off(Host& host) {
  host.up = false;
  host.disk.lose_power([this](size_t below) { return static_cast<size_t>(random_.below(below)); });
  for (auto& process : processes_) {
    if (&process->host() != &host || process->dead()) continue;
    resume(*process);
    process->state_ = Process::State::dead;
    wires_->kill(*process, /*tell_peers=*/false);
  }
}

void World::power_on(Host& host) {
  host.up = true;
  wires_->path_opened();
}

void World::block(const Host& from, const Host& to) { blocked_.insert(way(from, to)); }

void World::unblock(const Host& from, const Host& to) {
  blocked_.erase(way(from, to));
  wires_->path_opened();
}

void World::split(const std::vector<Host*>& one, const std::vector<Host*>& other) {
  for (Host* a : one) {
    for (Host* b : other) {
      block(*a, *b);
      block(*b, *a);
    }
  }
}

void World::set_impaired(bool& flag, bool value) {
  if (flag == value) return;
  flag = value;
  value ? ++impaired_ : --impaired_;
  if (!value) wires_->path_opened();
}

void World::set_deaf(Host& host, bool deaf) { set_impaired(host.deaf, deaf); }
void World::set_mute(Host& host, bool mute) { set_impaired(host.mute, mute); }

void World::heal() {
  blocked_.clear();
  for (auto& host : hosts_) host->deaf = host->mute = false;
  impaired_ = 0;
  wires_->path_opened();
}

bool World::reaches(const Host& from, const Host& to) const {
  if (!to.up) return false;
  if (impaired_ > 0 && &from != &to && (from.mute || to.deaf)) return false;
  return blocked_.empty() || !blocked_.contains(way(from, to));
}

}  // namespace kith::sim
