#include "cluster/discovery.h"

#include <algorithm>
#include <cmath>

#include "base/codec.h"
#include "runtime/scope.h"
#include "runtime/sync.h"

namespace kith::cluster {
namespace {

using runtime::ServiceRecord;

constexpr Duration kPatience = 5s;  // with one poll
constexpr Duration kFirstRetry = 500ms;
constexpr Duration kAlone = 5s;  // the longest pause while we know nobody
constexpr size_t kMaxShown = 8;  // addresses in one line of the log

// Not a node: nobody's address, or everybody's.
bool can_be_dialled(const IpAddress& address) {
  if (address.is_unspecified()) return false;
  return address.is_v4() ? address.bytes[12] < 224 && address.bytes[12] != 0 : address.bytes[0] != 0xff;
}

std::string listed(const std::set<Multiaddr>& addresses, const std::set<Multiaddr>& without) {
  std::string out;
  size_t count = 0;
  for (const Multiaddr& address : addresses) {
    if (without.contains(address)) continue;
    if (++count <= kMaxShown) out += (out.empty() ? "" : " ") + address.text();
  }
  if (count > kMaxShown) out += " and " + std::to_string(count - kMaxShown) + " more";
  return out;
}

}  // namespace

ChosenServices choose_services(std::vector<ServiceRecord> records, std::mt19937_64& random) {
  ChosenServices out;
  size_t all = records.size();
  std::erase_if(records, [](ServiceRecord& record) {
    if (record.target.ends_with('.')) record.target.pop_back();
    return record.port == 0 || !is_host_name(record.target);
  });
  out.refused = all - records.size();
  // A key of weight and chance gives RFC 2782's order: u^(1/w) (Efraimidis and Spirakis), with 0 as a little.
  struct Ranked {
    ServiceRecord record;
    double chance;
  };
  std::vector<Ranked> ranked;
  std::set<std::pair<std::string, uint16_t>> seen;
  for (ServiceRecord& record : records) {
    if (!seen.emplace(record.target, record.port).second) continue;
    double u = (static_cast<double>(random() >> 11) + 1) / 9007199254740993.0;
    double weight = record.weight == 0 ? 0.01 : record.weight;
    ranked.push_back({std::move(record), std::log(u) / weight});
  }
  std::sort(ranked.begin(), ranked.end(), [](const Ranked& a, const Ranked& b) {
    if (a.record.priority != b.record.priority) return a.record.priority < b.record.priority;
    return a.chance > b.chance;
  });
  if (ranked.size() > kMaxServiceTargets) {
    out.cut = ranked.size() - kMaxServiceTargets;
    ranked.erase(ranked.begin() + kMaxServiceTargets, ranked.end());
  }
  for (Ranked& one : ranked) out.records.push_back(std::move(one.record));
  return out;
}

Discovery::Discovery(SrvConfig config, runtime::Ports& ports, runtime::Dns& dns, Owner& owner, Log log)
    : config_(std::move(config)), ports_(ports), dns_(dns), owner_(owner), log_(std::move(log)) {
  uint8_t seed[8];
  ports_.entropy.fill(seed);
  random_.seed(Reader(seed).u64());
  for (const std::string& name : config_.names) names_.emplace_back(name);
}

runtime::Task<void> Discovery::run(std::stop_token stop) {
  for (;;) {
    bool answered = co_await poll(stop);
    if (stop.stop_requested()) co_return;
    bool go_on = co_await runtime::sleep(ports_.loop, pause(answered), stop);
    if (!go_on) co_return;
  }
}

// As configured. Sooner while nobody answers, and while we are alone: then each poll may be the one that
// brings us together. 10 % of chance keep many nodes from asking in step.
Duration Discovery::pause(bool answered) {
  Duration pause = config_.poll_interval;
  failures_ = answered ? 0 : failures_ + 1;
  if (failures_ > 0 && failures_ < 16) pause = std::min(pause, kFirstRetry * (1 << (failures_ - 1)));
  if (owner_.alone()) pause = std::min(pause, kAlone);
  return pause / 100 * static_cast<int64_t>(90 + random_() % 21);
}

// Whether each name had an answer.
runtime::Task<bool> Discovery::poll(std::stop_token stop) {
  MonoTime deadline = ports_.loop.now() + kPatience;
  auto servers_found = co_await servers(deadline);
  if (!servers_found) {
    for (Name& name : names_) failed(name, servers_found.error());
    co_return false;
  }
  runtime::DnsOptions options{std::move(*servers_found), deadline, stop};
  runtime::Scope scope;
  for (Name& name : names_) scope.spawn(ask(name, options));
  co_await scope.close();
  if (stop.stop_requested()) co_return false;
  bool ever = std::all_of(names_.begin(), names_.end(), [](const Name& name) { return name.answered; });
  if (ever && !std::exchange(all_answered_, true)) owner_.first_answers();
  co_return std::none_of(names_.begin(), names_.end(), [](const Name& name) { return name.failing; });
}

runtime::Task<Result<std::vector<Endpoint>>> Discovery::servers(MonoTime deadline) {
  std::vector<Endpoint> out;
  if (config_.dns_host.empty()) co_return out;
  auto found = co_await ports_.resolver.resolve(config_.dns_host, runtime::Family::any, deadline);
  if (!found) co_return std::move(found).error();
  for (const IpAddress& address : *found) out.push_back({address, config_.dns_port});
  co_return out;
}

runtime::Task<void> Discovery::ask(Name& name, runtime::DnsOptions options) {
  auto records = co_await dns_.services(name.name, options);
  if (options.stop.stop_requested()) co_return;
  if (!records && records.error().code() != Code::not_found) {
    failed(name, records.error());
    co_return;
  }
  ChosenServices chosen;
  if (records) chosen = choose_services(std::move(*records), random_);
  std::vector<std::string> hosts;
  for (const ServiceRecord& record : chosen.records) hosts.push_back(record.target);
  auto found = co_await dns_.addresses(hosts, options);
  if (options.stop.stop_requested()) co_return;
  if (!found) {
    failed(name, found.error());
    co_return;
  }
  take(name, chosen, *found);
}

void Discovery::take(Name& name, const ChosenServices& chosen,
                     const std::vector<std::vector<IpAddress>>& found) {
  std::set<Multiaddr> addresses;
  size_t lost = 0;
  std::vector<Multiaddr> in_order;
  for (size_t i = 0; i < chosen.records.size() && i < found.size(); ++i) {
    size_t before = in_order.size();
    for (const IpAddress& ip : found[i]) {
      if (!can_be_dialled(ip)) continue;
      in_order.push_back(Multiaddr::from({ip, chosen.records[i].port}));
    }
    if (in_order.size() == before) ++lost;
  }
  addresses.insert(in_order.begin(), in_order.end());
  std::string notes;
  auto note = [&](size_t count, const char* what) {
    if (count > 0) notes += (notes.empty() ? "" : ", ") + std::to_string(count) + " " + what;
  };
  note(chosen.refused, "without a usable target or port");
  note(lost, "whose target has no address");
  note(chosen.cut, "beyond the limit of 64");
  tell(name, std::move(addresses), std::move(notes));
  for (const Multiaddr& address : in_order) owner_.found(address);
}

void Discovery::tell(Name& name, std::set<Multiaddr> now, std::string notes) {
  bool recovered = std::exchange(name.failing, false);
  bool first = !std::exchange(name.answered, true);
  // What is beyond the limit changes with every poll, and is no news.
  bool cut = notes.find("beyond") != std::string::npos;
  if (first || recovered || (now != name.addresses && !cut)) {
    log_.info("DNS names addresses of members", {{"name", name.name},
                                                 {"addresses", now.size()},
                                                 {"new", listed(now, name.addresses)},
                                                 {"no_longer_named", listed(name.addresses, now)}});
  }
  if (!notes.empty() && notes != name.said)
    log_.warn("DNS records that cannot be used", {{"name", name.name}, {"records", notes}});
  name.said = std::move(notes);
  name.addresses = std::move(now);
}

void Discovery::failed(Name& name, const Error& error) {
  if (std::exchange(name.failing, true)) return;
  log_.warn("no answer from DNS; members stay as they are, and it is asked again",
            {{"name", name.name}, {"error", error.message()}});
}

}  // namespace kith::cluster
