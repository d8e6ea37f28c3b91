// What writes to Redis for bench_state.py, as the nodes of kith are written to there.
//
//   kith-bench-redis fill PORT FIRST COUNT SIZE AT_ONCE
//       SET of keys of 32 bytes, values of SIZE bytes, with a time to live; AT_ONCE in one pipeline. Says the
//       nanoseconds that it took.
//   kith-bench-redis wait PORT FIRST COUNT SIZE RATE REPLICAS REVOKE_EVERY
//       RATE a second, each on a connection that is free: SET (each REVOKE_EVERY-th: DEL of an earlier one)
//       and WAIT until REPLICAS have it. Says for each, in its order: the nanoseconds from when it was due to
//       the answer of WAIT, and 1 for DEL; a line each.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

constexpr const char* kLifeMs = "28800000";
constexpr uint64_t kRevokeAfter = 300;
constexpr size_t kConnections = 128;

int64_t now_ns() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

struct Mixer {
  uint64_t state;
  uint64_t next() {
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  std::string text(size_t size) {
    std::string out(size, '\0');
    for (size_t at = 0; at < size; at += 8) {
      const uint64_t word = next();
      std::memcpy(out.data() + at, &word, std::min<size_t>(8, size - at));
    }
    return out;
  }
};
std::string key_of(uint64_t number) { return Mixer{number}.text(32); }

void add(std::string& out, std::initializer_list<std::string_view> words) {
  out += "*" + std::to_string(words.size()) + "\r\n";
  for (std::string_view word : words) {
    out += "$" + std::to_string(word.size()) + "\r\n";
    out.append(word).append("\r\n");
  }
}
void add_set(std::string& out, uint64_t number, size_t size) {
  add(out, {"SET", key_of(number), Mixer{~number}.text(size), "PX", kLifeMs});
}

int connect_to(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int connection = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) die("connect");
  const int on = 1;
  ::setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return connection;
}
void send_all(int connection, std::string_view data) {
  while (!data.empty()) {
    const ssize_t n = ::send(connection, data.data(), data.size(), MSG_NOSIGNAL);
    if (n <= 0) die("send");
    data.remove_prefix(static_cast<size_t>(n));
  }
}
// How many replies came; those here are one line each.
size_t receive(int connection) {
  char buffer[16384];
  const ssize_t n = ::recv(connection, buffer, sizeof buffer, 0);
  if (n <= 0) die("recv");
  if (std::find(buffer, buffer + n, '-') != buffer + n) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(n), buffer);
    std::exit(1);
  }
  return static_cast<size_t>(std::count(buffer, buffer + n, '\n'));
}

int fill(uint16_t port, uint64_t first, uint64_t count, size_t size, uint64_t at_once) {
  const int connection = connect_to(port);
  const int64_t began = now_ns();
  std::string batch;
  for (uint64_t number = 0; number < count;) {
    const uint64_t last = std::min(count, number + at_once);
    size_t due = last - number;
    batch.clear();
    for (; number < last; ++number) add_set(batch, first + number, size);
    send_all(connection, batch);
    while (due > 0) due -= receive(connection);
  }
  std::printf("%lld\n", static_cast<long long>(now_ns() - began));
  return 0;
}

struct Client {
  int64_t due = 0;
  bool revokes = false;
  size_t answers = 0;  // that are missing
};

int wait(uint16_t port, uint64_t first, uint64_t count, size_t size, uint64_t rate, const char* replicas,
         uint64_t revoke_every) {
  ::prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
  std::vector<pollfd> sockets;
  std::vector<Client> clients(kConnections);
  std::vector<size_t> idle;
  for (size_t i = 0; i < kConnections; ++i) {
    sockets.push_back({connect_to(port), POLLIN, 0});
    idle.push_back(i);
  }
  std::vector<std::pair<int64_t, bool>> found;
  const int64_t start = now_ns();
  const auto due = [&](uint64_t number) {
    return start + static_cast<int64_t>(number * 1'000'000'000 / rate);
  };
  std::string request;
  for (uint64_t next = 0; found.size() < count;) {
    for (; next < count && !idle.empty() && due(next) <= now_ns(); ++next) {
      const size_t at = idle.back();
      idle.pop_back();
      clients[at] = {due(next), revoke_every > 0 && next % revoke_every == 0 && next > kRevokeAfter, 2};
      request.clear();
      if (clients[at].revokes) {
        add(request, {"DEL", key_of(first + next - kRevokeAfter + 1)});
      } else {
        add_set(request, first + next, size);
      }
      add(request, {"WAIT", replicas, "0"});
      send_all(sockets[at].fd, request);
    }
    const bool sends = next < count && !idle.empty();
    const int64_t pause = sends ? std::clamp<int64_t>(due(next) - now_ns(), 0, 1'000'000'000) : 1'000'000'000;
    const timespec timeout{pause / 1'000'000'000, pause % 1'000'000'000};
    if (::ppoll(sockets.data(), sockets.size(), &timeout, nullptr) <= 0) continue;
    for (size_t at = 0; at < sockets.size(); ++at) {
      if (sockets[at].revents == 0) continue;
      clients[at].answers -= receive(sockets[at].fd);
      if (clients[at].answers > 0) continue;
      found.emplace_back(now_ns() - clients[at].due, clients[at].revokes);
      idle.push_back(at);
    }
  }
  for (const auto& [ns, revoked] : found)
    std::printf("%lld %d\n", static_cast<long long>(ns), revoked ? 1 : 0);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const auto number = [argv](int at) { return std::strtoull(argv[at], nullptr, 10); };
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "fill" && argc == 7)
    return fill(static_cast<uint16_t>(number(2)), number(3), number(4), number(5), number(6));
  if (what == "wait" && argc == 9)
    return wait(static_cast<uint16_t>(number(2)), number(3), number(4), number(5), number(6), argv[7],
                number(8));
  std::fprintf(stderr, "usage: %s fill|wait PORT FIRST COUNT SIZE ...\n", argv[0]);
  return 2;
}
