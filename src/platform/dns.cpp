// Problem: SRV records are not to be had from getaddrinfo, and a DNS client has to cope with lost and forged
// datagrams, truncation, TCP, several servers and hostile encodings. Idea: c-ares does all of that over
// sockets of its own; it says what it wants of them, and the loop does the watching. One c-ares channel per
// lookup: /etc/resolv.conf is read anew each time, and nothing is remembered between two lookups.
// Source: RFC 1035, RFC 2782; docs/decisions/0008-dns.md.
#include "runtime/dns.h"

#include <ares.h>
#include <ares_nameser.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cstring>

#include "platform/io_loop_impl.h"
#include "platform/system.h"

namespace kith::platform {
namespace {

constexpr int kTryTimeoutMs = 700;  // of the first try; c-ares doubles it with each further one
constexpr int kTries = 3;
constexpr int kUdpPayload = 1232;        // EDNS: what passes everywhere unfragmented (DNS flag day 2020)
constexpr size_t kMaxServers = 8;        // of the given ones
constexpr int kMaxAddressesPerHost = 8;  // of each family

struct Question {
  std::string name;
  int type;
};

struct Answer {
  int status = ARES_ETIMEOUT;  // what it is when nobody answers before the deadline
  Bytes message;
};

Error error_of(int status, const std::string& name) {
  Code code = Code::unavailable;
  switch (status) {
    case ARES_ENODATA:
    case ARES_ENOTFOUND: code = Code::not_found; break;
    case ARES_EBADRESP:
    case ARES_EFORMERR: code = Code::protocol; break;
    case ARES_EBADNAME: code = Code::invalid; break;
    case ARES_ETIMEOUT: code = Code::timeout; break;
    case ARES_ECANCELLED: code = Code::cancelled; break;
    default: break;
  }
  // c-ares says "could not contact" also of servers that said no: SERVFAIL, NOTIMP, REFUSED.
  std::string why = status == ARES_ECONNREFUSED ? "no DNS server could be reached, or none could tell"
                                                : ::ares_strerror(status);
  return Error(code, "asking DNS for " + name + ": " + why);
}

// The answers to some questions. The sockets of c-ares are in an epoll of their own, which the loop watches
// as one descriptor: a socket may come and go within a call, and is never the loop's.
class Lookup {
 public:
  explicit Lookup(LoopState& loop) : loop_(loop) {}
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;
  ~Lookup() {
    if (ares_ != nullptr) ::ares_destroy(ares_);
    loop_.retire(std::move(watched_));
  }

  Result<void> open(const std::vector<Endpoint>& servers) {
    int fd = ::epoll_create1(EPOLL_CLOEXEC);
    if (fd < 0) return system_error(errno, "starting a DNS lookup");
    watched_ = std::make_unique<Channel>(loop_, fd);
    ares_options options{};
    options.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_EDNS;
    options.ednspsz = kUdpPayload;
    options.timeout = kTryTimeoutMs;
    options.tries = kTries;
    char lookups[] = "b";  // DNS only, not /etc/hosts
    options.lookups = lookups;
    options.sock_state_cb = &Lookup::on_socket;
    options.sock_state_cb_data = this;
    int mask = ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
               ARES_OPT_SOCK_STATE_CB;
    int status = ::ares_init_options(&ares_, &options, mask);
    if (status == ARES_SUCCESS && !servers.empty()) status = use(servers);
    if (status != ARES_SUCCESS)
      return Error(Code::io, std::string("starting a DNS lookup: ") + ::ares_strerror(status));
    return {};
  }

