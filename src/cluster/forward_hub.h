// Forwards requests to other members and serves the ones they forward to us. The table of open pipes
// lives on the control loop, where the links are; requests live on worker loops; they meet by posting.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <vector>

#include "base/log.h"
#include "cluster/forwarder.h"
#include "cluster/pipe.h"
#include "runtime/scope.h"

namespace kith::cluster {

// A worker that can serve forwarded requests.
struct Worker {
  runtime::Loop* loop;
  http::Handler* handler;
  runtime::Scope* scope;  // forwarded requests run in it; used on its loop only
};

struct ForwardCounters {
  std::atomic<uint64_t> out{0};      // requests we sent to another node
  std::atomic<uint64_t> in{0};       // requests another node sent to us
  std::atomic<uint64_t> failed{0};   // of those sent: not answered by the other node
};

class ForwardHub final : public Forwarder {
 public:
  // The links, as the hub needs them; on the control loop.
  class Links {
   public:
    virtual ~Links() = default;
    virtual bool has_link(NodeId peer) = 0;
    virtual void send_forward(NodeId peer, ForwardType type, ByteView payload) = 0;
    virtual std::string name_of(NodeId peer) = 0;  // any thread
  };

  ForwardHub(runtime::Loop& control, Links& links, NodeId self, Log log);

  // Workers are set once, before the first request.
  void set_workers(std::vector<Worker> workers) { workers_ = std::move(workers); }

  runtime::Task<Result<void>> forward(runtime::Loop& here, http::Exchange& exchange, NodeId to,
                                      MonoTime accept_deadline) override;
  std::string node_name(NodeId node) override { return links_.name_of(node); }

  // On the control loop.
  void handle_message(NodeId from, uint8_t type, ByteView payload);
  void peer_lost(NodeId peer);
  // Ends every forwarded request, both ways; the last resort when this node stops.
  void reset_all();

  const ForwardCounters& counters() const { return counters_; }

 private:
  struct Key {
    NodeId peer;
    uint64_t id;
    auto operator<=>(const Key&) const = default;
  };
  struct Entry {
    std::shared_ptr<Pipe> pipe;
    runtime::Loop* worker;
  };

  void open_from_peer(const Key& key, ByteView payload);
  void transmit(const Key& key, ForwardType type, ByteView payload);
  Pipe::Send sender(const Key& key);
  static runtime::Task<void> serve(std::shared_ptr<Pipe> pipe, ForwardedRequest request, runtime::Loop& loop,
                                   http::Handler& handler);

  runtime::Loop& control_;
  Links& links_;
  const NodeId self_;
  Log log_;
  std::vector<Worker> workers_;
  std::map<Key, Entry> pipes_;          // control loop
  std::map<NodeId, size_t> open_from_;  // control loop: requests a peer has open with us
  size_t next_worker_ = 0;
  std::atomic<uint64_t> next_id_{1};
  ForwardCounters counters_;
};

}  // namespace kith::cluster
