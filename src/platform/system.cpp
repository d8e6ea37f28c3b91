#include "platform/system.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "base/check.h"
#include "platform/fd.h"

namespace kith::platform {
namespace {

Result<void> write_new_file(const std::string& path, std::string_view content, uint32_t mode) {
  Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
  if (file.get() < 0) return system_error(errno, "creating " + path);
  auto failed = [&](const char* doing) {
    int error = errno;
    ::unlink(path.c_str());
    return system_error(error, std::string(doing) + " " + path);
  };
  if (::fchmod(file.get(), mode) != 0) return failed("setting the mode of");
  while (!content.empty()) {
    ssize_t n = ::write(file.get(), content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("writing");
    content.remove_prefix(static_cast<size_t>(n));
  }
  if (::fsync(file.get()) != 0) return failed("syncing");
  return {};
}

void sync_directory_of(const std::string& path) {
  std::string directory = std::filesystem::path(path).parent_path().string();
  Fd fd(::open(directory.empty() ? "." : directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() >= 0) ::fsync(fd.get());
}

}  // namespace

Error system_error(int error, std::string_view doing) {
  Code code = error == ENOENT                                                             ? Code::not_found
              : error == EEXIST || error == EADDRINUSE                                    ? Code::conflict
              : error == ECONNREFUSED                                                     ? Code::refused
              : error == ECONNRESET || error == EPIPE                                     ? Code::reset
              : error == ETIMEDOUT                                                        ? Code::timeout
              : error == ENETUNREACH || error == EHOSTUNREACH || error == EADDRNOTAVAIL   ? Code::unreachable
              : error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS ? Code::limit
                                                                                          : Code::io;
  return Error(code, std::string(doing) + ": " + std::generic_category().message(error));
}

namespace {

void fill_from_system(MutableByteView out) {
  while (!out.empty()) {
    ssize_t n = ::getrandom(out.data(), out.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    KITH_CHECK(n > 0);
    out = out.subspan(static_cast<size_t>(n));
  }
}

// One system call for many ids. A byte is wiped when it is handed out.
struct RandomStock {
  static constexpr size_t kSize = 1024;
  std::array<uint8_t, kSize> bytes;
  size_t used = kSize;
};
thread_local RandomStock stock;

}  // namespace

void SystemEntropy::fill(MutableByteView out) {
  if (out.size() > RandomStock::kSize / 8) return fill_from_system(out);
  if (out.size() > RandomStock::kSize - stock.used) {
    fill_from_system(stock.bytes);
    stock.used = 0;
  }
  uint8_t* from = stock.bytes.data() + stock.used;
  std::memcpy(out.data(), from, out.size());
  std::memset(from, 0, out.size());
  stock.used += out.size();
}

Result<std::string> SystemFiles::read(const std::string& path, size_t max_bytes) {
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return system_error(errno, "opening " + path);
  std::string content;
  char buffer[16384];
  for (;;) {
    ssize_t n = ::read(file.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_error(errno, "reading " + path);
    if (n == 0) return content;
    if (content.size() + static_cast<size_t>(n) > max_bytes)
      return Error(Code::limit, path + " is larger than " + std::to_string(max_bytes) + " bytes");
    content.append(buffer, static_cast<size_t>(n));
  }
}

Result<void> SystemFiles::write(const std::string& path, std::string_view content, uint32_t mode) {
  uint8_t random[8];
  SystemEntropy().fill(random);
  std::string temporary = path + "." + hex(random) + ".tmp";
  KITH_TRY_VOID(write_new_file(temporary, content, mode));
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    int error = errno;
    ::unlink(temporary.c_str());
    return system_error(error, "replacing " + path);
  }
  sync_directory_of(path);
  return {};
}

Result<void> SystemFiles::create(const std::string& path, std::string_view content, uint32_t mode) {
  KITH_TRY_VOID(write_new_file(path, content, mode));
  sync_directory_of(path);
  return {};
}

bool SystemFiles::exists(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0;
}

}  // namespace kith::platform