  // Until each question has ended, the deadline, or a stop request; what has no answer then says so.
  runtime::Task<std::vector<Answer>> run(std::vector<Question> questions, MonoTime deadline,
                                         std::stop_token stop) {
    answers_.resize(questions.size());
    open_questions_ = questions.size();
    std::vector<Slot> slots;
    for (size_t i = 0; i < questions.size(); ++i) slots.push_back({this, i});
    for (size_t i = 0; i < questions.size(); ++i)
      ::ares_query(ares_, questions[i].name.c_str(), ns_c_in, questions[i].type, &Lookup::on_answer,
                   &slots[i]);
    auto end = [this] { watched_->close(); };
    std::stop_callback<decltype(end)> on_stop(stop, end);
    while (open_questions_ > 0 && !watched_->closed() && loop_.now < deadline) {
      Wake wake = co_await watched_->until_readable(std::min(deadline, next_try()));
      if (wake == Wake::closed) break;
      process();
    }
    ::ares_destroy(std::exchange(ares_, nullptr));
    co_return std::move(answers_);
  }

 private:
  struct Slot {
    Lookup* lookup;
    size_t index;
  };

  int use(const std::vector<Endpoint>& servers) {
    std::vector<ares_addr_port_node> nodes(std::min(servers.size(), kMaxServers));
    for (size_t i = 0; i < nodes.size(); ++i) {
      const Endpoint& server = servers[i];
      nodes[i].next = i + 1 < nodes.size() ? &nodes[i + 1] : nullptr;
      nodes[i].family = server.address.is_v4() ? AF_INET : AF_INET6;
      nodes[i].udp_port = nodes[i].tcp_port = server.port;
      if (server.address.is_v4()) {
        std::memcpy(&nodes[i].addr.addr4, server.address.bytes.data() + 12, 4);
      } else {
        std::memcpy(&nodes[i].addr.addr6, server.address.bytes.data(), 16);
      }
    }
    return ::ares_set_servers_ports(ares_, nodes.data());
  }

  static void on_answer(void* slot, int status, int, unsigned char* message, int size) {
    auto [self, index] = *static_cast<Slot*>(slot);
    --self->open_questions_;
    if (status == ARES_EDESTRUCTION) return;  // given up: it stays as it was
    Answer& answer = self->answers_[index];
    answer.status = status;
    if (status == ARES_SUCCESS) answer.message.assign(message, message + size);
  }

  // c-ares tells what it wants of a socket of its own, and nothing at all just before it closes it.
  static void on_socket(void* data, ares_socket_t fd, int readable, int writable) {
    auto* self = static_cast<Lookup*>(data);
    if (self->watched_->closed()) return;
    epoll_event event{};
    event.events = (readable != 0 ? EPOLLIN : 0U) | (writable != 0 ? EPOLLOUT : 0U);
    event.data.fd = fd;
    int epoll = self->watched_->fd();
    int change = event.events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    if (::epoll_ctl(epoll, change, fd, &event) != 0 && errno == ENOENT && change == EPOLL_CTL_MOD)
      ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  }

  MonoTime next_try() {
    timeval most{};
    if (::ares_timeout(ares_, nullptr, &most) == nullptr) return kNever;
    return loop_.now + std::chrono::seconds(most.tv_sec) + std::chrono::microseconds(most.tv_usec);
  }

  void process() {
    watched_->readable = false;  // before looking: what comes later is a new edge
    std::array<epoll_event, 16> events;
    for (;;) {
      int count = ::epoll_wait(watched_->fd(), events.data(), static_cast<int>(events.size()), 0);
      for (int i = 0; i < count; ++i) {
        const epoll_event& event = events[static_cast<size_t>(i)];
        bool failed = (event.events & (EPOLLERR | EPOLLHUP)) != 0;
        int fd = event.data.fd;
        ::ares_process_fd(ares_, failed || (event.events & EPOLLIN) != 0 ? fd : ARES_SOCKET_BAD,
                          failed || (event.events & EPOLLOUT) != 0 ? fd : ARES_SOCKET_BAD);
      }
      if (count <= 0) break;
    }
    ::ares_process_fd(ares_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);  // what is due by time
  }

