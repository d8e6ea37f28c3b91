// Unix sockets behind the network port, so that what speaks HTTP over TCP speaks it over a socket file.
// A socket is made under another name, given its mode and then renamed: there is no moment at which
// others may connect, and a socket that was left behind by a crash is replaced in one step. (unix(7))
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "platform/socket.h"
#include "platform/system.h"

namespace kith::platform {
namespace {

constexpr int kBacklog = 16;

Result<SockAddr> address_of(const std::string& path) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof un.sun_path)
    return Error(
        Code::invalid,
        "the path of a Unix socket has 1 to " + std::to_string(sizeof un.sun_path - 1) + " bytes: " + path,
        Side::config);
  std::memcpy(un.sun_path, path.data(), path.size());
  SockAddr out;
  std::memcpy(&out.storage, &un, sizeof un);
  out.size = sizeof un;
  return out;
}

Result<Fd> open_socket() {
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return system_error(errno, "opening a socket");
  return socket;
}

class LocalNetwork final : public runtime::Network {
 public:
  LocalNetwork(LoopState& loop, std::string path) : loop_(loop), path_(std::move(path)) {}

  Result<std::unique_ptr<runtime::Listener>> listen(const Endpoint&, const runtime::ListenOptions&) override {
    std::string fresh = path_ + ".new";
    KITH_TRY(SockAddr address, address_of(fresh));
    auto present = connected();
    if (present)
      return Error(Code::conflict, "listening on " + path_ + ": another process serves this socket");
    if (present.error().code() != Code::not_found && present.error().code() != Code::refused)
      return std::move(present).error();
    KITH_TRY(Fd socket, open_socket());
    ::unlink(fresh.c_str());
    bool made = ::bind(socket.get(), address.get(), address.size) == 0 &&
                ::chmod(fresh.c_str(), S_IRUSR | S_IWUSR) == 0 && ::listen(socket.get(), kBacklog) == 0 &&
                ::rename(fresh.c_str(), path_.c_str()) == 0;
    if (!made) {
      int error = errno;
      ::unlink(fresh.c_str());
      return system_error(error, "listening on " + path_);
    }
    auto take_away = [path = path_, made_as = inode()] {
      struct stat now {};
      if (::stat(path.c_str(), &now) == 0 && now.st_ino == made_as) ::unlink(path.c_str());
    };
    return std::unique_ptr<runtime::Listener>(
        std::make_unique<SocketListener>(loop_, channel_of(std::move(socket)), take_away));
  }

  // A Unix socket connects at once or not at all.
  runtime::Task<Result<std::unique_ptr<runtime::Stream>>> connect(Endpoint to, MonoTime) override {
    auto socket = connected();
    if (!socket) co_return std::move(socket).error();
    std::unique_ptr<runtime::Stream> stream =
        std::make_unique<SocketStream>(loop_, channel_of(std::move(*socket)), to);
    co_return stream;
  }

 private:
  std::unique_ptr<Channel> channel_of(Fd socket) {
    return std::make_unique<Channel>(loop_, socket.release());
  }

  Result<Fd> connected() {
    KITH_TRY(SockAddr address, address_of(path_));
    KITH_TRY(Fd socket, open_socket());
    if (::connect(socket.get(), address.get(), address.size) == 0) return socket;
    return system_error(errno, "connecting to " + path_);
  }

  ino_t inode() const {
    struct stat status {};
    return ::stat(path_.c_str(), &status) == 0 ? status.st_ino : 0;
  }

  LoopState& loop_;
  const std::string path_;
};

}  // namespace

std::unique_ptr<runtime::Network> IoLoop::local_network(std::string path) {
  return std::make_unique<LocalNetwork>(*state_, std::move(path));
}

}  // namespace kith::platform
