// The links of one cluster: listens on both channels, dials, keeps at most one link of each channel per
// peer, and the two data links open to every member. Knows peers and connections; who is a member is
// membership's affair.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>

#include "base/log.h"
#include "cluster/absences.h"
#include "cluster/doorkeeper.h"
#include "cluster/link_driver.h"
#include "membership/core.h"

namespace kith::cluster {

struct LinkCounters {
  uint64_t accepted = 0;  // connections taken in
  uint64_t established = 0;
  uint64_t half_open_limit = 0;  // closed because too many handshakes were under way
  uint64_t renewed = 0;          // links that took the place of one made with another key
  std::map<mesh::Refusal, uint64_t> refused_by_us;
  std::map<mesh::Refusal, uint64_t> refused_by_peer;
};

class LinkTable final : LinkDriver::Owner {
 public:
  // What happens, told on the control loop.
  class Events {
   public:
    virtual ~Events() = default;
    // local: the address of ours that the peer is connected to.
    virtual void membership_link_up(const mesh::Established& peer, const IpAddress& local) = 0;
    virtual void membership_link_down(NodeId peer, bool goodbye) = 0;
    virtual void data_link_up(NodeId peer, mesh::Channel channel) = 0;
    virtual void data_link_down(NodeId peer, mesh::Channel channel) = 0;
    // Whether this life of the peer is a member, so that it may open data links.
    virtual bool is_member(const Replica& peer) = 0;
    // Whether the node may have links with us at all: none, or why not.
    virtual mesh::Refusal admission(NodeId peer) = 0;
    virtual void link_message(NodeId peer, mesh::Channel channel, const mesh::Message& message) = 0;
    virtual void link_drained(NodeId peer, mesh::Channel channel) = 0;
    virtual void dial_done(const Multiaddr& address, membership::DialOutcome outcome,
                           std::optional<NodeId> peer) = 0;
    // One side refused the other for a reason that somebody should know; before its dial_done.
    virtual void link_refused(const Refused& refusal) = 0;
  };

  // The two bound ports; nothing is accepted before start().
  struct Listeners {
    std::unique_ptr<runtime::Listener> membership;
    std::unique_ptr<runtime::Listener> data;
  };

  // config() is asked for each new link, since our own record changes. All tasks run in scope.
  LinkTable(runtime::Ports& ports, runtime::Scope& scope, Listeners listeners,
            std::function<mesh::LinkConfig()> config, std::shared_ptr<Doorkeeper> doorkeeper, NodeId self,
            Events& events, Log log);

  Endpoint membership_endpoint() const { return listeners_.membership->local_endpoint(); }
  Endpoint data_endpoint() const { return listeners_.data->local_endpoint(); }
  void start();
  void stop_listening();

  // Dials the membership channel; ends in exactly one dial_done.
  void dial(const membership::Dial& dial, Duration timeout);
  void drop_membership(NodeId peer);

  // Keeps both data links to this life of a peer open (the smaller NodeId dials), until forget.
  void keep_data_links(const Replica& peer, const Multiaddr& data);
  void forget(NodeId peer);
  // Cuts the data links; they are dialled again.
  void drop_data(NodeId peer);
  // While the path to a peer is bad there are no data links with it: what is lost on the way would pass for a
  // peer that has nothing to say. Good until somebody says otherwise, and again after forget.
  void set_path(NodeId peer, bool good);

  // Makes the links that we dialled anew where they were made with another key, each after a random part of
  // `spread`. The old link serves until the new one does; nothing is lost or out of order. To be called again
  // while there are such links: what fails is not tried again by itself.
  void renew(const KeyId& offered, Duration spread);
  // The keys that the present links were made with.
  std::set<KeyId> keys_in_use() const;
  // Cuts the links that were made with the key.
  void cut_made_with(const KeyId& key);
  // Refuses every link with the peer: what it still says is not heard. False when there is none.
  bool expel(NodeId peer, mesh::Refusal reason);