  LoopState& loop_;
  std::unique_ptr<Channel> watched_;
  ares_channel ares_ = nullptr;
  std::vector<Answer> answers_;
  size_t open_questions_ = 0;
};

runtime::Task<Result<std::vector<Answer>>> ask(LoopState& loop, std::vector<Question> questions,
                                               runtime::DnsOptions options) {
  Lookup lookup(loop);
  auto opened = lookup.open(options.servers);
  if (!opened) co_return std::move(opened).error();
  auto answers = co_await lookup.run(std::move(questions), options.deadline, options.stop);
  if (options.stop.stop_requested()) co_return Error(Code::cancelled, "asking DNS");
  co_return answers;
}

Result<std::vector<runtime::ServiceRecord>> read_services(const Answer& answer, const std::string& name) {
  if (answer.status != ARES_SUCCESS) return error_of(answer.status, name);
  ares_srv_reply* found = nullptr;
  int status = ::ares_parse_srv_reply(answer.message.data(), static_cast<int>(answer.message.size()), &found);
  if (status != ARES_SUCCESS) return error_of(status == ARES_ENODATA ? status : ARES_EBADRESP, name);
  std::vector<runtime::ServiceRecord> records;
  for (const ares_srv_reply* it = found; it != nullptr; it = it->next)
    records.push_back({it->host, it->port, it->priority, it->weight});
  ::ares_free_data(found);
  return records;
}

void read_addresses(const Answer& answer, int type, std::vector<IpAddress>& out) {
  if (answer.status != ARES_SUCCESS) return;
  int count = kMaxAddressesPerHost;
  int size = static_cast<int>(answer.message.size());
  if (type == ns_t_a) {
    ares_addrttl found[kMaxAddressesPerHost];
    if (::ares_parse_a_reply(answer.message.data(), size, nullptr, found, &count) != ARES_SUCCESS) return;
    for (int i = 0; i < count; ++i) {
      uint8_t b[4];
      std::memcpy(b, &found[i].ipaddr, 4);
      out.push_back(IpAddress::v4(b[0], b[1], b[2], b[3]));
    }
  } else {
    ares_addr6ttl found[kMaxAddressesPerHost];
    if (::ares_parse_aaaa_reply(answer.message.data(), size, nullptr, found, &count) != ARES_SUCCESS) return;
    for (int i = 0; i < count; ++i) {
      IpAddress address;
      std::memcpy(address.bytes.data(), &found[i].ip6addr, 16);
      out.push_back(address);
    }
  }
}

bool is_answer(int status) {
  return status == ARES_SUCCESS || status == ARES_ENODATA || status == ARES_ENOTFOUND;
}

class AresDns final : public runtime::Dns {
 public:
  explicit AresDns(LoopState& loop) : loop_(loop) {}

  runtime::Task<Result<std::vector<runtime::ServiceRecord>>> services(std::string name,
                                                                      runtime::DnsOptions options) override {
    std::vector<Question> questions = {{name, ns_t_srv}};
    auto answers = co_await ask(loop_, std::move(questions), std::move(options));
    if (!answers) co_return std::move(answers).error();
    co_return read_services(answers->front(), name);
  }

  runtime::Task<Result<std::vector<std::vector<IpAddress>>>> addresses(std::vector<std::string> hosts,
                                                                       runtime::DnsOptions options) override {
    std::vector<Question> questions;
    for (const std::string& host : hosts) {
      questions.push_back({host, ns_t_a});
      questions.push_back({host, ns_t_aaaa});
    }
    auto answers = co_await ask(loop_, std::move(questions), std::move(options));
    if (!answers) co_return std::move(answers).error();
    std::vector<std::vector<IpAddress>> out(hosts.size());
    bool any = hosts.empty();
    for (size_t i = 0; i < hosts.size(); ++i) {
      for (size_t half : {0, 1}) any = any || is_answer((*answers)[2 * i + half].status);
      read_addresses((*answers)[2 * i], ns_t_a, out[i]);
      read_addresses((*answers)[2 * i + 1], ns_t_aaaa, out[i]);
    }
    if (!any) co_return error_of(answers->front().status, hosts.front());
    co_return out;
  }

 private:
  LoopState& loop_;
};

}  // namespace

std::unique_ptr<runtime::Dns> IoLoop::dns() { return std::make_unique<AresDns>(*state_); }

}  // namespace kith::platform
