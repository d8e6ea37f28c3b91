#include "cluster/link_table.h"

namespace kith::cluster {
namespace {

using mesh::Channel;
using membership::DialOutcome;

// Handshakes under way at once; each holds a TLS engine (about 50 KiB) for at most 3 s.
constexpr size_t kMaxHalfOpen = 256;
constexpr Duration kDataDialTimeout = 2s;
constexpr Duration kDataRedialMin = 50ms;
constexpr Duration kDataRedialMax = 2s;
// The same refusal by or of the same address is logged once in this time.
constexpr Duration kSayAgain = 60s;
constexpr size_t kMaxSaid = 1024;

DialOutcome outcome_of(const Error& error) {
  if (error.code() == Code::refused) return DialOutcome::refused;
  if (error.code() == Code::timeout) return DialOutcome::timeout;
  return DialOutcome::unreachable;
}

std::string_view name_of(Channel channel) {
  switch (channel) {
    case Channel::membership: return "membership";
    case Channel::urgent: return "data (urgent)";
    case Channel::bulk: return "data (bulk)";
  }
  return "?";
}

}  // namespace

LinkTable::LinkTable(runtime::Ports& ports, runtime::Scope& scope, Listeners listeners,
                     std::function<mesh::LinkConfig()> config, NodeId self, Events& events, Log log)
    : ports_(ports),
      scope_(scope),
      listeners_(std::move(listeners)),
      config_(std::move(config)),
      self_(self),
      events_(events),
      log_(std::move(log)) {}

void LinkTable::start() {
  scope_.spawn(accept_loop(*listeners_.membership, true));
  scope_.spawn(accept_loop(*listeners_.data, false));
}

void LinkTable::stop_listening() {
  listeners_.membership->close();
  listeners_.data->close();
}

Bytes LinkTable::random() {
  Bytes out(32);
  ports_.entropy.fill(out);
  return out;
}

// ---------------------------------------------------------------- inbound

runtime::Task<void> LinkTable::accept_loop(runtime::Listener& listener, bool membership) {
  for (;;) {
    auto accepted = co_await listener.accept();
    if (!accepted || scope_.stopping()) co_return;
    ++counters_.accepted;
    if (half_open_ >= kMaxHalfOpen) {
      ++counters_.half_open_limit;
      continue;  // closes it
    }
    scope_.spawn(serve_inbound(std::move(*accepted), membership));
  }
}

runtime::Task<void> LinkTable::serve_inbound(std::unique_ptr<runtime::Stream> stream, bool membership) {
  mesh::Link link = mesh::Link::accept(config_(), membership, random(), ports_.loop.now());
  LinkDriver driver(ports_.loop, std::move(stream), std::move(link), false, *this);
  co_await serve(driver);
}

// ---------------------------------------------------------------- outbound

runtime::Task<Result<std::unique_ptr<runtime::Stream>>> LinkTable::connect(Multiaddr address, MonoTime deadline) {
  runtime::Family family = address.kind == Multiaddr::Host::dns4   ? runtime::Family::v4
                           : address.kind == Multiaddr::Host::dns6 ? runtime::Family::v6
                                                                   : runtime::Family::any;
  auto addresses = co_await ports_.resolver.resolve(address.host, family, deadline);
  if (!addresses) co_return std::move(addresses).error();
  Error last(Code::unreachable, "no address for " + address.text());
  for (const IpAddress& ip : *addresses) {
    auto stream = co_await ports_.network.connect(Endpoint{ip, address.port}, deadline);
    if (stream) co_return std::move(*stream);
    last = std::move(stream).error();
  }
  co_return last;
}

void LinkTable::dial(const membership::Dial& dial, Duration timeout) {
  if (scope_.stopping()) return;
  scope_.spawn(dial_membership(dial.address, ports_.loop.now() + timeout));
}

runtime::Task<void> LinkTable::dial_membership(Multiaddr address, MonoTime deadline) {
  auto stream = co_await connect(address, deadline);
  if (scope_.stopping()) co_return;
  if (!stream) {
    events_.dial_done(address, outcome_of(stream.error()), std::nullopt);
    co_return;
  }
  mesh::Link link = mesh::Link::dial(config_(), Channel::membership, std::nullopt, random(), ports_.loop.now());
  LinkDriver driver(ports_.loop, std::move(*stream), std::move(link), true, *this);
  contexts_[&driver].dialling = address;
  runtime::Timer late = ports_.loop.call_at(deadline, [this, &driver] {
    if (driver.established()) return;
    finish_dial(driver, DialOutcome::timeout, std::nullopt);
    driver.cut();
  });
  co_await serve(driver);
}

void LinkTable::keep_data_links(const Replica& peer, const Multiaddr& data) {
  Peer& entry = peers_[peer.node];
  entry.data = data;
  if (entry.kept == peer || scope_.stopping()) return;
  entry.kept = peer;
  if (!(self_ < peer.node)) return;  // the other side dials
  scope_.spawn(keep_data_link(peer, Channel::urgent));
  scope_.spawn(keep_data_link(peer, Channel::bulk));
}

// A node that is bound to "any address" may not know yet which of its addresses we can reach: then it
// is the one that its membership link comes from.
Multiaddr LinkTable::data_address(NodeId peer) const {
  Multiaddr address = peers_.at(peer).data;
  auto ip = IpAddress::parse(address.host);
  if (!ip || !ip->is_unspecified()) return address;
  if (LinkDriver* link = find(peer, Channel::membership))
    return Multiaddr::from({link->remote().address, address.port});
  return address;
}

runtime::Task<void> LinkTable::keep_data_link(Replica peer, Channel channel) {
  Duration pause = kDataRedialMin;
  auto wanted = [this, peer] {
    auto it = peers_.find(peer.node);
    return !scope_.stopping() && it != peers_.end() && it->second.kept == peer;
  };
  while (wanted()) {
    Multiaddr address = data_address(peer.node);
    auto stream = co_await connect(address, ports_.loop.now() + kDataDialTimeout);
    if (!wanted()) break;
    if (stream) {
      mesh::Link link = mesh::Link::dial(config_(), channel, peer.node, random(), ports_.loop.now());
      LinkDriver driver(ports_.loop, std::move(*stream), std::move(link), true, *this);
      co_await serve(driver);
      if (driver.established()) pause = kDataRedialMin;
    }
    if (!wanted()) break;
    co_await runtime::sleep(ports_.loop, pause, scope_.stop_token());
    pause = std::min(pause * 2, kDataRedialMax);
  }
}

// ---------------------------------------------------------------- the life of a link

runtime::Task<void> LinkTable::serve(LinkDriver& link) {
  ++half_open_;
  co_await link.run(scope_.stop_token());
  if (!link.established()) --half_open_;
  log_end(link);
  if (!link.established()) {
    mesh::Refusal why = link.end().reason;
    finish_dial(link,
                why == mesh::Refusal::self                ? DialOutcome::self
                : why == mesh::Refusal::handshake_timeout ? DialOutcome::timeout
                : why == mesh::Refusal::none              ? DialOutcome::unreachable
                                                          : DialOutcome::rejected,
                std::nullopt);
  }
  contexts_.erase(&link);
  if (!is_current(link)) co_return;
  NodeId peer = link.peer().peer;
  Channel channel = link.peer().channel;
  auto entry = peers_.find(peer);
  entry->second.links.erase(channel);
  if (entry->second.links.empty() && !entry->second.kept) peers_.erase(entry);
  if (channel == Channel::membership) {
    events_.membership_link_down(peer, link.end().reason == mesh::Refusal::shutting_down);
  } else {
    events_.data_link_down(peer, channel);
  }
}

void LinkTable::on_established(LinkDriver& link, const mesh::Established& peer) {
  --half_open_;
  ++counters_.established;
  if (peer.channel == Channel::membership) {
    establish_membership(link, peer);
  } else {
    establish_data(link, peer);
  }
}

void LinkTable::establish_membership(LinkDriver& link, const mesh::Established& peer) {
  LinkDriver* present = find(peer.peer, Channel::membership);
  if (present != nullptr) {
    const mesh::Established& old = present->peer();
    bool same_life = old.incarnation == peer.incarnation && old.boot_nonce == peer.boot_nonce;
    if (same_life) {
      // Both sides apply one rule, so that one of two crossing links stays: the smaller NodeId's.
      bool by_smaller = link.dialled() == (self_ < peer.peer);
      if (!by_smaller || present->dialled() == link.dialled()) {
        finish_dial(link, DialOutcome::duplicate, peer.peer);
        link.refuse(mesh::Refusal::duplicate, "");
        return;
      }
    } else if (peer.incarnation < old.incarnation) {
      finish_dial(link, DialOutcome::rejected, peer.peer);
      link.refuse(mesh::Refusal::clone, "a later life of this node key is connected");
      return;
    }
    peers_[peer.peer].links.erase(Channel::membership);  // no longer current: its end is not news
    present->refuse(mesh::Refusal::duplicate, "");
  }
  peers_[peer.peer].links[Channel::membership] = &link;
  events_.membership_link_up(peer, link.local().address);
  finish_dial(link, DialOutcome::connected, peer.peer);
}

void LinkTable::establish_data(LinkDriver& link, const mesh::Established& peer) {
  if (!events_.is_member({peer.peer, peer.incarnation})) {
    link.refuse(mesh::Refusal::not_member, "");
    return;
  }
  // Only one side dials data links, so a second one means that the first is dead, and its sister too.
  if (find(peer.peer, peer.channel)) drop_data(peer.peer);
  peers_[peer.peer].links[peer.channel] = &link;
  events_.data_link_up(peer.peer, peer.channel);
}

void LinkTable::on_message(LinkDriver& link, const mesh::Message& message) {
  if (is_current(link)) events_.link_message(link.peer().peer, link.peer().channel, message);
}

void LinkTable::on_drained(LinkDriver& link) {
  if (is_current(link)) events_.link_drained(link.peer().peer, link.peer().channel);
}

void LinkTable::finish_dial(LinkDriver& link, DialOutcome outcome, std::optional<NodeId> peer) {
  auto it = contexts_.find(&link);
  if (it == contexts_.end() || !it->second.dialling) return;
  Multiaddr address = *std::exchange(it->second.dialling, std::nullopt);
  if (!scope_.stopping()) events_.dial_done(address, outcome, peer);
}

void LinkTable::log_end(const LinkDriver& link) {
  const mesh::Closed& end = link.end();
  using mesh::Refusal;
  if (end.reason == Refusal::none || end.reason == Refusal::self || end.reason == Refusal::duplicate ||
      end.reason == Refusal::shutting_down || end.reason == Refusal::not_member)
    return;
  ++(end.by_peer ? counters_.refused_by_peer : counters_.refused_by_us)[end.reason];
  auto context = contexts_.find(&link);
  events_.link_refused({context == contexts_.end() ? std::nullopt : context->second.dialling,
                        link.remote().address, end.reason, end.by_peer, end.detail});
  std::string about = link.remote().address.text() + "/" + std::string(to_string(end.reason)) +
                      (end.by_peer ? "/by peer" : "/by us");
  if (link.dialled()) about += "/" + std::to_string(link.remote().port);
  MonoTime now = ports_.loop.now();
  if (said_.size() >= kMaxSaid) said_.clear();
  auto [it, fresh] = said_.try_emplace(about, now);
  if (!fresh && now - it->second < kSayAgain) return;
  it->second = now;
  log_.warn(end.by_peer ? "a peer refused our mesh connection" : "refused a mesh connection",
            {{"remote", link.remote().text()},
             {"direction", link.dialled() ? "outbound" : "inbound"},
             {"channel", link.established() ? name_of(link.peer().channel) : "handshake"},
             {"reason", to_string(end.reason)},
             {"detail", std::string(mesh::explain(end.reason)) + (end.detail.empty() ? "" : ": " + end.detail)}});
}

// ---------------------------------------------------------------- the table

LinkDriver* LinkTable::find(NodeId peer, Channel channel) const {
  auto it = peers_.find(peer);
  if (it == peers_.end()) return nullptr;
  auto link = it->second.links.find(channel);
  return link == it->second.links.end() ? nullptr : link->second;
}

bool LinkTable::is_current(const LinkDriver& link) const {
  return link.established() && find(link.peer().peer, link.peer().channel) == &link;
}

void LinkTable::drop_membership(NodeId peer) {
  LinkDriver* link = find(peer, Channel::membership);
  if (link == nullptr) return;
  peers_[peer].links.erase(Channel::membership);
  link->cut();
}

void LinkTable::drop_data(NodeId peer) {
  for (Channel channel : {Channel::urgent, Channel::bulk}) {
    LinkDriver* link = find(peer, channel);
    if (link == nullptr) continue;
    peers_[peer].links.erase(channel);
    link->cut();
    events_.data_link_down(peer, channel);
  }
}

void LinkTable::forget(NodeId peer) {
  auto it = peers_.find(peer);
  if (it == peers_.end()) return;
  it->second.kept.reset();
  drop_data(peer);
  it = peers_.find(peer);
  if (it != peers_.end() && it->second.links.empty()) peers_.erase(it);
}

void LinkTable::send(NodeId peer, Channel channel, mesh::Lane lane, uint8_t type, ByteView payload) {
  if (LinkDriver* link = find(peer, channel)) link->send(lane, type, payload);
}

size_t LinkTable::queued_bytes(NodeId peer, Channel channel) const {
  LinkDriver* link = find(peer, channel);
  return link == nullptr ? 0 : link->queued_bytes();
}

size_t LinkTable::queue_memory(NodeId peer, Channel channel) const {
  LinkDriver* link = find(peer, channel);
  return link == nullptr ? 0 : link->queue_memory();
}

void LinkTable::say_goodbye() {
  std::vector<std::pair<NodeId, Channel>> all;
  for (auto& [node, peer] : peers_) {
    for (auto& [channel, link] : peer.links) all.emplace_back(node, channel);
  }
  // Looked up one by one: a link that ends meanwhile takes its sister with it.
  for (auto [node, channel] : all)
    if (LinkDriver* link = find(node, channel)) link->refuse(mesh::Refusal::shutting_down, "");
}

}  // namespace kith::cluster
