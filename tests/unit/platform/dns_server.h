// A DNS server for tests: on one thread, UDP and TCP on one loopback port, answers what a test makes up.
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "base/net.h"

namespace kith::platform {

// A message under construction (RFC 1035 section 4). Numbers are big-endian there.
struct DnsMessage {
  Bytes bytes;
  DnsMessage& u8(unsigned value);
  DnsMessage& u16(unsigned value);
  DnsMessage& u32(unsigned value);
  DnsMessage& name(const std::string& dotted);
};

// The header and the question of an answer to the query: flags as given, the counts of what follows.
DnsMessage dns_answer(ByteView query, unsigned flags, unsigned answers);
inline constexpr unsigned kDnsOk = 0x8180, kDnsTruncated = 0x8380, kDnsServerFailure = 0x8182,
                          kDnsNoName = 0x8183, kDnsRefused = 0x8185;
std::string dns_question(ByteView query);  // "name/type", type in digits
Bytes dns_record(const std::string& name, unsigned type, const Bytes& data);
Bytes dns_srv(const std::string& name, unsigned priority, unsigned weight, unsigned port,
              const std::string& target);

class DnsServer {
 public:
  // All answers to a query, in order; called on the server's thread.
  using Answer = std::function<std::vector<Bytes>(ByteView query, bool tcp)>;
  explicit DnsServer(Answer answer, bool with_tcp = true);
  ~DnsServer();
  Endpoint at() const { return at_; }

 private:
  void serve();
  void serve_udp();
  void serve_tcp();

  Answer answer_;
  Endpoint at_;
  int udp_ = -1, tcp_ = -1;
  int stop_[2] = {-1, -1};
  std::thread thread_;
};

}  // namespace kith::platform
