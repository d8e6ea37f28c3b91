#include "dns_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"

namespace kith::platform {

DnsMessage& DnsMessage::u8(unsigned value) {
  bytes.push_back(static_cast<uint8_t>(value));
  return *this;
}
DnsMessage& DnsMessage::u16(unsigned value) { return u8(value >> 8).u8(value & 0xff); }
DnsMessage& DnsMessage::u32(unsigned value) { return u16(value >> 16).u16(value & 0xffff); }
DnsMessage& DnsMessage::name(const std::string& dotted) {
  for (size_t at = 0; at < dotted.size();) {
    size_t dot = std::min(dotted.find('.', at), dotted.size());
    u8(static_cast<unsigned>(dot - at));
    append(bytes, as_bytes(std::string_view(dotted).substr(at, dot - at)));
    at = dot + 1;
  }
  return u8(0);
}

namespace {
size_t end_of_question(ByteView query) {
  size_t at = 12;
  while (at < query.size() && query[at] != 0) at += query[at] + 1U;
  return at + 5;
}
}  // namespace

DnsMessage dns_answer(ByteView query, unsigned flags, unsigned answers) {
  DnsMessage out;
  append(out.bytes, query.first(2));
  out.u16(flags).u16(1).u16(answers).u16(0).u16(0);
  append(out.bytes, query.subspan(12, end_of_question(query) - 12));
  return out;
}

std::string dns_question(ByteView query) {
  std::string out;
  size_t at = 12;
  for (; query[at] != 0; at += query[at] + 1U)
    out += (out.empty() ? "" : ".") + std::string(as_text(query.subspan(at + 1, query[at])));
  return out + "/" + std::to_string(query[at + 1] << 8 | query[at + 2]);
}

Bytes dns_record(const std::string& name, unsigned type, const Bytes& data) {
  DnsMessage out;
  out.name(name).u16(type).u16(1).u32(30).u16(static_cast<unsigned>(data.size()));
  append(out.bytes, data);
  return out.bytes;
}

Bytes dns_srv(const std::string& name, unsigned priority, unsigned weight, unsigned port,
              const std::string& target) {
  DnsMessage data;
  data.u16(priority).u16(weight).u16(port).name(target);
  return dns_record(name, 33, data.bytes);
}

DnsServer::DnsServer(Answer answer, bool with_tcp) : answer_(std::move(answer)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  // The UDP port of the kernel's choice may be taken for TCP: then another one.
  for (int tries = 0; tries < 100; ++tries) {
    tcp_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    udp_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    address.sin_port = 0;
    if (::bind(tcp_, raw, size) == 0 && ::getsockname(tcp_, raw, &size) == 0 && ::bind(udp_, raw, size) == 0)
      break;
    ::close(tcp_);
    ::close(udp_);
    udp_ = -1;
  }
  KITH_CHECK(udp_ >= 0);
  if (with_tcp) KITH_CHECK(::listen(tcp_, 16) == 0);  // else a connection there is refused
  at_ = {IpAddress::v4(127, 0, 0, 1), ntohs(address.sin_port)};
  KITH_CHECK(::pipe(stop_) == 0);
  thread_ = std::thread([this] { serve(); });
}

DnsServer::~DnsServer() {
  ::close(stop_[1]);
  thread_.join();
  for (int fd : {udp_, tcp_, stop_[0]}) ::close(fd);
}

void DnsServer::serve() {
  for (;;) {
    pollfd fds[3] = {{stop_[0], POLLIN, 0}, {udp_, POLLIN, 0}, {tcp_, POLLIN, 0}};
    if (::poll(fds, 3, -1) < 0 || fds[0].revents != 0) return;
    if ((fds[1].revents & POLLIN) != 0) serve_udp();
    if ((fds[2].revents & POLLIN) != 0) serve_tcp();
  }
}

void DnsServer::serve_udp() {
  uint8_t query[2048];
  sockaddr_in from{};
  socklen_t size = sizeof from;
  auto* raw = reinterpret_cast<sockaddr*>(&from);
  ssize_t n = ::recvfrom(udp_, query, sizeof query, 0, raw, &size);
  if (n < 12) return;
  for (const Bytes& reply : answer_(ByteView(query, static_cast<size_t>(n)), false))
    (void)::sendto(udp_, reply.data(), reply.size(), 0, raw, size);
}

void DnsServer::serve_tcp() {
  int fd = ::accept(tcp_, nullptr, nullptr);
  if (fd < 0) return;
  uint8_t head[2];
  if (::recv(fd, head, 2, MSG_WAITALL) == 2) {
    Bytes query(static_cast<size_t>(head[0] << 8 | head[1]));
    if (::recv(fd, query.data(), query.size(), MSG_WAITALL) == static_cast<ssize_t>(query.size())) {
      for (const Bytes& reply : answer_(query, true)) {
        DnsMessage framed;
        framed.u16(static_cast<unsigned>(reply.size()));
        append(framed.bytes, reply);
        (void)::send(fd, framed.bytes.data(), framed.bytes.size(), MSG_NOSIGNAL);
      }
    }
  }
  ::close(fd);
}

}  // namespace kith::platform