  bool has(NodeId peer, mesh::Channel channel) const { return find(peer, channel) != nullptr; }
  void send(NodeId peer, mesh::Channel channel, mesh::Lane lane, uint8_t type, ByteView payload);
  size_t queued_bytes(NodeId peer, mesh::Channel channel, mesh::Lane lane) const;
  // What waits, with what it costs besides its payload.
  size_t queue_memory(NodeId peer, mesh::Channel channel) const;
  // Says goodbye on every link.
  void say_goodbye();

  const LinkCounters& counters() const { return counters_; }

 private:
  using Place = std::pair<NodeId, mesh::Channel>;
  struct Peer {
    std::map<mesh::Channel, LinkDriver*> links;     // the present ones: what is sent goes here
    std::map<mesh::Channel, LinkDriver*> retiring;  // replaced; what the peer still says on it comes first
    std::optional<Replica> kept;                    // data links are wanted for this life
    Multiaddr data;
    bool bad_path = false;
  };
  // A link's life outside the table: who dialled it and who waits for the outcome.
  struct Context {
    std::optional<Multiaddr> dialling;  // dial_done is due
    bool handshaking = false;           // counted by the doorkeeper
  };

  void on_established(LinkDriver& link, const mesh::Established& peer) override;
  void on_message(LinkDriver& link, const mesh::Message& message) override;
  void on_drained(LinkDriver& link) override;

  void on_finished(LinkDriver& link) override;

  runtime::Task<void> accept_loop(runtime::Listener& listener, mesh::Port port);
  runtime::Task<void> receive(std::unique_ptr<runtime::Stream> stream, mesh::Port port);
  runtime::Task<void> serve_inbound(std::unique_ptr<runtime::Stream> stream, mesh::Admitted admitted,
                                    MonoTime connected, Bytes rest);
  // Until the stranger has shown the key, or not. What it sent after the proof goes to rest.
  runtime::Task<void> knock(runtime::Stream& stream, mesh::Entrance& entrance, MonoTime connected,
                            Bytes& rest);
  runtime::Task<void> dial_membership(Multiaddr address, MonoTime deadline);
  runtime::Task<void> keep_data_link(Replica peer, mesh::Channel channel);
  runtime::Task<void> renew_link(Place place, Duration delay);
  runtime::Task<Result<std::unique_ptr<runtime::Stream>>> connect(Multiaddr address, MonoTime deadline);
  // Runs the link to its end and takes it off the table.
  runtime::Task<void> serve(LinkDriver& link);

  void establish_membership(LinkDriver& link, const mesh::Established& peer);
  void establish_data(LinkDriver& link, const mesh::Established& peer);
  void establish_renewal(LinkDriver& link, const mesh::Established& peer);
  void retired(LinkDriver& link);
  void cut_retiring(NodeId peer, mesh::Channel channel);
  void finish_dial(LinkDriver& link, membership::DialOutcome outcome, std::optional<NodeId> peer);
  void log_end(const LinkDriver& link);
  // address: what a dial that is not over was meant for.
  void log_refusal(const Endpoint& remote, bool dialled, const std::optional<Multiaddr>& address,
                   std::string_view channel, const mesh::Closed& end);
  Multiaddr data_address(NodeId peer) const;
  bool has_bad_path(NodeId peer) const;
  LinkDriver* find(NodeId peer, mesh::Channel channel) const;
  LinkDriver* find_retiring(NodeId peer, mesh::Channel channel) const;
  void forget_if_empty(NodeId peer);
  bool is_current(const LinkDriver& link) const;
  Bytes random16();

  runtime::Ports& ports_;
  runtime::Scope& scope_;
  Listeners listeners_;
  std::function<mesh::LinkConfig()> config_;
  std::shared_ptr<Doorkeeper> doorkeeper_;
  const NodeId self_;
  Events& events_;
  Log log_;
  std::map<NodeId, Peer> peers_;
  std::map<const LinkDriver*, Context> contexts_;
  std::set<Place> renewing_;
  runtime::Event links_changed_;          // a link has ended, or a path is good again
  std::map<std::string, MonoTime> said_;  // refusals already logged, by remote and reason
  LinkCounters counters_;
};

}  // namespace kith::cluster
