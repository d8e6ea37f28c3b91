// The port to files that grow: journals and snapshots. Every call but pool() blocks; at start-up that is as
// it should be, later it runs on the pool.
//
// What a writer has written survives the process; what it has synced survives the machine. A crash in between
// may leave any part of what was not synced, torn or in disorder.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "runtime/ports.h"

namespace kith::runtime {

class DiskReader {
 public:
  virtual ~DiskReader() = default;
  virtual Result<size_t> read(MutableByteView buffer) = 0;  // 0: the end
};

class DiskWriter {
 public:
  virtual ~DiskWriter() = default;
  // All of it, or an error; a part of it may then be there.
  virtual Result<void> write(ByteView bytes) = 0;
  virtual Result<void> sync() = 0;
};

// Keeps others out while it lives.
class DiskLock {
 public:
  virtual ~DiskLock() = default;
};

class Disk {
 public:
  virtual ~Disk() = default;
  // Makes the folder, mode 0700, when it is missing. Fails with conflict while somebody else holds it.
  virtual Result<std::unique_ptr<DiskLock>> lock(const std::string& folder) = 0;
  // The names of the files in it, ascending.
  virtual Result<std::vector<std::string>> list(const std::string& folder) = 0;
  virtual Result<std::unique_ptr<DiskReader>> open(const std::string& path) = 0;
  // A new file, mode 0600; one of that name is replaced.
  virtual Result<std::unique_ptr<DiskWriter>> create(const std::string& path) = 0;
  // Atomic and, with what the file holds, lasting; in one folder.
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  virtual Result<void> remove(const std::string& path) = 0;
  virtual Pool& pool() = 0;
};

}  // namespace kith::runtime
