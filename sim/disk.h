// The disk of a simulated host (runtime/disk.h): files that outlive processes, and what goes wrong with them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/bytes.h"

namespace kith::sim {

struct DiskState {
  struct File {
    Bytes written;
    size_t synced = 0;  // of it, what a power cut leaves as it is
  };
  std::map<std::string, std::shared_ptr<File>> files;
  std::map<std::string, const void*> locks;  // folders, and the process that holds each
  bool gone = false;                         // it cannot even be found
  bool failing = false;                      // nothing can be written
  size_t room = SIZE_MAX;                    // bytes, until it is full

  size_t used() const;
  // What was not synced is cut somewhere, and may be torn. below(n) is random, from 0 to n - 1.
  void lose_power(const std::function<size_t(size_t)>& below);
};

}  // namespace kith::sim
