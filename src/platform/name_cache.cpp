#include "platform/name_cache.h"

namespace kith::platform {

runtime::Task<Result<NameCache::Addresses>> NameCache::get(std::string host, runtime::Family family,
                                                           MonoTime deadline) {
  std::shared_ptr<Flight> flight = flight_of({host, family});
  if (!flight) co_return Error(Code::limit, "looking up " + host + ": too many look-ups are waiting");
  if (!flight->until) {
    bool landed = co_await flight->landed.wait_until(loop_, deadline);
    if (!landed) co_return Error(Code::timeout, "looking up " + host + ": no answer in time");
  }
  co_return *flight->answer;
}

std::shared_ptr<NameCache::Flight> NameCache::flight_of(const Key& key) {
  auto known = flights_.find(key);
  if (known != flights_.end()) {
    if (!known->second->until || loop_.now() < *known->second->until) return known->second;
    flights_.erase(known);
  }
  auto flight = std::make_shared<Flight>();
  auto work = [flight, key, look_up = look_up_] { flight->answer.emplace(look_up(key.first, key.second)); };
  runtime::Loop* loop = &loop_;
  auto done = [flight, loop] {
    flight->until = loop->now() + (*flight->answer ? kKeepAnswer : kKeepFailure);
    flight->landed.notify_all();
  };
  if (!pool_.submit(std::move(work), loop_, std::move(done))) return nullptr;
  make_room();
  if (flights_.size() < kMaxNames) flights_[key] = flight;
  return flight;
}

void NameCache::make_room() {
  if (flights_.size() < kMaxNames) return;
  std::erase_if(flights_, [now = loop_.now()](const auto& one) {
    return one.second->until && *one.second->until <= now;
  });
}

}  // namespace kith::platform
