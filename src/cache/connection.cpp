#include "cache/connection.h"

#include <algorithm>

#include "base/text.h"
#include "http/tls_stream.h"

namespace kith::cache {
namespace {

constexpr Duration kHandshake = 5s;
constexpr Duration kBeforeAuth = 30s;     // a stranger's patience is ours
constexpr Duration kWrite = 60s;          // without progress
constexpr size_t kWriteSoon = 1 << 20;    // replies that are sent before more is asked for
constexpr size_t kMaxWaiting = 32 << 20;  // published messages that a slow subscriber has not taken; as Redis
constexpr size_t kMaxQueued = 4 << 20;    // what a MULTI holds, with its bookkeeping
constexpr size_t kQueuedArg = 64;         // ... of each argument
constexpr size_t kWriteSlice = 256 << 10;  // has a deadline of its own: it is progress that is asked for
constexpr size_t kKeepBuffer = 64 << 10;   // capacity that an idle connection keeps
constexpr int kMaxWrongPasswords = 32;     // then the connection is closed
constexpr size_t kMaxBatch = 1024;         // commands
constexpr Duration kLinger = 1s;
constexpr size_t kMaxLinger = 256 << 10;
constexpr size_t kErrorText = 128;  // of what was typed, in an error

resp::RequestLimits limits_of(bool authenticated) {
  if (!authenticated) return resp::RequestLimits::before_auth();
  return {.max_args = 16 << 10};
}

// As Redis says it, with as much of the arguments as it shows.
std::string unknown_command(Args args) {
  std::string rest;
  for (size_t i = 1; i < args.size() && rest.size() < kErrorText; ++i)
    rest += "'" + shown(args[i], kErrorText - rest.size()) + "' ";
  return "ERR unknown command '" + shown(args[0]) + "', with args beginning with: " + rest;
}

std::string wrong_arity(std::string_view name) {
  return "ERR wrong number of arguments for '" + std::string(name) + "' command";
}

}  // namespace

Connection::Connection(EndpointShared& shared, runtime::Loop& loop, std::unique_ptr<runtime::Stream> stream)
    : shared_(shared), loop_(loop), stream_(std::move(stream)) {
  set_authenticated(shared_.config.password.empty());
  card_ =
      shared_.clients.add(stream_->remote_endpoint().text(), stream_->local_endpoint().text(), loop_.now());
  mailbox_ = std::make_shared<Mailbox>(
      loop_,
      [this](const Publication& publication, const std::string* pattern) { deliver(publication, pattern); });
}

Connection::~Connection() {
  unsubscribe_all();
  mailbox_->close();
  shared_.clients.remove(card_->id);
}

// ---------------------------------------------------------------- the connection's life

runtime::Task<void> Connection::run() {
  const bool begun = co_await begin();
  if (begun) co_await serve();
  unsubscribe_all();
  mailbox_->close();
  co_await finish_writing();
  if (!ended_ && !broken_ && !draining_) co_await linger();
  if (stream_) stream_->close();
  co_await scope_.close();
}

runtime::Task<bool> Connection::begin() {
  if (!shared_.tls) co_return true;
  auto secured = co_await http::tls_accept(std::move(stream_), shared_.tls, loop_.now() + kHandshake);
  if (!secured) {
    shared_.log.debug("TLS handshake failed",
                      {{"peer", card_->address}, {"error", secured.error().message()}});
    // Nothing is left to be read or written; what follows asks for a stream all the same.
    stream_ = nullptr;
    broken_ = true;
    co_return false;
  }
  stream_ = std::move(*secured);
  co_return true;
}

runtime::Task<void> Connection::serve() {
  while (!broken_ && !draining_) {
    // Before it has said who it is, a client has so long in all.
    const MonoTime deadline = authenticated_ ? kNever : card_->since + kBeforeAuth;
    idle_ = true;
    auto n = co_await stream_->read(parser_.space(), deadline);
    idle_ = false;
    ended_ = !n || *n == 0;
    if (ended_) co_return;
    parser_.commit(*n);
    const bool goes_on = co_await serve_arrived();
    if (!goes_on) co_return;
    co_await flush();
    if (parser_.idle()) parser_.shrink();
  }
}

runtime::Task<bool> Connection::serve_arrived() {
  for (;;) {
    const auto state = parser_.next();
    if (state == resp::RequestParser::State::incomplete) break;
    if (state == resp::RequestParser::State::refused) {
      co_await run_batch();
      reply().error("ERR " + parser_.error());
      co_return false;
    }
    Step step = take(parser_.args());
    if (step == Step::batch) {
      co_await run_batch();
      step = take(parser_.args());
    }
    ++shared_.clients.commands;
    if (step == Step::transact) co_await transact();
    if (step == Step::close || wrong_passwords_ >= kMaxWrongPasswords) co_return false;
    const bool full =
        batch_.count() >= kMaxBatch || batch_.writes() >= kMaxBatch || batch_.bytes() >= Batch::kMaxBytes;
    if (full) co_await run_batch();
    if (out_.size() >= kWriteSoon) co_await flush();
    if (broken_) co_return false;
  }
  co_await run_batch();
  co_return !broken_;
}

void Connection::drain() {
  draining_ = true;
  stop_.request_stop();
  close_if_drained();
}

// Nothing is asked and everything is written.
void Connection::close_if_drained() {
  if (draining_ && idle_ && !writing_ && out_.empty() && stream_) stream_->close();
}

void Connection::abort() {
  broken_ = true;
  stop_.request_stop();
  if (stream_) stream_->close();
}

// ---------------------------------------------------------------- writing

runtime::Task<void> Connection::flush() {
  if (writing_) {  // what is in out_ now will be written by whoever writes
    while (writing_ && out_.size() >= kWriteSoon)
      (void)co_await written_.wait_until(loop_, loop_.now() + kWrite);
    co_return;
  }
  writing_ = true;
  while (!out_.empty() && !broken_) {
    sending_.swap(out_);
    for (size_t at = 0; at < sending_.size() && !broken_;) {
      const ByteView slice = ByteView(sending_).subspan(at, std::min(kWriteSlice, sending_.size() - at));
      auto written = co_await stream_->write_all(slice, loop_.now() + kWrite);
      if (!written) abort();
      at += slice.size();
    }
    sending_.clear();
    if (sending_.capacity() > kKeepBuffer) sending_.shrink_to_fit();
  }
  out_.clear();
  if (out_.capacity() > kKeepBuffer) out_.shrink_to_fit();
  writing_ = false;
  written_.notify_all();
  close_if_drained();
}

runtime::Task<void> Connection::finish_writing() {
  while (writing_) (void)co_await written_.wait_until(loop_, loop_.now() + kWrite);
  co_await flush();
}

// What the client still sends is dropped for a while: closing at once would reset the connection, and the
// reset can overtake the last reply.
runtime::Task<void> Connection::linger() {
  const MonoTime deadline = loop_.now() + kLinger;
  // Over TLS there is something to write first, which a client that reads nothing would hold up.
  const runtime::Timer cut = loop_.call_at(deadline, [this] { stream_->close(); });
  auto ended = co_await stream_->shutdown();
  Bytes dropped(16 << 10);
  idle_ = true;
  for (size_t total = 0; ended && total < kMaxLinger;) {
    auto n = co_await stream_->read(dropped, deadline);
    if (!n || *n == 0) break;
    total += *n;
  }
  idle_ = false;
}

// Of what came without being asked for.
void Connection::flush_soon() {
  if (out_.size() + held_.size() > kMaxWaiting) {
    shared_.log.warn("a subscriber does not take what is published; its connection is closed",
                     {{"peer", card_->address}});
    return abort();
  }
  // Whoever is in the middle of commands writes when they are done.
  if (idle_ && !writing_ && !scope_.stopping()) scope_.spawn(flush());
}

void Connection::deliver(const Publication& publication, const std::string* pattern) {
  if (broken_) return;
  // Between the replies of a transaction there is room only for what it publishes itself, as with Redis.
  resp::ReplyWriter out(transacting_ && !publishing_ ? held_ : out_, protocol_);
  out.push(pattern == nullptr ? 3 : 4);
  out.bulk(std::string_view(pattern == nullptr ? "message" : "pmessage"));
  if (pattern != nullptr) out.bulk(std::string_view(*pattern));
  out.bulk(std::string_view(publication.channel));
  out.bulk(std::string_view(publication.payload));
  flush_soon();
}

// ---------------------------------------------------------------- commands

// In the order in which Redis checks: unknown, arity, authentication, subscriber, MULTI.
Connection::Step Connection::take(Args args) {
  const Command* command = find_command(args[0]);
  // An HTTP request, which somebody's page makes a browser send to a port of this machine: as Redis does.
  if (command == nullptr && (iequals(args[0], "POST") || iequals(args[0], "Host:"))) {
    shared_.log.warn("an HTTP request at the Redis endpoint: the connection is closed",
                     {{"peer", card_->address}});
    return Step::close;
  }
  // Errors are replies, too: after those that are gathered.
  const bool gathers = !batch_.empty();
  if (command == nullptr) return gathers ? Step::batch : refuse(unknown_command(args));
  if (!has_arity(*command, args.size()))
    return gathers ? Step::batch : refuse(*command, wrong_arity(command->name));
  if (command->place == Place::connection)
    if (std::string error = subcommand_error(command->name, args); !error.empty())
      return gathers ? Step::batch : refuse(*command, error);
  card_->last = loop_.now();
  card_->command = command->name.data();
  return take_known(*command, args);
}

Connection::Step Connection::refuse(std::string_view error) {
  multi_failed_ = multi_failed_ || in_multi_;
  reply().error(error);
  return Step::done;
}

// An EXEC that is refused ends the transaction and says so.
Connection::Step Connection::refuse(const Command& command, std::string_view error) {
  if (command.name != "exec") return refuse(error);
  forget_queued();
  if (error.starts_with("ERR ")) error.remove_prefix(4);
  reply().error("EXECABORT Transaction discarded because of: " + std::string(error));
  return Step::done;
}

void Connection::forget_queued() {
  in_multi_ = multi_failed_ = false;
  queued_.clear();
  queued_bytes_ = 0;
  note_card();
}

Connection::Step Connection::take_known(const Command& command, Args args) {
  const std::string_view name = command.name;
  if (command.place == Place::connection && !batch_.empty()) return Step::batch;
  const bool may = authenticated_ || name == "auth" || name == "hello" || name == "quit" || name == "reset";
  if (!may) return refuse(command, "NOAUTH Authentication required.");
  const bool subscribes = !channels_.empty() || !patterns_.empty();
  if (subscribes && protocol_ == resp::Protocol::resp2) {
    const bool allowed = name == "quit" || name == "reset" || name == "ping" || name == "subscribe" ||
                         name == "unsubscribe" || name == "psubscribe" || name == "punsubscribe";
    if (!allowed) {
      if (!batch_.empty()) return Step::batch;
      std::string full(name);
      if (name == "client" || name == "config" || name == "pubsub") full += "|" + lower(std::string(args[1]));
      return refuse(
          command,
          "ERR Can't execute '" + full +
              "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context");
    }
  }
  if (in_multi_ && queue(command, args)) return Step::done;
  if (command.place == Place::connection) return on_connection_command(command, args);
  if (!shared_.executor.ready()) {
    if (!batch_.empty()) return Step::batch;
    reply().error("LOADING this node has yet to catch up with its cluster");
    return Step::done;
  }
  const bool reads = place_of(command, args) == Place::read;
  if (!batch_.empty() && reads && looks_around(command)) return Step::batch;
  if (batch_.empty() && reads) {
    resp::ReplyWriter out = reply();
    shared_.executor.read(database_, command, args, out);
    return Step::done;
  }
  batch_.add(database_, args);
  return Step::done;
}

// False when it is to be carried out at once.
bool Connection::queue(const Command& command, Args args) {
  const std::string_view name = command.name;
  if (name == "exec" || name == "discard" || name == "multi" || name == "quit" || name == "reset")
    return false;
  size_t bytes = kQueuedArg;
  for (std::string_view arg : args) bytes += kQueuedArg + arg.size();
  if (queued_bytes_ + bytes > kMaxQueued) {
    multi_failed_ = true;
    reply().error("ERR the transaction is too large");
    return true;
  }
  queued_bytes_ += bytes;
  queued_.push_back({&command, {args.begin(), args.end()}});
  card_->queued = static_cast<int>(queued_.size());
  reply().simple("QUEUED");
  return true;
}

runtime::Task<void> Connection::run_batch(bool together) {
  if (batch_.empty()) co_return;
  Batch batch = std::exchange(batch_, {});
  Bytes replies =
      co_await shared_.executor.run(loop_, std::move(batch), protocol_, together, stop_.get_token());
  append(out_, replies);
}

runtime::Task<void> Connection::transact() {
  std::vector<Queued> commands = std::exchange(queued_, {});
  in_multi_ = false;
  queued_bytes_ = 0;
  note_card();
  if (std::exchange(multi_failed_, false)) {
    reply().error("EXECABORT Transaction discarded because of previous errors.");
    co_return;
  }
  // HELLO among them may change the protocol: the header is of the one before.
  reply().array(commands.size());
  transacting_ = true;
  for (const Queued& each : commands) {
    if (out_.size() > kMaxWaiting) abort();  // nobody reads this
    if (broken_) co_return;
    const std::vector<std::string_view> args(each.args.begin(), each.args.end());
    if (each.command->place != Place::connection && shared_.executor.ready()) {
      batch_.add(database_, args);
      continue;
    }
    co_await run_batch(true);
    (void)take_known(*each.command, args);
  }
  co_await run_batch(true);
  transacting_ = false;
  append(out_, held_);
  held_ = {};
}

void Connection::note_card() {
  text_.database = database_;
  text_.protocol = static_cast<int>(protocol_);
  text_.channels = channels_.size();
  text_.patterns = patterns_.size();
  card_->queued = in_multi_ ? static_cast<int>(queued_.size()) : -1;
  card_->set(text_);
}

void Connection::set_authenticated(bool authenticated) {
  authenticated_ = authenticated;
  parser_.set_limits(limits_of(authenticated));
}

}  // namespace kith::cache
