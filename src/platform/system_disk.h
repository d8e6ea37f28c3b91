// The operating system's disk.
#pragma once

#include "runtime/disk.h"

namespace kith::platform {

class SystemDisk final : public runtime::Disk {
 public:
  explicit SystemDisk(runtime::Pool& pool) : pool_(pool) {}
  Result<std::unique_ptr<runtime::DiskLock>> lock(const std::string& folder) override;
  Result<std::vector<std::string>> list(const std::string& folder) override;
  Result<std::unique_ptr<runtime::DiskReader>> open(const std::string& path) override;
  Result<std::unique_ptr<runtime::DiskWriter>> create(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  runtime::Pool& pool() override { return pool_; }

 private:
  runtime::Pool& pool_;
};

}  // namespace kith::platform
