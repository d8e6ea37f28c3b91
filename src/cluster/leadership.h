// The leader's lease of one cluster, driven (lease/core.h): its timer, its messages on the urgent links, and
// what it means for serving requests (FailoverConfig).
#pragma once

#include <functional>
#include <mutex>
#include <optional>

#include "base/log.h"
#include "cluster/config.h"
#include "lease/core.h"
#include "membership/core.h"
#include "runtime/ports.h"

namespace kith::cluster {

// Whether requests are served here now.
struct Standing {
  enum class Kind : uint8_t {
    serves,
    standby,      // active_passive: another node leads, or none does at this moment
    no_majority,  // in the smaller part of a split, and told not to serve there
  };
  Kind kind = Kind::serves;
  std::optional<NodeId> leader;  // another node, to which a request may be forwarded
};

class Leadership {
 public:
  using Send = std::function<void(NodeId to, uint8_t type, ByteView payload)>;

  Leadership(const FailoverConfig& config, NodeId self, uint64_t seed, runtime::Loop& loop, Send send,
             Log log);

  // On the control loop.
  void view_changed(const std::vector<membership::Member>& members);
  Result<void> handle_message(NodeId from, uint8_t type, ByteView payload);
  void resign();
  void stop();
  const lease::Core& core() const { return core_; }
  bool runs() const { return config_.mode != FailoverConfig::Mode::single_node; }

  // From any thread. Right at the time it is asked: a leader whose lease has run out does not serve.
  Standing standing(MonoTime now) const;
  // Whether this node has heard of a majority lately (FailoverConfig::freshness). If not, sessions may have
  // been ended that it does not know of. Without a leader to seek nobody can tell: true.
  bool fresh(MonoTime now) const;

 private:
  struct Shared {
    MonoTime leads_until = MonoTime::min();
    std::optional<NodeId> other;  // who leads, when it is another node
    bool has_majority = false;
    MonoTime confirmed = MonoTime::min();
  };
  void pump();

  const FailoverConfig config_;
  runtime::Loop& loop_;
  Send send_;
  Log log_;
  lease::Core core_;
  runtime::Timer timer_;
  std::map<NodeId, std::string> names_;  // of the members, for the log
  bool stopped_ = false;
  mutable std::mutex mutex_;
  Shared shared_;
};

}  // namespace kith::cluster
