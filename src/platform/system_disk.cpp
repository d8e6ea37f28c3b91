#include "platform/system_disk.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "platform/fd.h"
#include "platform/system.h"

namespace kith::platform {
namespace {

namespace fs = std::filesystem;

Result<void> sync_folder(const std::string& folder) {
  Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0 || ::fsync(fd.get()) != 0) return system_error(errno, "syncing " + folder);
  return {};
}

class FileReader final : public runtime::DiskReader {
 public:
  FileReader(Fd file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}
  Result<size_t> read(MutableByteView buffer) override {
    for (;;) {
      const ssize_t n = ::read(file_.get(), buffer.data(), buffer.size());
      if (n >= 0) return static_cast<size_t>(n);
      if (errno != EINTR) return system_error(errno, "reading " + path_);
    }
  }

 private:
  Fd file_;
  std::string path_;
};

class FileWriter final : public runtime::DiskWriter {
 public:
  FileWriter(Fd file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}
  Result<void> write(ByteView bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = ::write(file_.get(), bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return system_error(errno, "writing " + path_);
      bytes = bytes.subspan(static_cast<size_t>(n));
    }
    return {};
  }
  Result<void> sync() override {
    if (::fdatasync(file_.get()) != 0) return system_error(errno, "syncing " + path_);
    return {};
  }

 private:
  Fd file_;
  std::string path_;
};

class FileLock final : public runtime::DiskLock {
 public:
  explicit FileLock(Fd file) : file_(std::move(file)) {}

 private:
  Fd file_;
};

}  // namespace

Result<std::unique_ptr<runtime::DiskLock>> SystemDisk::lock(const std::string& folder) {
  std::error_code failed;
  const bool made = fs::create_directories(folder, failed);
  if (failed) return system_error(failed.value(), "making the folder " + folder);
  if (made) fs::permissions(folder, fs::perms::owner_all, failed);
  if (failed) return system_error(failed.value(), "setting the mode of " + folder);
  if (made) KITH_TRY_VOID(sync_folder(fs::path(folder).parent_path()));
  const std::string path = folder + "/lock";
  Fd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.get() < 0) return system_error(errno, "opening " + path);
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return Error(Code::conflict, "another process uses " + folder);
    return system_error(errno, "locking " + path);
  }
  return std::unique_ptr<runtime::DiskLock>(std::make_unique<FileLock>(std::move(file)));
}

Result<std::vector<std::string>> SystemDisk::list(const std::string& folder) {
  std::error_code failed;
  std::vector<std::string> names;
  fs::directory_iterator at(folder, failed);
  for (; !failed && at != fs::directory_iterator(); at.increment(failed))
    names.push_back(at->path().filename());
  if (failed) return system_error(failed.value(), "listing " + folder);
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::unique_ptr<runtime::DiskReader>> SystemDisk::open(const std::string& path) {
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return system_error(errno, "opening " + path);
  return std::unique_ptr<runtime::DiskReader>(std::make_unique<FileReader>(std::move(file), path));
}

Result<std::unique_ptr<runtime::DiskWriter>> SystemDisk::create(const std::string& path) {
  Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (file.get() < 0) return system_error(errno, "creating " + path);
  KITH_TRY_VOID(sync_folder(fs::path(path).parent_path()));
  return std::unique_ptr<runtime::DiskWriter>(std::make_unique<FileWriter>(std::move(file), path));
}

Result<void> SystemDisk::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return system_error(errno, "renaming " + from);
  return sync_folder(fs::path(to).parent_path());
}

Result<void> SystemDisk::remove(const std::string& path) {
  if (::unlink(path.c_str()) != 0) return system_error(errno, "removing " + path);
  return {};
}

}  // namespace kith::platform
