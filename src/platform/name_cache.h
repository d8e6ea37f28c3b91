// Names that were looked up lately. An upstream's name is asked for by each new connection to it, and the
// system's resolver may take seconds for an answer: those who ask at the same time share one look-up, and
// its answer serves for a few seconds. Not longer, since the system does not tell an answer's lifetime.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/ports.h"
#include "runtime/sync.h"

namespace kith::platform {

class NameCache {  // one per loop
 public:
  using Addresses = std::vector<IpAddress>;
  using LookUp = Result<Addresses> (*)(const std::string& host, runtime::Family family);

  static constexpr Duration kKeepAnswer = 5s;
  static constexpr Duration kKeepFailure = 1s;
  static constexpr size_t kMaxNames = 1000;  // names come from the configuration and from peers' addresses

  // look_up runs in the pool, since it blocks. Loop and pool outlive the cache.
  NameCache(runtime::Loop& loop, runtime::Pool& pool, LookUp look_up)
      : loop_(loop), pool_(pool), look_up_(look_up) {}

  // Failures: those of look_up, timeout, and limit when too many look-ups wait. A look-up cannot be
  // interrupted: after the deadline it goes on, for the next who asks.
  runtime::Task<Result<Addresses>> get(std::string host, runtime::Family family, MonoTime deadline);

 private:
  struct Flight {
    runtime::Event landed;
    std::optional<Result<Addresses>> answer;  // written by the pool before it lands
    std::optional<MonoTime> until;            // set when it has landed
  };
  using Key = std::pair<std::string, runtime::Family>;

  // The one under way or fresh; null when none could be begun.
  std::shared_ptr<Flight> flight_of(const Key& key);
  void make_room();

  runtime::Loop& loop_;
  runtime::Pool& pool_;
  LookUp look_up_;
  std::map<Key, std::shared_ptr<Flight>> flights_;
};

}  // namespace kith::platform
