#include "cache/redis_connection.h"

#include "base/net.h"
#include "http/tls_stream.h"
#include "resp/request_writer.h"

namespace kith::cache {
namespace {

using resp::Reply;

Error within(const Error& cause, const std::string& name, std::string_view doing) {
  return Error(cause.code(), "redis " + name + ": " + std::string(doing) + ": " + cause.message(),
               Side::upstream);
}

// All addresses of the host in turn; each gets its share of the time that is left.
runtime::Task<Result<std::unique_ptr<runtime::Stream>>> dial(runtime::Ports& ports, RedisAddress address,
                                                             MonoTime deadline) {
  auto found = co_await ports.resolver.resolve(address.host, runtime::Family::any, deadline);
  if (!found) co_return within(found.error(), address.text(), "looking up its name");
  Error last(Code::unreachable, "redis " + address.text() + ": no address", Side::upstream);
  for (size_t i = 0; i < found->size(); ++i) {
    const MonoTime now = ports.loop.now();
    if (now >= deadline) break;
    const MonoTime share = now + (deadline - now) / static_cast<int64_t>(found->size() - i);
    const Endpoint to{(*found)[i], address.port};
    auto stream = co_await ports.network.connect(to, share);
    if (stream) co_return stream;
    last = Error(stream.error().code(), "redis: " + stream.error().message(), Side::upstream);
  }
  co_return last;
}

// A server from before HELLO, or one that forbids it to this user.
bool lacks_hello(const Reply& reply) {
  const std::string_view code = reply.error_code();
  return code == "ERR" || code == "NOPROTO" || code == "NOPERM";
}

// What may hold a password: wiped, and made in one piece, so that growing leaves no copy behind.
class Command {
 public:
  explicit Command(std::span<const std::string_view> args) {
    size_t size = 32;
    for (std::string_view arg : args) size += arg.size() + 32;
    bytes_.reserve(size);
    resp::append_command(bytes_, args);
  }
  Command(const Command&) = delete;
  Command& operator=(const Command&) = delete;
  ~Command() { crypto::wipe(bytes_); }
  ByteView view() const { return bytes_; }

 private:
  Bytes bytes_;
};

}  // namespace

runtime::Task<Result<std::unique_ptr<RedisConnection>>> RedisConnection::open(runtime::Ports& ports,
                                                                              const RedisConfig& config,
                                                                              RedisAddress address,
                                                                              MonoTime deadline) {
  auto stream = co_await dial(ports, address, deadline);
  if (!stream) co_return std::move(stream).error();
  std::unique_ptr<runtime::Stream> used = std::move(*stream);
  if (config.tls) {
    const std::string server_name = config.server_name.empty() ? address.host : config.server_name;
    auto secured = co_await http::tls_connect(std::move(used), config.tls, server_name, deadline);
    if (!secured) co_return within(secured.error(), address.text(), "TLS");
    used = std::move(*secured);
  }
  std::unique_ptr<RedisConnection> connection(new RedisConnection(std::move(used), address.text()));
  auto logged_in = co_await connection->log_in(config, deadline);
  if (!logged_in) co_return std::move(logged_in).error();
  co_return connection;
}

runtime::Task<Result<void>> RedisConnection::log_in(const RedisConfig& config, MonoTime deadline) {
  std::vector<std::string_view> args{"HELLO", "3"};
  if (!config.password.empty()) {
    const std::string_view user = config.username.empty() ? "default" : std::string_view(config.username);
    args.insert(args.end(), {"AUTH", user, config.password.reveal_text()});
  }
  args.insert(args.end(), {"SETNAME", config.client_name});
  const Command hello(args);
  auto reply = co_await exchange(hello.view(), 1, deadline);
  if (!reply) co_return std::move(reply).error();
  if (!reply->is_error()) {
    const Reply* role = reply->find("role");
    replica_ = role != nullptr && role->text == "replica";
    co_return Result<void>();
  }
  if (lacks_hello(*reply)) co_return co_await log_in_old(config, deadline);
  // A server that is loading its data answers so before it looks at the password.
  const Code code = reply->error_code() == "LOADING" ? Code::unavailable : Code::unauthenticated;
  const Side side = code == Code::unavailable ? Side::upstream : Side::config;
  co_return Error(code, "redis " + name_ + ": logging in: " + printable(reply->text), side);
}

runtime::Task<Result<void>> RedisConnection::log_in_old(const RedisConfig& config, MonoTime deadline) {
  if (!config.password.empty()) {
    std::vector<std::string_view> args{"AUTH"};
    if (!config.username.empty()) args.push_back(config.username);
    args.push_back(config.password.reveal_text());
    const Command auth(args);
    auto reply = co_await exchange(auth.view(), 1, deadline);
    if (!reply) co_return std::move(reply).error();
    if (reply->is_error())
      co_return Error(Code::unauthenticated, "redis " + name_ + ": logging in: " + printable(reply->text),
                      Side::config);
  }
  Bytes name;
  resp::append_command(name, {"CLIENT", "SETNAME", config.client_name});
  auto named = co_await exchange(name, 1, deadline);  // a server may refuse it: it is for people's eyes only
  if (!named) co_return std::move(named).error();
  co_return Result<void>();
}

runtime::Task<Result<Reply>> RedisConnection::exchange(ByteView commands, size_t replies, MonoTime deadline) {
  fit_ = false;  // until all is answered
  auto sent = co_await stream_->write_all(commands, deadline);
  if (!sent) co_return failed(sent.error(), "sending");
  Reply last;
  while (replies > 0) {
    const resp::ReplyParser::State state = parser_.next();
    if (state == resp::ReplyParser::State::refused) {
      const Code code = parser_.over_limit() ? Code::limit : Code::protocol;
      co_return failed(Error(code, std::string(parser_.error())), "its reply");
    }
    if (state == resp::ReplyParser::State::reply) {
      Reply reply = parser_.take();
      if (reply.is(Reply::Type::push)) continue;  // nobody asked for it
      last = std::move(reply);
      --replies;
      continue;
    }
    const MutableByteView room = parser_.space();
    auto n = co_await stream_->read(room, deadline);
    if (!n) co_return failed(n.error(), "waiting for its reply");
    if (*n == 0) co_return failed(Error(Code::reset, "it closed the connection"), "waiting for its reply");
    parser_.commit(*n);
  }
  fit_ = true;
  co_return last;
}

Error RedisConnection::failed(const Error& cause, std::string_view doing) const {
  return within(cause, name_, doing);
}

}  // namespace kith::cache
