// Discovery by DNS SRV records: whom to dial, asked for again and again.
//
// Problem: addresses of members change, and DNS is late, partial, stale, or wrong. Idea: an answer is only a
// hint whom to dial. Every address of every answer is handed on, known or not; what is missing from an answer
// takes nobody away (membership does that, by watching); who answers a dial proves itself with the cluster's
// key. So the worst that a wrong answer can do is a bounded number of dials in vain.
// Source: RFC 2782; design/protocol.md section 3.
#pragma once

#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/log.h"
#include "cluster/config.h"
#include "runtime/dns.h"
#include "runtime/ports.h"

namespace kith::cluster {

// Of one answer; more are left out, by priority and weight, differently each time.
inline constexpr size_t kMaxServiceTargets = 64;

// The records worth a look-up: a real host name and port, none twice; by priority, and among equals by weight
// at random (RFC 2782), cut to kMaxServiceTargets. refused counts what made no sense.
struct ChosenServices {
  std::vector<runtime::ServiceRecord> records;
  size_t refused = 0;
  size_t cut = 0;
};
ChosenServices choose_services(std::vector<runtime::ServiceRecord> records, std::mt19937_64& random);

class Discovery {
 public:
  // On the control loop.
  class Owner {
   public:
    virtual ~Owner() = default;
    // An address of the present answer, in the order to try them. Named again with each answer.
    virtual void found(const Multiaddr& address) = 0;
    // Whether we know no other member: then DNS is asked more often.
    virtual bool alone() = 0;
    // Each name has been answered for the first time, after found().
    virtual void first_answers() = 0;
  };

  Discovery(SrvConfig config, runtime::Ports& ports, runtime::Dns& dns, Owner& owner, Log log);

  // Asks until stop is requested.
  runtime::Task<void> run(std::stop_token stop);

 private:
  // What is remembered of a name, so that the log tells changes and not polls.
  struct Name {
    explicit Name(std::string text) : name(std::move(text)) {}
    std::string name;
    bool answered = false;  // ever
    bool failing = false;
    std::string said;  // of the last answer
    std::set<Multiaddr> addresses;
  };

  runtime::Task<bool> poll(std::stop_token stop);
  runtime::Task<Result<std::vector<Endpoint>>> servers(MonoTime deadline);
  runtime::Task<void> ask(Name& name, runtime::DnsOptions options);
  void take(Name& name, const ChosenServices& chosen, const std::vector<std::vector<IpAddress>>& found);
  void failed(Name& name, const Error& error);
  void tell(Name& name, std::set<Multiaddr> now, std::string notes);
  Duration pause(bool answered);

  const SrvConfig config_;
  runtime::Ports& ports_;
  runtime::Dns& dns_;
  Owner& owner_;
  Log log_;
  std::mt19937_64 random_;
  std::vector<Name> names_;
  bool all_answered_ = false;
  size_t failures_ = 0;  // polls in a row in which a name had no answer
};

}  // namespace kith::cluster
