#include "cluster/link_table.h"

namespace kith::cluster {
namespace {

using membership::DialOutcome;
using mesh::Channel;

constexpr Duration kDataDialTimeout = 2s;
constexpr Duration kDataRedialMin = 50ms;
constexpr Duration kDataRedialMax = 2s;
constexpr Duration kRenewAgain = 1s;
// A membership link on which four heartbeats are missing gives way to a new one: the other side has ended it,
// and we have not heard of that because the network was cut.
constexpr Duration kStale = 1s;
// After a refusal in the clear: how long we wait for the other side to hang up, so that it can read it.
constexpr Duration kRefusalLinger = 200ms;
// The same refusal by or of the same address is logged once in this time.
constexpr Duration kSayAgain = 60s;
constexpr size_t kMaxSaid = 1024;

DialOutcome outcome_of(const Error& error) {
  if (error.code() == Code::refused) return DialOutcome::refused;
  if (error.code() == Code::timeout) return DialOutcome::timeout;
  return DialOutcome::unreachable;
}

// The other node has not the key that we offered; it may have another one of ours.
bool is_key_refusal(const mesh::Closed& end) {
  return end.by_peer &&
         (end.reason == mesh::Refusal::unknown_key || end.reason == mesh::Refusal::retired_key);
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
                     std::function<mesh::LinkConfig()> config, std::shared_ptr<Doorkeeper> doorkeeper,
                     NodeId self, Events& events, Log log)
    : ports_(ports),
      scope_(scope),
      listeners_(std::move(listeners)),
      config_(std::move(config)),
      doorkeeper_(std::move(doorkeeper)),
      self_(self),
      events_(events),
      log_(std::move(log)) {}

void LinkTable::start() {
  scope_.spawn(accept_loop(*listeners_.membership, mesh::Port::membership));
  scope_.spawn(accept_loop(*listeners_.data, mesh::Port::data));
}

void LinkTable::stop_listening() {
  listeners_.membership->close();
  listeners_.data->close();
}

Bytes LinkTable::random16() {
  Bytes out(16);
  ports_.entropy.fill(out);
  return out;
}

// ---------------------------------------------------------------- inbound

runtime::Task<void> LinkTable::accept_loop(runtime::Listener& listener, mesh::Port port) {
  for (;;) {
    if (Duration pause = doorkeeper_->accept_pause(ports_.loop.now()); pause > 0ns) {
      co_await runtime::sleep(ports_.loop, pause, scope_.stop_token());
      if (scope_.stopping()) co_return;
      continue;
    }
    auto accepted = co_await listener.accept();
    if (!accepted || scope_.stopping()) co_return;
    ++counters_.accepted;
    scope_.spawn(receive(std::move(*accepted), port));
  }
}

runtime::Task<void> LinkTable::receive(std::unique_ptr<runtime::Stream> stream, mesh::Port port) {
  const MonoTime connected = ports_.loop.now();
  mesh::Challenge challenge;
  ports_.entropy.fill(challenge);
  mesh::Entrance entrance(port, challenge);
  Bytes rest;
  co_await knock(*stream, entrance, connected, rest);
  if (!entrance.done() || entrance.refused() || scope_.stopping()) co_return;
  if (!doorkeeper_->begin_handshake()) {
    ++counters_.half_open_limit;
    co_return;
  }
  auto serving = serve_inbound(std::move(stream), entrance.take(), connected, std::move(rest));
  co_await std::move(serving);
}

// A coroutine of its own: while strangers knock, no memory is taken for it.
runtime::Task<void> LinkTable::serve_inbound(std::unique_ptr<runtime::Stream> stream, mesh::Admitted admitted,
                                             MonoTime connected, Bytes rest) {
  mesh::Link link = mesh::Link::accept(config_(), std::move(admitted), connected);
  LinkDriver driver(ports_.loop, std::move(stream), std::move(link), false, *this, std::move(rest));
  contexts_[&driver].handshaking = true;
  co_await serve(driver);
}

runtime::Task<void> LinkTable::knock(runtime::Stream& stream, mesh::Entrance& entrance, MonoTime connected,
                                     Bytes& rest) {
  const MonoTime deadline = connected + mesh::kHandshakeTimeout;
  const Endpoint remote = stream.remote_endpoint();
  Doorkeeper::Place place = doorkeeper_->enter(stream);
  std::stop_callback on_stop(scope_.stop_token(), [&stream] { stream.close(); });
  std::array<uint8_t, 512> buffer;  // the proof and the ClientHello after it
  bool late = false;
  while (!entrance.done()) {
    auto size = co_await stream.read(buffer, deadline);
    late = !size && size.error().code() == Code::timeout;
    if (!size || *size == 0) break;
    ByteView data = ByteView(buffer).first(*size);
    entrance.handle_input(data, *config_().keyring);
    rest.assign(data.begin(), data.end());
    ByteView answer = entrance.poll_transmit();
    if (answer.empty()) continue;
    auto sent = co_await stream.write_all(answer, deadline);
    if (!sent) break;
  }
  if (late)
    log_refusal(remote, false, std::nullopt, "handshake", {mesh::Refusal::handshake_timeout, false, ""});
  if (entrance.refused()) {
    log_refusal(remote, false, std::nullopt, "handshake", {entrance.reason(), false, entrance.detail()});
    (void)co_await stream.shutdown();
    const MonoTime until = ports_.loop.now() + kRefusalLinger;
    for (;;) {
      auto size = co_await stream.read(buffer, until);
      if (!size || *size == 0) break;
    }
  }
  doorkeeper_->leave(place);
}

// ---------------------------------------------------------------- outbound

runtime::Task<Result<std::unique_ptr<runtime::Stream>>> LinkTable::connect(Multiaddr address,
                                                                           MonoTime deadline) {
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

// With one of our keys after the other, as long as the other node has not that one.
runtime::Task<void> LinkTable::dial_membership(Multiaddr address, MonoTime deadline) {
  for (size_t psk = 0;; ++psk) {
    auto stream = co_await connect(address, deadline);
    if (scope_.stopping()) co_return;
    if (!stream) {
      events_.dial_done(address, outcome_of(stream.error()), std::nullopt);
      co_return;
    }
    mesh::LinkConfig config = config_();
    const size_t last_psk = config.keyring->size() - 1;
    mesh::Link link = mesh::Link::dial(config, {Channel::membership, std::nullopt, std::min(psk, last_psk)},
                                       random16(), ports_.loop.now());
    LinkDriver driver(ports_.loop, std::move(*stream), std::move(link), true, *this);
    contexts_[&driver].dialling = address;
    runtime::Timer late = ports_.loop.call_at(deadline, [this, &driver] {
      if (driver.established()) return;
      finish_dial(driver, DialOutcome::timeout, std::nullopt);
      driver.cut();
    });
    co_await serve(driver);
    const bool due = contexts_.at(&driver).dialling.has_value();
    if (due && is_key_refusal(driver.end()) && psk < last_psk && !scope_.stopping()) {
      contexts_.erase(&driver);
      continue;
    }
    const mesh::Refusal why = driver.end().reason;
    finish_dial(driver,
                why == mesh::Refusal::self                ? DialOutcome::self
                : why == mesh::Refusal::handshake_timeout ? DialOutcome::timeout
                : why == mesh::Refusal::none              ? DialOutcome::unreachable
                                                          : DialOutcome::rejected,
                std::nullopt);
    contexts_.erase(&driver);
    co_return;
  }
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
  size_t psk = 0;
  auto wanted = [this, peer] {
    auto it = peers_.find(peer.node);
    return !scope_.stopping() && it != peers_.end() && it->second.kept == peer;
  };
  while (wanted()) {
    if (find(peer.node, channel) != nullptr || has_bad_path(peer.node)) {  // there: it was renewed
      co_await links_changed_.wait_until(ports_.loop, kNever, scope_.stop_token());
      continue;
    }
    Multiaddr address = data_address(peer.node);
    auto stream = co_await connect(address, ports_.loop.now() + kDataDialTimeout);
    if (!wanted()) break;
    if (stream) {
      const MonoTime connected = ports_.loop.now();
      mesh::LinkConfig config = config_();
      psk %= config.keyring->size();
      mesh::Link link = mesh::Link::dial(config, {channel, peer.node, psk}, random16(), ports_.loop.now());
      LinkDriver driver(ports_.loop, std::move(*stream), std::move(link), true, *this);
      co_await serve(driver);
      if (ports_.loop.now() - connected > kDataRedialMax) pause = kDataRedialMin;
      psk = is_key_refusal(driver.end()) ? psk + 1 : 0;
    }
    if (!wanted()) break;
    if (find(peer.node, channel) != nullptr) continue;
    co_await runtime::sleep(ports_.loop, pause, scope_.stop_token());
    pause = std::min(pause * 2, kDataRedialMax);
  }
}

// ---------------------------------------------------------------- renewal: make before break

void LinkTable::renew(const KeyId& offered, Duration spread) {
  if (scope_.stopping()) return;
  for (const auto& [node, peer] : peers_) {
    for (const auto& [channel, link] : peer.links) {
      const Place place{node, channel};
      if (!link->dialled() || link->peer().psk == offered || renewing_.contains(place)) continue;
      uint16_t part = 0;
      ports_.entropy.fill({reinterpret_cast<uint8_t*>(&part), sizeof part});
      renewing_.insert(place);
      scope_.spawn(renew_link(place, spread * part / 65536));
    }
  }
}

runtime::Task<void> LinkTable::renew_link(Place place, Duration delay) {
  const auto [peer, channel] = place;
  co_await runtime::sleep(ports_.loop, delay, scope_.stop_token());
  LinkDriver* old = scope_.stopping() ? nullptr : find(peer, channel);
  if (old != nullptr && old->dialled() && find_retiring(peer, channel) == nullptr) {
    Endpoint to = old->remote();
    auto stream = co_await ports_.network.connect(to, ports_.loop.now() + kDataDialTimeout);
    if (stream && !scope_.stopping()) {
      mesh::Link link = mesh::Link::dial(config_(), {channel, peer, 0, true}, random16(), ports_.loop.now());
      LinkDriver driver(ports_.loop, std::move(*stream), std::move(link), true, *this);
      co_await serve(driver);
      if (driver.established()) co_return;  // no longer in renewing_
    }
  }
  co_await runtime::sleep(ports_.loop, kRenewAgain, scope_.stop_token());
  renewing_.erase(place);
}

// Both sides do this when the handshake is over: what they send goes to the new link, and the old one ends
// with FINISHED; until that has come, what comes on the new link waits.
void LinkTable::establish_renewal(LinkDriver& link, const mesh::Established& peer) {
  if (link.dialled()) renewing_.erase({peer.peer, peer.channel});
  LinkDriver* old = find(peer.peer, peer.channel);
  const bool fits =
      old != nullptr && old->dialled() == link.dialled() && old->peer().incarnation == peer.incarnation &&
      old->peer().boot_nonce == peer.boot_nonce && find_retiring(peer.peer, peer.channel) == nullptr;
  if (!fits) {
    link.refuse(mesh::Refusal::duplicate, "there is no such link to renew");
    return;
  }
  ++counters_.renewed;
  Peer& entry = peers_[peer.peer];
  entry.retiring[peer.channel] = old;
  entry.links[peer.channel] = &link;
  if (!old->heard_out()) link.hold();
  old->finish();
}

// It may come before the handshake of the new link is over here: then establish_renewal() finds it heard out.
void LinkTable::on_finished(LinkDriver& link) {
  const NodeId peer = link.peer().peer;
  const Channel channel = link.peer().channel;
  if (find_retiring(peer, channel) != &link) return;
  if (LinkDriver* next = find(peer, channel)) next->release();
}

// A replaced link has ended. If the peer had not finished, something was lost.
void LinkTable::retired(LinkDriver& link) {
  const NodeId peer = link.peer().peer;
  const Channel channel = link.peer().channel;
  peers_[peer].retiring.erase(channel);
  LinkDriver* next = find(peer, channel);
  if (link.heard_out() || next == nullptr) return;
  if (channel == Channel::membership) {
    next->release();  // its messages are told again until they are known
  } else {
    drop_data(peer);
  }
}

// Its end is no news.
void LinkTable::cut_retiring(NodeId peer, Channel channel) {
  LinkDriver* link = find_retiring(peer, channel);
  if (link == nullptr) return;
  peers_[peer].retiring.erase(channel);
  link->cut();
}

// ---------------------------------------------------------------- the life of a link

runtime::Task<void> LinkTable::serve(LinkDriver& link) {
  co_await link.run(scope_.stop_token());
  log_end(link);
  auto context = contexts_.find(&link);
  if (context != contexts_.end() && !link.dialled()) {
    if (context->second.handshaking) doorkeeper_->end_handshake();
    contexts_.erase(context);
  }
  if (!link.established()) co_return;
  const NodeId peer = link.peer().peer;
  const Channel channel = link.peer().channel;
  if (find_retiring(peer, channel) == &link) {
    retired(link);
  } else if (is_current(link)) {
    peers_[peer].links.erase(channel);
    cut_retiring(peer, channel);
    forget_if_empty(peer);
    if (channel == Channel::membership) {
      events_.membership_link_down(peer, link.end().reason == mesh::Refusal::shutting_down);
    } else {
      events_.data_link_down(peer, channel);
    }
  }
  links_changed_.notify_all();
}

void LinkTable::on_established(LinkDriver& link, const mesh::Established& peer) {
  if (auto context = contexts_.find(&link); context != contexts_.end()) {
    if (std::exchange(context->second.handshaking, false)) doorkeeper_->end_handshake();
  }
  ++counters_.established;
  if (const mesh::Refusal why = events_.admission(peer.peer); why != mesh::Refusal::none) {
    finish_dial(link, DialOutcome::rejected, peer.peer);
    if (peer.renews && link.dialled()) renewing_.erase({peer.peer, peer.channel});
    link.refuse(why, peer.peer.hex());  // what an operator needs to admit it
  } else if (peer.renews) {
    establish_renewal(link, peer);
  } else if (peer.channel == Channel::membership) {
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
      bool stale = ports_.loop.now() - present->heard() >= kStale;
      if (!stale && (!by_smaller || present->dialled() == link.dialled())) {
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
    cut_retiring(peer.peer, Channel::membership);
    present->refuse(mesh::Refusal::duplicate, "");
  }
  peers_[peer.peer].links[Channel::membership] = &link;
  events_.membership_link_up(peer, link.local().address);
  finish_dial(link, DialOutcome::connected, peer.peer);
}

void LinkTable::establish_data(LinkDriver& link, const mesh::Established& peer) {
  if (!events_.is_member({peer.peer, peer.incarnation}) || has_bad_path(peer.peer)) {
    link.refuse(mesh::Refusal::not_member, "");  // it will try again
    return;
  }
  // Only one side dials data links, so a second one means that the first is dead, and its sister too.
  if (find(peer.peer, peer.channel)) drop_data(peer.peer);
  peers_[peer.peer].links[peer.channel] = &link;
  events_.data_link_up(peer.peer, peer.channel);
}

void LinkTable::on_message(LinkDriver& link, const mesh::Message& message) {
  const NodeId peer = link.peer().peer;
  const Channel channel = link.peer().channel;
  if (is_current(link) || find_retiring(peer, channel) == &link) events_.link_message(peer, channel, message);
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
  auto context = contexts_.find(&link);
  log_refusal(link.remote(), link.dialled(),
              context == contexts_.end() ? std::nullopt : context->second.dialling,
              link.established() ? name_of(link.peer().channel) : "handshake", link.end());
}

void LinkTable::log_refusal(const Endpoint& remote, bool dialled, const std::optional<Multiaddr>& address,
                            std::string_view channel, const mesh::Closed& end) {
  using mesh::Refusal;
  if (end.reason == Refusal::none || end.reason == Refusal::self || end.reason == Refusal::duplicate ||
      end.reason == Refusal::shutting_down || end.reason == Refusal::not_member)
    return;
  ++(end.by_peer ? counters_.refused_by_peer : counters_.refused_by_us)[end.reason];
  events_.link_refused({address, remote.address, end.reason, end.by_peer, end.detail});
  std::string about = remote.address.text() + "/" + std::string(to_string(end.reason)) +
                      (end.by_peer ? "/by peer" : "/by us");
  if (dialled) about += "/" + std::to_string(remote.port);
  MonoTime now = ports_.loop.now();
  if (said_.size() >= kMaxSaid) said_.clear();
  auto [it, fresh] = said_.try_emplace(about, now);
  if (!fresh && now - it->second < kSayAgain) return;
  it->second = now;
  log_.warn(
      end.by_peer ? "a peer refused our mesh connection" : "refused a mesh connection",
      {{"remote", remote.text()},
       {"direction", dialled ? "outbound" : "inbound"},
       {"channel", channel},
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

LinkDriver* LinkTable::find_retiring(NodeId peer, Channel channel) const {
  auto it = peers_.find(peer);
  if (it == peers_.end()) return nullptr;
  auto link = it->second.retiring.find(channel);
  return link == it->second.retiring.end() ? nullptr : link->second;
}

bool LinkTable::is_current(const LinkDriver& link) const {
  return link.established() && find(link.peer().peer, link.peer().channel) == &link;
}

void LinkTable::forget_if_empty(NodeId peer) {
  auto it = peers_.find(peer);
  if (it != peers_.end() && it->second.links.empty() && it->second.retiring.empty() && !it->second.kept)
    peers_.erase(it);
}

void LinkTable::drop_membership(NodeId peer) {
  LinkDriver* link = find(peer, Channel::membership);
  if (link == nullptr) return;
  peers_[peer].links.erase(Channel::membership);
  cut_retiring(peer, Channel::membership);
  link->cut();
}

void LinkTable::drop_data(NodeId peer) {
  for (Channel channel : {Channel::urgent, Channel::bulk}) {
    LinkDriver* link = find(peer, channel);
    if (link == nullptr) continue;
    peers_[peer].links.erase(channel);
    cut_retiring(peer, channel);
    link->cut();
    events_.data_link_down(peer, channel);
  }
}

void LinkTable::set_path(NodeId peer, bool good) {
  auto it = peers_.find(peer);
  if (it == peers_.end() || it->second.bad_path != good) return;
  it->second.bad_path = !good;
  if (good) {
    links_changed_.notify_all();
  } else {
    drop_data(peer);
  }
}

bool LinkTable::has_bad_path(NodeId peer) const {
  auto it = peers_.find(peer);
  return it != peers_.end() && it->second.bad_path;
}

void LinkTable::forget(NodeId peer) {
  auto it = peers_.find(peer);
  if (it == peers_.end()) return;
  it->second.kept.reset();
  if (std::exchange(it->second.bad_path, false)) links_changed_.notify_all();  // whoever waits to dial, ends
  drop_data(peer);
  forget_if_empty(peer);
}

bool LinkTable::expel(NodeId peer, mesh::Refusal reason) {
  bool any = false;
  for (Channel channel : {Channel::membership, Channel::urgent, Channel::bulk}) {
    LinkDriver* link = find(peer, channel);
    if (link == nullptr) continue;
    any = true;
    peers_[peer].links.erase(channel);  // no longer current
    cut_retiring(peer, channel);
    link->refuse(reason, peer.hex());
    if (channel == Channel::membership) {
      events_.membership_link_down(peer, false);
    } else {
      events_.data_link_down(peer, channel);
    }
  }
  forget_if_empty(peer);
  return any;
}

std::set<KeyId> LinkTable::keys_in_use() const {
  std::set<KeyId> keys;
  for (const auto& [node, peer] : peers_) {
    for (const auto& [channel, link] : peer.links) keys.insert(link->peer().psk);
    for (const auto& [channel, link] : peer.retiring) keys.insert(link->peer().psk);
  }
  return keys;
}

// One at a time: to cut one may end others.
void LinkTable::cut_made_with(const KeyId& key) {
  auto next = [&]() -> LinkDriver* {
    for (const auto& [node, peer] : peers_) {
      for (const auto& [channel, link] : peer.links)
        if (link->peer().psk == key) return link;
    }
    return nullptr;
  };
  while (LinkDriver* link = next()) {
    const NodeId peer = link->peer().peer;
    if (link->peer().channel == Channel::membership) {
      drop_membership(peer);
      events_.membership_link_down(peer, false);
    } else {
      drop_data(peer);
    }
  }
}

void LinkTable::send(NodeId peer, Channel channel, mesh::Lane lane, uint8_t type, ByteView payload) {
  if (LinkDriver* link = find(peer, channel)) link->send(lane, type, payload);
}

size_t LinkTable::queued_bytes(NodeId peer, Channel channel, mesh::Lane lane) const {
  LinkDriver* link = find(peer, channel);
  return link == nullptr ? 0 : link->queued_bytes(lane);
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
