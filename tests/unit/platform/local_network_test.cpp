// Unix sockets as a network: who may connect, what is left behind, what is said when nobody is there.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "on_a_loop.h"

namespace kith::platform {
namespace {

using runtime::Task;

struct Place {
  Place() {
    char name[] = "/tmp/kith-local-XXXXXX";
    folder = ::mkdtemp(name);
    path = folder + "/door.sock";
  }
  ~Place() { std::filesystem::remove_all(folder); }
  std::string folder, path;
};

Task<void> exchange(std::string path, IoLoop& loop) {
  auto network = loop.local_network(path);
  auto listener = network->listen({});
  EXPECT_TRUE(listener);
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  auto client = co_await network->connect({}, kNever);
  auto server = co_await (*listener)->accept();
  EXPECT_TRUE(client && server);
  Bytes word = to_bytes("hello");
  (void)co_await (*client)->write_all(word, kNever);
  Bytes buffer(64);
  auto n = co_await (*server)->read(buffer, kNever);
  buffer.resize(n ? *n : 0);
  EXPECT_EQ(buffer, word);
  (*listener)->close();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(LocalNetwork, bytes_go_through_a_socket_that_only_its_owner_may_open_and_that_goes_with_its_listener) {
  Place place;
  run_on_a_loop([&](runtime::Ports&, IoLoop& loop) { return exchange(place.path, loop); });
}

Task<void> claims(std::string path, IoLoop& loop) {
  auto network = loop.local_network(path);
  auto nobody = co_await network->connect({}, kNever);
  EXPECT_EQ(nobody.error().code(), Code::not_found);
  auto first = network->listen({});
  EXPECT_TRUE(first);
  auto second = network->listen({});
  EXPECT_EQ(second.error().code(), Code::conflict);
  EXPECT_NE(second.error().message().find("another process serves"), std::string::npos);
  // As after a crash: the file is there, nobody serves it.
  std::string aside = path + ".aside";
  EXPECT_EQ(::rename(path.c_str(), aside.c_str()), 0);
  (*first)->close();
  EXPECT_EQ(::rename(aside.c_str(), path.c_str()), 0);
  auto dead = co_await network->connect({}, kNever);
  EXPECT_EQ(dead.error().code(), Code::refused);
  auto again = network->listen({});
  EXPECT_TRUE(again);
}

TEST(LocalNetwork, a_socket_that_is_served_is_not_taken_over_and_one_that_was_left_behind_is) {
  Place place;
  run_on_a_loop([&](runtime::Ports&, IoLoop& loop) { return claims(place.path, loop); });
}

Task<void> too_long(IoLoop& loop) {
  auto network = loop.local_network(std::string(200, 'x'));
  auto listener = network->listen({});
  EXPECT_EQ(listener.error().code(), Code::invalid);
  EXPECT_NE(listener.error().message().find("1 to 107 bytes"), std::string::npos);
  co_return;
}

TEST(LocalNetwork, a_path_that_the_kernel_cannot_hold_is_refused_with_its_limit) {
  run_on_a_loop([](runtime::Ports&, IoLoop& loop) { return too_long(loop); });
}

}  // namespace
}  // namespace kith::platform
