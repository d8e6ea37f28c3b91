#include "sim/world.h"

#include "base/check.h"
#include "sim/wire.h"

namespace kith::sim {
namespace {
constexpr int64_t kEpochMs = 1'700'000'000'000;  // the wall clock of a fresh world
}

World::World(uint64_t seed, NetworkOptions network)
    : seed_(seed), network_(network), random_(seed), wires_(std::make_unique<Wires>(*this)) {
  note(seed);
}

// What never happened is dropped before the wires that it may hold.
World::~World() {
  ended_ = true;
  for (auto& process : processes_) process->deferred_.clear();
  queue_.clear();
}

WallTime World::wall_now(const Host& host) const {
  auto since_start = now_.time_since_epoch() + host.wall_offset;
  return from_unix_ms(kEpochMs + std::chrono::duration_cast<std::chrono::milliseconds>(since_start).count());
}

void World::note(uint64_t value) {
  hash_ = (hash_ ^ value) * 0x9e3779b97f4a7c15;
  hash_ ^= hash_ >> 29;
}

void World::at(MonoTime when, std::function<void()> fn, Process* process, Cancel cancel) {
  if (ended_) return;
  queue_.emplace(std::pair(std::max(when, now_), sequence_++),
                 Event{std::move(fn), process, std::move(cancel)});
}

bool World::step() {
  if (queue_.empty()) return false;
  auto node = queue_.extract(queue_.begin());
  auto [when, sequence] = node.key();
  Event& event = node.mapped();
  now_ = when;
  if (event.cancel && *event.cancel) return true;
  ++events_run_;
  note(static_cast<uint64_t>(when.time_since_epoch().count()));
  note(sequence);
  if (event.process != nullptr && event.process->state_ == Process::State::paused) {
    event.process->deferred_.push_back([fn = std::move(event.fn), cancel = std::move(event.cancel)] {
      if (!cancel || !*cancel) fn();
    });
    return true;
  }
  event.fn();
  return true;
}

void World::run_until(MonoTime when) {
  while (!queue_.empty() && queue_.begin()->first.first <= when) step();
  now_ = std::max(now_, when);
}

bool World::run_while_not(const std::function<bool()>& condition, Duration limit) {
  MonoTime end = now_ + limit;
  while (!condition()) {
    if (queue_.empty() || queue_.begin()->first.first > end) {
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
  names_[host.name] = {address};
  return host;
}

Host* World::find_host(const IpAddress& address, const Host& asking) {
  for (auto& host : hosts_) {
    if (address.is_loopback() ? host.get() == &asking : host->address == address) return host.get();
  }
  return nullptr;
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
  for (auto& fn : process.deferred_) at(now_, std::move(fn), &process);
  process.deferred_.clear();
}

void World::power_off(Host& host) {
  host.up = false;
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

void World::block(const Host& from, const Host& to) { blocked_.emplace(from.index, to.index); }

void World::unblock(const Host& from, const Host& to) {
  blocked_.erase({from.index, to.index});
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

void World::heal() {
  blocked_.clear();
  wires_->path_opened();
}

bool World::reaches(const Host& from, const Host& to) const {
  return to.up && !blocked_.contains({from.index, to.index});
}

}  // namespace kith::sim
