// DNS questions on real loopback sockets, to a server that says what a server should not.
#include <gtest/gtest.h>

#include <atomic>

#include "dns_server.h"
#include "platform/runtime.h"
#include "runtime/dns.h"
#include "runtime/scope.h"
#include "runtime/sync.h"

namespace kith::platform {
namespace {

using runtime::Ports;
using runtime::ServiceRecord;
using runtime::Task;
using Services = Result<std::vector<ServiceRecord>>;
using Addresses = Result<std::vector<std::vector<IpAddress>>>;

const std::string kName = "_kith._tcp.example.test";

template <class T>
T on_a_loop(const std::function<Task<T>(Ports&, runtime::Dns&)>& make) {
  Runtime runtime(0);
  runtime::Scope scope;
  auto dns = runtime.control().dns();
  std::optional<T> out;
  struct Body {
    static Task<void> run(const std::function<Task<T>(Ports&, runtime::Dns&)>& body, Runtime& r,
                          runtime::Dns& dns, std::optional<T>& result) {
      result.emplace(co_await body(r.control_ports(), dns));
      r.stop();
    }
  };
  runtime.control().post([&] { scope.spawn(Body::run(make, runtime, *dns, out)); });
  runtime.control().run();
  return std::move(*out);
}

Services ask(const DnsServer& server, Duration patience = 10s, const std::string& name = kName) {
  return on_a_loop<Services>([&](Ports& ports, runtime::Dns& dns) {
    return dns.services(name, {{server.at()}, ports.loop.now() + patience, {}});
  });
}

Addresses ask_hosts(const DnsServer& server, const std::vector<std::string>& hosts) {
  return on_a_loop<Addresses>([&](Ports& ports, runtime::Dns& dns) {
    return dns.addresses(hosts, {{server.at()}, ports.loop.now() + 10s, {}});
  });
}

Bytes answer_of(ByteView query, const std::vector<Bytes>& records, unsigned flags = kDnsOk) {
  DnsMessage out = dns_answer(query, flags, static_cast<unsigned>(records.size()));
  for (const Bytes& record : records) append(out.bytes, record);
  return out.bytes;
}

TEST(Dns, ReadsTheRecordsOfAService) {
  DnsServer server([](ByteView query, bool) -> std::vector<Bytes> {
    EXPECT_EQ(dns_question(query), kName + "/33");
    return {answer_of(
        query, {dns_srv(kName, 1, 5, 9450, "a.example.test"), dns_srv(kName, 2, 0, 9460, "b.example.test")})};
  });
  for (const std::string& name : {kName, kName + "."}) {
    auto records = ask(server, 10s, name);
    ASSERT_TRUE(records) << records.error().message();
    EXPECT_EQ(*records,
              (std::vector<ServiceRecord>{{"a.example.test", 9450, 1, 5}, {"b.example.test", 9460, 2, 0}}));
  }
}

TEST(Dns, AsksAgainOverTcpWhenTheAnswerIsTruncated) {
  std::atomic<int> over_tcp{0};
  DnsServer server([&](ByteView query, bool tcp) -> std::vector<Bytes> {
    if (!tcp) return {answer_of(query, {}, kDnsTruncated)};
    ++over_tcp;
    std::vector<Bytes> records;
    for (int i = 0; i < 1000; ++i)
      records.push_back(dns_srv(kName, 0, 0, 9450, "n" + std::to_string(i) + ".test"));
    return {answer_of(query, records)};
  });
  auto records = ask(server);
  ASSERT_TRUE(records) << records.error().message();
  EXPECT_EQ(records->size(), 1000u);
  EXPECT_EQ(over_tcp, 1);
}

TEST(Dns, ATruncatedAnswerWithNobodyOnTheTcpPortIsAFailureNotHalfAnAnswer) {
  DnsServer server(
      [&](ByteView query, bool) -> std::vector<Bytes> {
        return {answer_of(query, {dns_srv(kName, 0, 0, 9450, "a.test")}, kDnsTruncated)};
      },
      false);
  EXPECT_FALSE(ask(server));
}

TEST(Dns, TellsAnswersThatNobodyIsThereFromFailures) {
  std::atomic<unsigned> flags{kDnsNoName};
  DnsServer server([&](ByteView query, bool) -> std::vector<Bytes> { return {answer_of(query, {}, flags)}; });
  auto code_with = [&](unsigned value) {
    flags = value;
    auto records = ask(server);
    return records ? Code::internal : records.error().code();
  };
  EXPECT_EQ(code_with(kDnsNoName), Code::not_found);
  EXPECT_EQ(code_with(kDnsOk), Code::not_found);  // the name exists, with other records
  EXPECT_EQ(code_with(kDnsServerFailure), Code::unavailable);
  EXPECT_EQ(code_with(kDnsRefused), Code::unavailable);
}

TEST(Dns, AServerThatIsSilentCostsAsLongAsItIsGiven) {
  DnsServer server([](ByteView, bool) -> std::vector<Bytes> { return {}; });
  auto records = ask(server, 200ms);
  ASSERT_FALSE(records);
  EXPECT_EQ(records.error().code(), Code::timeout);
}

TEST(Dns, ALostDatagramIsSentAgain) {
  std::atomic<int> asked{0};
  DnsServer server([&](ByteView query, bool) -> std::vector<Bytes> {
    if (++asked == 1) return {};
    return {answer_of(query, {dns_srv(kName, 0, 0, 9450, "a.test")})};
  });
  EXPECT_TRUE(ask(server));
  EXPECT_EQ(asked, 2);
}

TEST(Dns, AStopRequestEndsALookup) {
  DnsServer server([](ByteView, bool) -> std::vector<Bytes> { return {}; });
  std::stop_source stop;
  auto records = on_a_loop<Services>([&](Ports& ports, runtime::Dns& dns) {
    ports.loop.post([&stop] { stop.request_stop(); });
    return dns.services(kName, {{server.at()}, kNever, stop.get_token()});
  });
  ASSERT_FALSE(records);
  EXPECT_EQ(records.error().code(), Code::cancelled);
}

TEST(Dns, AnswersToOtherQuestionsAreNotTaken) {
  DnsServer server([](ByteView query, bool) -> std::vector<Bytes> {
    Bytes lie = answer_of(query, {dns_srv(kName, 0, 0, 666, "evil.test")});
    Bytes wrong_id = lie;
    wrong_id[0] ^= 0x5a;
    Bytes wrong_name = lie;
    wrong_name[14] ^= 0x03;
    return {wrong_id, wrong_name, answer_of(query, {dns_srv(kName, 0, 0, 9450, "a.test")})};
  });
  auto records = ask(server);
  ASSERT_TRUE(records) << records.error().message();
  EXPECT_EQ(records->front().target, "a.test");
}

TEST(Dns, AnAnswerThatCannotBeReadIsAFailure) {
  // A target that is a pointer to itself; a record that promises more bytes than there are; a count of
  // records that are not there; bytes without meaning.
  std::atomic<int> kind{0};
  DnsServer server([&](ByteView query, bool) -> std::vector<Bytes> {
    DnsMessage out = dns_answer(query, kDnsOk, kind == 2 ? 60000 : 1);
    if (kind == 0) {
      out.name(kName).u16(33).u16(1).u32(30).u16(8).u16(0).u16(0).u16(9450);
      out.u16(0xc000 | static_cast<unsigned>(out.bytes.size()));
    } else if (kind == 1) {
      out.name(kName).u16(33).u16(1).u32(30).u16(5000).u16(0).u16(0).u16(9450).name("a.test");
    } else if (kind == 3) {
      for (unsigned i = 0; i < 400; ++i) out.u8(i * 37 + 11);
    }
    return {out.bytes};
  });
  for (int i = 0; i < 4; ++i) {
    kind = i;
    auto records = ask(server, 10s);
    ASSERT_FALSE(records) << i;
    EXPECT_EQ(records.error().code(), Code::protocol) << i << " " << records.error().message();
  }
}

TEST(Dns, GarbageOfEveryLengthHarmsNobody) {
  std::atomic<unsigned> seed{1};
  DnsServer server([&](ByteView query, bool) -> std::vector<Bytes> {
    std::vector<Bytes> out;
    for (size_t size = 0; size < 300; size += 7) {
      Bytes noise(query.begin(), query.begin() + static_cast<long>(std::min(size, query.size())));
      while (noise.size() < size)
        noise.push_back(static_cast<uint8_t>((seed = seed * 1103515245 + 12345) >> 16));
      if (noise.size() > 3) noise[2] = 0x81, noise[3] = 0x80;
      out.push_back(noise);
    }
    return out;
  });
  auto records = ask(server, 1s);
  EXPECT_FALSE(records && !records->empty() && records->front().target == "a.test");
}

TEST(Dns, FindsTheAddressesOfEachHostOfBothFamiliesAndThroughAliases) {
  DnsServer server([](ByteView query, bool) -> std::vector<Bytes> {
    std::string question = dns_question(query);
    Bytes v6(16, 0);
    v6[0] = 0x20, v6[1] = 0x01, v6[2] = 0x0d, v6[3] = 0xb8, v6[15] = 7;
    DnsMessage alias;
    alias.name("real.test");
    if (question == "both.test/1") return {answer_of(query, {dns_record("both.test", 1, {192, 0, 2, 1})})};
    if (question == "both.test/28") return {answer_of(query, {dns_record("both.test", 28, v6)})};
    if (question == "six.test/28") return {answer_of(query, {dns_record("six.test", 28, v6)})};
    if (question == "alias.test/1")
      return {answer_of(
          query, {dns_record("alias.test", 5, alias.bytes), dns_record("real.test", 1, {192, 0, 2, 9})})};
    return {answer_of(query, {}, kDnsNoName)};
  });
  auto found = ask_hosts(server, {"both.test", "none.test", "six.test", "alias.test"});
  ASSERT_TRUE(found) << found.error().message();
  IpAddress six = *IpAddress::parse("2001:db8::7");
  EXPECT_EQ((*found)[0], (std::vector<IpAddress>{IpAddress::v4(192, 0, 2, 1), six}));
  EXPECT_TRUE((*found)[1].empty());
  EXPECT_EQ((*found)[2], std::vector<IpAddress>{six});
  EXPECT_EQ((*found)[3], (std::vector<IpAddress>{IpAddress::v4(192, 0, 2, 9)}));
}

TEST(Dns, HostsWithoutAnyAnswerAreAFailure) {
  DnsServer server(
      [](ByteView query, bool) -> std::vector<Bytes> { return {answer_of(query, {}, kDnsServerFailure)}; });
  EXPECT_FALSE(ask_hosts(server, {"a.test", "b.test"}));
  auto none = ask_hosts(server, {});
  EXPECT_TRUE(none && none->empty());
}

TEST(Dns, ANameThatIsNoneIsRefusedUnasked) {
  DnsServer server([](ByteView, bool) -> std::vector<Bytes> {
    ADD_FAILURE();
    return {};
  });
  auto records = ask(server, 5s, "a..b");
  ASSERT_FALSE(records);
  EXPECT_EQ(records.error().code(), Code::invalid);
}

}  // namespace
}  // namespace kith::platform
