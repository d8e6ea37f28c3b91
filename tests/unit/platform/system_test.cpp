#include "platform/system.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

namespace kith::platform {
namespace {

class SystemFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/kith-files-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    directory_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  std::string path(const char* name) { return directory_ + "/" + name; }

  std::string directory_;
  SystemFiles files_;
};

TEST_F(SystemFilesTest, WritesWithTheModeAndReplacesWhole) {
  ASSERT_TRUE(files_.write(path("a"), "one", 0600));
  ASSERT_TRUE(files_.write(path("a"), "two", 0600));
  EXPECT_EQ(*files_.read(path("a"), 100), "two");
  struct stat info {};
  ASSERT_EQ(::stat(path("a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_), {}), 1);
}

TEST_F(SystemFilesTest, CreateNeverReplaces) {
  ASSERT_TRUE(files_.create(path("k"), "first", 0600));
  auto again = files_.create(path("k"), "second", 0600);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), Code::conflict);
  EXPECT_EQ(*files_.read(path("k"), 100), "first");
}

TEST_F(SystemFilesTest, ReadNamesWhatIsMissingAndStopsAtTheLimit) {
  auto missing = files_.read(path("none"), 10);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), Code::not_found);
  EXPECT_NE(missing.error().message().find("none"), std::string::npos);
  ASSERT_TRUE(files_.write(path("big"), "12345678901", 0600));
  EXPECT_EQ(files_.read(path("big"), 10).error().code(), Code::limit);
}

}  // namespace
}  // namespace kith::platform
