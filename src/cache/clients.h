// Who is connected to a cache's endpoint, on all loops of this node: for CLIENT LIST and INFO.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/time.h"

namespace kith::cache {

// Written by its connection, read by any.
class ClientCard {
 public:
  struct Text {
    std::string name, lib_name, lib_version;
    int database = 0, protocol = 2;
    size_t channels = 0, patterns = 0;
  };

  ClientCard(uint64_t number, std::string from, std::string to, MonoTime now)
      : id(number), address(std::move(from)), local(std::move(to)), since(now), last(now) {}

  const uint64_t id;
  const std::string address, local;
  const MonoTime since;
  std::atomic<MonoTime> last;
  std::atomic<const char*> command{""};  // a literal
  std::atomic<int> queued{-1};           // commands of a MULTI; -1: none was begun
  void set(Text text) {
    std::lock_guard lock(mutex_);
    text_ = std::move(text);
  }
  // A line as Redis writes it, with its end.
  std::string line(MonoTime now) const;
  bool subscribes() const {
    std::lock_guard lock(mutex_);
    return text_.channels + text_.patterns > 0;
  }

 private:
  mutable std::mutex mutex_;
  Text text_;
};

class Clients {
 public:
  std::shared_ptr<ClientCard> add(std::string address, std::string local, MonoTime now);
  void remove(uint64_t id);
  std::vector<std::shared_ptr<const ClientCard>> all() const;  // by id
  size_t size() const;

  std::atomic<uint64_t> connections{0}, rejected{0}, commands{0}, wrong_passwords{0};

 private:
  mutable std::mutex mutex_;
  std::map<uint64_t, std::shared_ptr<ClientCard>> cards_;
  uint64_t next_ = 1;
};

}  // namespace kith::cache
