// Pumps one mesh::Link over one stream: bytes in, bytes out, its timer. The link is the protocol and
// knows no socket; this is the socket and knows no protocol.
#pragma once

#include <memory>
#include <string>

#include "mesh/link.h"
#include "runtime/ports.h"
#include "runtime/scope.h"
#include "runtime/sync.h"

namespace kith::cluster {

class LinkDriver {
 public:
  // Called on the control loop, from inside run().
  class Owner {
   public:
    virtual ~Owner() = default;
    // The handshake is complete. The owner may refuse the link here.
    virtual void on_established(LinkDriver& link, const mesh::Established& peer) = 0;
    virtual void on_message(LinkDriver& link, const mesh::Message& message) = 0;
    // The link took everything that it was given in the lanes of replication, which come before calls and
    // words; more can be sent without queueing behind old data.
    virtual void on_drained(LinkDriver& link) = 0;
    // The peer has finished: all its messages on this link were delivered.
    virtual void on_finished(LinkDriver& link) = 0;
  };

  // first: what was read from the stream before, and belongs to the link.
  LinkDriver(runtime::Loop& loop, std::unique_ptr<runtime::Stream> stream, mesh::Link link, bool dialled,
             Owner& owner, Bytes first = {});

  // Serves the link until it ends or stop is requested. Afterwards end() tells why.
  runtime::Task<void> run(std::stop_token stop);

  // Sends a message when the link is established; drops it otherwise.
  void send(mesh::Lane lane, uint8_t type, ByteView payload);
  // Delivers nothing and reads nothing more, until release(). For a link whose messages come after those of
  // another one.
  void hold() { held_ = true; }
  void release();
  // Sends what waits, then nothing more; the link ends when the peer has finished too, or after a while.
  void finish();
  bool heard_out() const { return heard_out_; }  // the peer has finished
  // Tells the peer why and closes.
  void refuse(mesh::Refusal reason, std::string detail);
  // Closes without a word: the peer sees a closed connection. The link may be gone when this returns.
  void cut();

  size_t queued_bytes() const { return link_.queued_bytes(); }
  size_t queued_bytes(mesh::Lane lane) const { return link_.queued_bytes(lane); }
  size_t queue_memory() const { return link_.queue_memory(); }
  bool dialled() const { return dialled_; }  // by us
  bool established() const { return peer_.has_value(); }
  const mesh::Established& peer() const { return *peer_; }
  MonoTime heard() const { return heard_; }  // when the last bytes came; before that, when it began
  const Endpoint& remote() const { return remote_; }
  const Endpoint& local() const { return local_; }
  // Why it ended: what the link said, or that the connection broke.
  const mesh::Closed& end() const { return end_; }

 private:
  runtime::Task<void> read_loop();
  runtime::Task<void> write_loop();
  void take(ByteView data);
  bool only_calls_wait() const;
  void drain_events();
  void arm_timer();
  void note_end(mesh::Refusal reason, bool by_peer, std::string detail);

  runtime::Loop& loop_;
  std::unique_ptr<runtime::Stream> stream_;
  mesh::Link link_;
  const bool dialled_;
  Owner& owner_;
  const Endpoint remote_;
  const Endpoint local_;
  std::optional<mesh::Established> peer_;
  mesh::Closed end_{};
  bool ended_ = false;
  bool stopped_ = false;
  bool reading_done_ = false;
  bool held_ = false;
  bool heard_out_ = false;
  MonoTime heard_;
  Bytes first_;
  runtime::Event output_;    // something to write, or the end
  runtime::Event released_;  // not held any more
  MonoTime armed_ = kNever;  // what timer_ waits for
  runtime::Timer timer_;
  runtime::Timer finish_timer_;
};

}  // namespace kith::cluster
