#include "platform/system_disk.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "platform/pool.h"

namespace kith::platform {
namespace {

namespace fs = std::filesystem;

struct SystemDiskTest : testing::Test {
  SystemDiskTest() {
    std::string name = (fs::temp_directory_path() / "kith-disk-XXXXXX").string();
    folder = ::mkdtemp(name.data());
  }
  ~SystemDiskTest() override { fs::remove_all(folder); }
  static unsigned mode_of(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 ? info.st_mode & 0777 : 0;
  }
  std::string content(const std::string& path) {
    auto file = disk.open(path);
    if (!file) return "(" + file.error().message() + ")";
    std::string out;
    Bytes buffer(3);
    for (;;) {
      auto n = (*file)->read(buffer);
      if (!n || *n == 0) return out;
      out += as_text(ByteView(buffer).first(*n));
    }
  }
  std::string folder;
  ThreadPool pool{1, 4};
  SystemDisk disk{pool};
};

TEST_F(SystemDiskTest, WritesWhatIsReadAgainAndIsItsOwnersAlone) {
  const std::string path = folder + "/file";
  {
    auto file = disk.create(path);
    ASSERT_TRUE(file) << file.error().message();
    ASSERT_TRUE((*file)->write(as_bytes("hello ")));
    ASSERT_TRUE((*file)->write(as_bytes("world")));
    ASSERT_TRUE((*file)->sync());
  }
  EXPECT_EQ(content(path), "hello world");
  EXPECT_EQ(mode_of(path), 0600u);
  ASSERT_TRUE(disk.create(path));
  EXPECT_EQ(content(path), "");
}

TEST_F(SystemDiskTest, ListsRenamesAndRemoves) {
  for (const char* name : {"b", "a", "c.new"}) ASSERT_TRUE(disk.create(folder + "/" + name));
  ASSERT_TRUE(disk.rename(folder + "/c.new", folder + "/c"));
  ASSERT_TRUE(disk.remove(folder + "/a"));
  auto names = disk.list(folder);
  ASSERT_TRUE(names);
  EXPECT_EQ(*names, (std::vector<std::string>{"b", "c"}));
  EXPECT_FALSE(disk.remove(folder + "/a"));
  EXPECT_EQ(disk.open(folder + "/a").error().code(), Code::not_found);
}

TEST_F(SystemDiskTest, AFolderIsMadeForItsOwnerAndHeldByOne) {
  const std::string inner = folder + "/deep/er";
  auto lock = disk.lock(inner);
  ASSERT_TRUE(lock) << lock.error().message();
  EXPECT_EQ(mode_of(inner), 0700u);
  auto second = disk.lock(inner);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code(), Code::conflict);
  lock->reset();
  EXPECT_TRUE(disk.lock(inner));
}

TEST_F(SystemDiskTest, ErrorsNameThePathAndTheReason) {
  std::ofstream(folder + "/file") << "x";
  auto lock = disk.lock(folder + "/file/inner");
  ASSERT_FALSE(lock);
  EXPECT_NE(lock.error().code(), Code::conflict);
  EXPECT_NE(lock.error().message().find(folder + "/file/inner"), std::string::npos) << lock.error().message();
}

}  // namespace
}  // namespace kith::platform
