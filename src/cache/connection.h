// One client of the Redis protocol: reads its commands, carries out what is about the connection itself,
// hands what is about keys to the executor, and writes the replies in the order of asking.
//
// Idea: commands are taken as long as there are any in what has arrived. Reads of keys are answered at once;
// from the first write on they gather in a batch, which goes to the control loop as one, so that a pipeline
// costs one crossing. Published messages come in between: a task of their own writes them when the connection
// is quiet.
#pragma once

#include <set>

#include "base/log.h"
#include "cache/clients.h"
#include "cache/executor.h"
#include "cache/pubsub.h"
#include "crypto/secret.h"
#include "crypto/tls.h"
#include "resp/request_parser.h"
#include "runtime/scope.h"
#include "runtime/sync.h"

namespace kith::cache {

struct EndpointConfig {
  std::string host;  // "": all addresses
  uint16_t port = 0;
  std::string username = "default";
  crypto::Secret password;  // empty: nobody is asked
  std::string tls;          // name of a profile; "": plain
  size_t max_connections = 10'000;
};

// What the connections of an endpoint share; outlives them.
struct EndpointShared {
  const EndpointConfig& config;
  Executor& executor;
  PubSub& pubsub;
  Clients& clients;
  std::shared_ptr<const crypto::TlsContext> tls;  // null: plain
  std::string node_name;
  MonoTime started;
  Log log;
};

// What clients that look at versions take for the features they use; what Kith is itself is in INFO.
inline constexpr std::string_view kRedisVersion = "7.0.15";

// Of a command with subcommands: the error for one that is unknown or has the wrong number of arguments, or
// "".
std::string subcommand_error(std::string_view container, Args args);

class Connection {
 public:
  Connection(EndpointShared& shared, runtime::Loop& loop, std::unique_ptr<runtime::Stream> stream);
  ~Connection();

  // Serves until the client or drain() ends it.
  runtime::Task<void> run();
  bool authenticated() const { return authenticated_; }
  // Ends after what has been asked is answered; at once when nothing was.
  void drain();
  void abort();

 private:
  enum class Step : uint8_t {
    done,      // the reply is written, or the command is in the batch
    batch,     // carry out the batch first, then look at this command again
    transact,  // carry out what MULTI has gathered
    close,     // ... after what is written has been sent
  };
  struct Queued {
    const Command* command;
    std::vector<std::string> args;
  };

  runtime::Task<bool> begin();
  runtime::Task<void> serve();
  // Of what has arrived. False when the connection is to be closed.
  runtime::Task<bool> serve_arrived();
  runtime::Task<void> run_batch(bool together = false);
  runtime::Task<void> transact();
  runtime::Task<void> flush();
  runtime::Task<void> finish_writing();
  runtime::Task<void> linger();
  void flush_soon();
  void close_if_drained();

  Step take(Args args);
  Step take_known(const Command& command, Args args);
  Step refuse(std::string_view error);
  Step refuse(const Command& command, std::string_view error);
  void forget_queued();
  bool queue(const Command& command, Args args);
  void deliver(const Publication& publication, const std::string* pattern);
  void note_card();
  resp::ReplyWriter reply() { return resp::ReplyWriter(out_, protocol_); }

  // connection_commands.cpp
  Step on_connection_command(const Command& command, Args args);
  void on_auth(Args args);
  void on_client(Args args);
  void on_client_list(Args args);
  void on_discard(Args args);
  void on_echo(Args args);
  void on_hello(Args args);
  void on_multi(Args args);
  void on_ping(Args args);
  void on_reset(Args args);
  void on_select(Args args);
  bool check_password(std::string_view username, std::string_view password);
  void set_authenticated(bool authenticated);
  bool set_name(std::string_view name);
  // connection_channels.cpp
  void on_psubscribe(Args args);
  void on_publish(Args args);
  void on_pubsub(Args args);
  void on_punsubscribe(Args args);
  void on_subscribe(Args args);
  void on_unsubscribe(Args args);
  void subscribe(Args args, bool pattern);
  void unsubscribe(Args args, bool pattern);
  void unsubscribe_all();
  void confirm(std::string_view what, std::optional<std::string_view> channel);
  // connection_server.cpp
  void on_command(Args args);
  void on_config(Args args);
  void on_info(Args args);
  void describe_server(std::string_view section, std::string& out);

  EndpointShared& shared_;
  runtime::Loop& loop_;
  std::unique_ptr<runtime::Stream> stream_;
  resp::RequestParser parser_;
  resp::Protocol protocol_ = resp::Protocol::resp2;
  bool authenticated_ = false;
  int database_ = 0;
  ClientCard::Text text_;  // what the card shows
  std::shared_ptr<ClientCard> card_;
  std::shared_ptr<Mailbox> mailbox_;
  std::set<std::string> channels_, patterns_;

  Batch batch_;
  bool in_multi_ = false, multi_failed_ = false;
  std::vector<Queued> queued_;
  size_t queued_bytes_ = 0;

  Bytes out_, sending_;
  Bytes held_;  // what was published while a transaction is answered: it comes after
  bool transacting_ = false, publishing_ = false;
  int wrong_passwords_ = 0;
  std::stop_source stop_;  // of what the executor has not begun
  bool writing_ = false, broken_ = false, draining_ = false, idle_ = false, ended_ = false;
  runtime::Event written_;
  runtime::Scope scope_;  // writers of what was published
};

}  // namespace kith::cache
