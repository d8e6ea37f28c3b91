// Simulated TCP, below the ports: connections between processes as the kernels of two hosts keep them.
//
// What is modelled: three-way handshake with SYN retransmission (1, 3, 7 s), refusal when nobody listens,
// order, latency, loss as delay, windows, FIN and RST, silence across a partition and retransmission after it
// (200 ms, doubling up to 120 s), the kernel's part for a paused or killed process. A stream needs both ways,
// for acknowledgements: what is lost one way stalls both. What is not modelled: packets, congestion.
//
// All callbacks run on the process that the side belongs to, so they wait while it is paused, and end
// when it dies or closes.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "sim/world.h"

namespace kith::sim {

enum class WireEnd : uint8_t { fin, reset };

class Wires;

// One end of a connection, as an application holds it.
class Wire {
 public:
  struct Handlers {
    std::function<void(ByteView)> on_data;
    std::function<void(WireEnd)> on_end;  // fin: no more data comes; reset: nothing works any more
    std::function<void()> on_room;        // there is room to send again, when there was none
  };
  ~Wire();  // closes
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  void handle(Handlers handlers);                // what arrived before is delivered now
  bool send(Bytes data);                         // false after the end; keeps to room() if the caller does
  bool send(std::shared_ptr<const Bytes> data);  // the same bytes to many: they are kept once
  size_t room() const;                           // bytes the window has left
  void consumed(size_t bytes);  // what the application has read, which opens the window again
  void shutdown();              // FIN
  void close();                 // FIN, or RST when data was left unread or is on its way; no callback after
  Endpoint local() const;
  Endpoint remote() const;

 private:
  friend class Wires;
  struct Connection;
  struct Segment;
  Wire(std::shared_ptr<Connection> connection, int side) : connection_(std::move(connection)), side_(side) {}
  std::shared_ptr<Connection> connection_;
  int side_;
};

class Wires {
 public:
  explicit Wires(World& world) : world_(world) {}
  ~Wires();

  using OnAccept = std::function<void(std::unique_ptr<Wire>)>;
  using OnConnect = std::function<void(Result<std::unique_ptr<Wire>>)>;

  // Port 0 asks for a free one; conflict when the address is taken. An unspecified address listens on all.
  Result<Endpoint> listen(Process& process, const Endpoint& at, OnAccept on_accept);
  void stop_listening(Process& process, const Endpoint& at);
  // refused, unreachable, timeout, closed (when the process is dead).
  void connect(Process& process, const Endpoint& to, MonoTime deadline, OnConnect done);

  void kill(Process& process, bool tell_peers);
  void path_opened();
  // Faults of what lies between: a connection of this host, chosen at random, is reset at both ends, or
  // forgotten, so that neither end hears anything of the other any more. False when it has none.
  bool reset_one(const Host& host);
  bool forget_one(const Host& host);

 private:
  friend class Wire;
  using Connection = Wire::Connection;
  using Segment = Wire::Segment;
  struct Listener {
    Process* process = nullptr;
    Endpoint at;
    OnAccept on_accept;
  };
  struct Attempt;

  std::shared_ptr<Connection> pick(const Host& host);
  Listener* find_listener(const Host& host, const Endpoint& to);
  void send_syn(std::shared_ptr<Attempt> attempt, Duration retry);
  void take_syn(const std::shared_ptr<Attempt>& attempt);
  void finish(const std::shared_ptr<Attempt>& attempt, Result<std::unique_ptr<Wire>> result);
  Duration latency(const Host& from, const Host& to);

  void send(const std::shared_ptr<Connection>& connection, int from, Segment segment);
  void schedule_arrival(const std::shared_ptr<Connection>& connection, int to, MonoTime when);
  void arrive(const std::shared_ptr<Connection>& connection, int to);
  void wake(const std::shared_ptr<Connection>& connection, int to, MonoTime when);
  void deliver(const std::shared_ptr<Connection>& connection, int to);
  void end_side(const std::shared_ptr<Connection>& connection, int side);

  World& world_;
  std::map<size_t, std::vector<Listener>> listeners_;   // by host
  std::vector<std::weak_ptr<Connection>> connections_;  // with dead ones among them
  size_t sweep_at_ = 64;                                // how many make it worth to look for those
  std::vector<std::pair<std::weak_ptr<Connection>, int>> stalled_;
  uint16_t next_port_ = 32768;
};

}  // namespace kith::sim
