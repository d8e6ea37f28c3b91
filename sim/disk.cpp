#include "sim/disk.h"

#include <algorithm>

#include "sim/ports.h"

namespace kith::sim {

size_t DiskState::used() const {
  size_t sum = 0;
  for (const auto& [path, file] : files) sum += file->written.size();
  return sum;
}

void DiskState::lose_power(const std::function<size_t(size_t)>& below) {
  locks.clear();
  for (auto& [path, file] : files) {
    const size_t loose = file->written.size() - file->synced;
    if (loose == 0) continue;
    const size_t kept = below(loose + 1);
    file->written.resize(file->synced + kept);
    if (kept > 0 && below(2) == 0) file->written[file->synced + below(kept)] ^= 0x5a;
  }
}

namespace {

using File = DiskState::File;

Error broken(const std::string& path, const char* why) { return Error(Code::io, path + ": " + why); }

class SimReader final : public runtime::DiskReader {
 public:
  explicit SimReader(std::shared_ptr<File> file) : file_(std::move(file)) {}
  Result<size_t> read(MutableByteView buffer) override {
    const size_t n = std::min(buffer.size(), file_->written.size() - std::min(at_, file_->written.size()));
    std::copy_n(file_->written.begin() + static_cast<std::ptrdiff_t>(at_), n, buffer.begin());
    at_ += n;
    return n;
  }

 private:
  std::shared_ptr<File> file_;
  size_t at_ = 0;
};

class SimWriter final : public runtime::DiskWriter {
 public:
  SimWriter(Process& process, std::string path, std::shared_ptr<File> file)
      : process_(process), path_(std::move(path)), file_(std::move(file)) {}
  Result<void> write(ByteView bytes) override {
    DiskState& disk = process_.host().disk;
    if (process_.dead()) return broken(path_, "the process is dead");
    if (disk.failing) return broken(path_, "Input/output error");
    const size_t used = disk.used(), room = disk.room > used ? disk.room - used : 0;
    append(file_->written, bytes.first(std::min(room, bytes.size())));
    if (bytes.size() > room) return broken(path_, "No space left on device");
    return {};
  }
  Result<void> sync() override {
    if (process_.dead()) return broken(path_, "the process is dead");
    if (process_.host().disk.failing) return broken(path_, "Input/output error");
    file_->synced = file_->written.size();
    return {};
  }

 private:
  Process& process_;
  std::string path_;
  std::shared_ptr<File> file_;
};

class SimLock final : public runtime::DiskLock {
 public:
  SimLock(Process& process, std::string folder) : process_(process), folder_(std::move(folder)) {
    process_.host().disk.locks[folder_] = &process_;
  }
  ~SimLock() override {
    auto& locks = process_.host().disk.locks;
    if (auto at = locks.find(folder_); at != locks.end() && at->second == &process_) locks.erase(at);
  }

 private:
  Process& process_;
  std::string folder_;
};

}  // namespace

// A process that was killed holds nothing any more.
Result<std::unique_ptr<runtime::DiskLock>> ProcessPorts::lock(const std::string& folder) {
  auto& locks = process_.host().disk.locks;
  if (process_.host().disk.gone) return broken(folder, "No such device");
  if (auto at = locks.find(folder); at != locks.end() && !static_cast<const Process*>(at->second)->dead())
    return Error(Code::conflict, "another process uses " + folder);
  return std::unique_ptr<runtime::DiskLock>(std::make_unique<SimLock>(process_, folder));
}

Result<std::vector<std::string>> ProcessPorts::list(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& [path, file] : process_.host().disk.files)
    if (path.starts_with(folder + "/")) names.push_back(path.substr(folder.size() + 1));
  return names;
}

Result<std::unique_ptr<runtime::DiskReader>> ProcessPorts::open(const std::string& path) {
  auto at = process_.host().disk.files.find(path);
  if (at == process_.host().disk.files.end()) return Error(Code::not_found, path + ": no such file");
  return std::unique_ptr<runtime::DiskReader>(std::make_unique<SimReader>(at->second));
}

Result<std::unique_ptr<runtime::DiskWriter>> ProcessPorts::create(const std::string& path) {
  DiskState& disk = process_.host().disk;
  if (process_.dead()) return broken(path, "the process is dead");
  if (disk.failing) return broken(path, "Input/output error");
  auto file = std::make_shared<File>();
  disk.files[path] = file;
  return std::unique_ptr<runtime::DiskWriter>(std::make_unique<SimWriter>(process_, path, std::move(file)));
}

Result<void> ProcessPorts::rename(const std::string& from, const std::string& to) {
  auto& files = process_.host().disk.files;
  if (process_.dead()) return broken(from, "the process is dead");
  auto at = files.find(from);
  if (at == files.end()) return Error(Code::not_found, from + ": no such file");
  files[to] = at->second;
  files.erase(from);
  return {};
}

Result<void> ProcessPorts::remove(const std::string& path) {
  if (process_.dead()) return broken(path, "the process is dead");
  process_.host().disk.files.erase(path);
  return {};
}

}  // namespace kith::sim
