// The operating system's randomness and files.
#pragma once

#include "runtime/ports.h"

namespace kith::platform {

class SystemEntropy final : public runtime::Entropy {
 public:
  void fill(MutableByteView out) override;  // getrandom(2); cannot fail once the machine is up
};

class SystemFiles final : public runtime::Files {
 public:
  Result<std::string> read(const std::string& path, size_t max_bytes) override;
  Result<void> write(const std::string& path, std::string_view content, uint32_t mode) override;
  Result<void> create(const std::string& path, std::string_view content, uint32_t mode) override;
  bool exists(const std::string& path) override;
};

// The errno text as an Error of the fitting code: "reading /a/b: Permission denied".
Error system_error(int error, std::string_view doing);

}  // namespace kith::platform
