#include "http/server_connection.h"

#include <algorithm>
#include <array>

#include "http/tls_stream.h"

namespace kith::http {
namespace {

// A request body that the handler left unread is read and dropped up to this size, to keep the
// connection; a longer one costs more than a new connection does.
constexpr uint64_t kMaxDiscard = 64 << 10;
// After an answer that closes, what the client still sends is dropped for this long: closing at once
// would reset the connection, and the reset can overtake the answer (RFC 9112 section 9.6).
constexpr Duration kLinger = 1s;
constexpr size_t kMaxLinger = 256 << 10;
// write_timeout is for progress: longer writes are cut into pieces, each with its own deadline.
constexpr size_t kWriteSlice = 64 << 10;

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

std::string_view ServerShared::http_date() {
  WallTime now = ports.loop.wall_now();
  int64_t second = unix_ms(now) / 1000;
  if (second != date_second) {
    date_second = second;
    date = format_http_date(now);
  }
  return date;
}

void ServerShared::flush_soon(ServerConnection* connection) {
  flusher->due.push_back(connection);
  if (std::exchange(flusher->posted, true)) return;
  ports.loop.post([box = flusher] {
    box->posted = false;
    // A connection that ends meanwhile takes itself off this list (see ~ServerConnection).
    while (!box->due.empty()) {
      ServerConnection* last = box->due.back();
      box->due.pop_back();
      last->flush_head();
    }
  });
}

// The stream given to the handler after 101: it ends the connection when it goes away.
class ServerConnection::Upgraded final : public EarlyStream {
 public:
  explicit Upgraded(ServerConnection& connection)
      : EarlyStream(*connection.stream_, connection.input_), connection_(connection) {
    connection_.upgraded_open_ = true;
  }
  ~Upgraded() override {
    connection_.upgraded_open_ = false;
    connection_.close();
  }

 private:
  ServerConnection& connection_;
};

ServerConnection::ServerConnection(ServerShared& shared, std::unique_ptr<runtime::Stream> stream)
    : shared_(shared),
      stream_(std::move(stream)),
      raw_(stream_.get()),
      parser_(HeadLimits{.max_head_bytes = shared.options.max_head_bytes,
                         .max_headers = shared.options.max_headers}) {
  origin_.peer = stream_->remote_endpoint();
  origin_.local = stream_->local_endpoint();
}

ServerConnection::~ServerConnection() {
  if (flush_due_) std::erase(shared_.flusher->due, this);
}

Duration ServerConnection::header_timeout() const {
  const ServerOptions& options = shared_.options;
  return options.read_header_timeout != Duration::zero() ? options.read_header_timeout : options.read_timeout;
}

runtime::Task<void> ServerConnection::run() {
  if (co_await secure()) {
    for (;;) {
      bool got = co_await read_head();
      if (!got) break;
      bool again = co_await serve_request();
      if (!again) break;
    }
  }
  close();
  co_await flushes_.close();
}

runtime::Task<bool> ServerConnection::secure() {
  if (!shared_.tls) co_return true;
  MonoTime deadline = shared_.deadline(header_timeout());
  auto secured = co_await tls_accept(std::move(stream_), shared_.tls, deadline);
  if (!secured) {
    raw_ = nullptr;
    shared_.log.debug("TLS handshake failed",
                      {{"peer", origin_.peer.text()}, {"error", secured.error().message()}});
    co_return false;
  }
  origin_.tls = true;
  origin_.tls_subject = (*secured)->peer_subject();
  stream_ = std::move(*secured);
  co_return true;
}

// --- reading ------------------------------------------------------------------------------------

runtime::Task<bool> ServerConnection::read_head() {
  const ServerOptions& options = shared_.options;
  parser_.reset();
  input_.shrink();
  bool begun = false;
  MonoTime started{};
  MonoTime deadline = shared_.deadline(first_ ? header_timeout() : options.idle_timeout);
  for (;;) {
    if (!input_.empty()) {
      if (!std::exchange(begun, true)) {
        idle_ = false;
        started = shared_.ports.loop.now();
        deadline = shared_.deadline(header_timeout());
      }
      HeadState state = parser_.parse(input_.text());
      if (state == HeadState::refused) {
        co_await refuse(parser_.refusal());
        co_return false;
      }
      if (state == HeadState::complete) break;
    } else if (shared_.draining) {
      co_return false;
    } else {
      idle_ = true;
    }
    // The parser refuses a head that fills the limit, so there is room; it may pass over one empty line.
    auto n = co_await stream_->read(input_.space(options.max_head_bytes + 2), deadline);
    if (!n || *n == 0) co_return false;
    input_.commit(*n);
  }
  input_.consume(parser_.size());
  head_ = parser_.take();
  first_ = false;
  read_budget_ = options.read_timeout - (shared_.ports.loop.now() - started);
  co_return true;
}

runtime::Task<Result<size_t>> ServerConnection::read(MutableByteView buffer) {
  if (aborted_) co_return Error(Code::closed, "aborted", Side::client);
  if (body_failed_) co_return Error(Code::reset, "the request body has failed", Side::client);
  if (body_.done()) co_return size_t{0};
  if (std::exchange(continue_due_, false) && !started_ && input_.empty()) {
    if (!try_lock_writes()) co_await wait_and_lock_writes();
    ByteView piece = as_bytes(kContinue);
    auto sent = co_await send(std::span<const ByteView>(&piece, 1));
    unlock_writes();
    if (!sent) co_return std::move(sent).error();
  }
  runtime::Loop& loop = shared_.ports.loop;
  MonoTime begun = loop.now();
  bool limited = shared_.options.read_timeout != Duration::zero();
  MonoTime deadline = limited ? begun + std::max(read_budget_, Duration::zero()) : kNever;
  auto n = co_await body_.read(*stream_, input_, buffer, deadline);
  read_budget_ -= loop.now() - begun;
  if (!n) {
    body_failed_ = true;
    stream_broken_ = n.error().code() == Code::timeout;
    co_return Error(n.error().code(), "request body: " + n.error().message(), Side::client);
  }
  bytes_in_ += *n;
  co_return n;
}

// --- the request --------------------------------------------------------------------------------

void ServerConnection::begin_request() {
  body_ = FramedBody(BodyDecoder(request_framing(head_), head_.content_length.value_or(0)));
  continue_due_ = head_.expects_continue;
  body_failed_ = stream_broken_ = started_ = finished_ = upgraded_ = false;
  keep_alive_ = head_.keep_alive;
  framing_ = Framing::none;
  length_left_ = 0;
  bytes_in_ = bytes_out_ = 0;
}

// True when the connection goes on.
runtime::Task<bool> ServerConnection::serve_request() {
  begin_request();
  ++shared_.in_flight;
  co_await shared_.handler.handle(*this);
  KITH_CHECK(!upgraded_open_);  // the stream of an upgrade does not outlive handle()
  if (!started_ && !aborted_) {
    ResponseHead head;
    head.status = 500;
    std::string text = "Internal error.\n";
    std::string type = "text/plain";
    (void)co_await respond(std::move(head), std::move(text), std::move(type));
  }
  --shared_.in_flight;
  // An answer that was begun and not finished is cut, so that it cannot pass for a whole one.
  if (aborted_ || upgraded_ || !finished_ || write_failed_) co_return false;
  idle_ = true;
  bool whole = body_.done();
  if (!whole && keep_alive_ && !shared_.draining) whole = co_await discard_body();
  if (whole && keep_alive_ && !shared_.draining) co_return true;
  if (!stream_broken_) co_await linger();
  co_return false;
}

// Reads the rest of a small body. A client that waits for "100 Continue" may or may not send its body
// now, so the next bytes cannot be told apart.
runtime::Task<bool> ServerConnection::discard_body() {
  if (head_.expects_continue && continue_due_) co_return false;
  if (body_failed_ || body_.due() > kMaxDiscard) co_return false;
  idle_ = false;
  std::array<uint8_t, 4096> sink;
  uint64_t dropped = 0;
  while (!body_.done() && dropped <= kMaxDiscard) {
    auto n = co_await read(sink);
    if (!n) co_return false;
    dropped += *n;
  }
  idle_ = true;
  co_return body_.done();
}

runtime::Task<void> ServerConnection::linger() {
  // For the end of TLS too, which has to be sent, and the client may not read.
  runtime::Timer late = shared_.ports.loop.call_after(kLinger, [this] { close(); });
  auto ended = co_await stream_->shutdown();
  if (!ended) co_return;
  std::array<uint8_t, 4096> sink;
  for (size_t dropped = 0; dropped < kMaxLinger;) {
    auto n = co_await stream_->read(sink, kNever);
    if (!n || *n == 0) co_return;
    dropped += *n;
  }
}

runtime::Task<void> ServerConnection::refuse(const Refusal& refusal) {
  shared_.log.debug("request refused",
                    {{"peer", origin_.peer.text()}, {"status", refusal.status}, {"why", refusal.why}});
  ResponseHead head;
  head.status = refusal.status;
  head.headers.add("Content-Type", "text/plain");
  std::string body = std::string(standard_reason(refusal.status)) + "\n";
  head.content_length = body.size();
  out_head_.clear();
  auto encoded = encode_response(
      out_head_, head, {.framing = Framing::length, .keep_alive = false, .date = shared_.http_date()});
  KITH_CHECK(encoded.has_value());
  out_head_ += body;
  if (!try_lock_writes()) co_await wait_and_lock_writes();
  ByteView piece = as_bytes(out_head_);
  auto sent = co_await send(std::span<const ByteView>(&piece, 1));
  unlock_writes();
  idle_ = true;
  if (sent) co_await linger();
}

// --- the response -------------------------------------------------------------------------------

Framing ServerConnection::choose_framing(const ResponseHead& head) const {
  ResponseHead any;
  any.status = head.status;
  if (response_framing(any, head_.method) == Framing::none) return Framing::none;
  if (head.content_length) return Framing::length;
  return head_.minor_version >= 1 ? Framing::chunked : Framing::until_close;
}

runtime::Task<Result<void>> ServerConnection::start(ResponseHead head) {
  KITH_CHECK(!started_);
  if (head.status < 200 || head.status > 599) co_return Error(Code::invalid, "not the status of an answer");
  Framing framing = choose_framing(head);
  bool keep_alive = keep_alive_ && !shared_.draining && !body_failed_ && framing != Framing::until_close;
  out_head_.clear();
  KITH_CO_TRY_VOID(encode_response(out_head_, head,
                                   {.framing = framing,
                                    .keep_alive = keep_alive,
                                    .request_minor = head_.minor_version,
                                    .date = shared_.http_date()}));
  framing_ = framing;
  keep_alive_ = keep_alive;
  length_left_ = head.content_length.value_or(0);
  started_ = true;
  if (aborted_) co_return Error(Code::closed, "aborted", Side::client);
  head_waits_ = true;
  if (!std::exchange(flush_due_, true)) shared_.flush_soon(this);
  co_return Result<void>();
}

runtime::Task<Result<void>> ServerConnection::write(ByteView data) {
  KITH_CHECK(started_ && !finished_ && !upgraded_);
  if (framing_ == Framing::none) co_return Result<void>();  // HEAD, 204, 304
  if (framing_ == Framing::length && data.size() > length_left_)
    co_return Error(Code::internal, "more body than its Content-Length");
  while (!data.empty()) {
    ByteView slice = data.first(std::min(data.size(), kWriteSlice));
    ChunkLine line(slice.size());
    std::array<ByteView, 3> pieces = {line.view(), slice, as_bytes(kChunkEnd)};
    std::span<const ByteView> framed(pieces);
    if (framing_ != Framing::chunked) framed = framed.subspan(1, 1);
    if (!try_lock_writes()) co_await wait_and_lock_writes();
    auto sent = co_await send(framed);
    unlock_writes();
    if (!sent) co_return sent;
    bytes_out_ += slice.size();
    if (framing_ == Framing::length) length_left_ -= slice.size();
    data = data.subspan(slice.size());
  }
  co_return Result<void>();
}

runtime::Task<Result<void>> ServerConnection::finish() {
  KITH_CHECK(started_ && !upgraded_);
  if (finished_) co_return Result<void>();
  if (framing_ == Framing::length && length_left_ > 0)
    co_return Error(Code::internal, "less body than its Content-Length");
  if (framing_ != Framing::chunked && !head_waits_ && !writing_) {  // all of it has gone out
    finished_ = true;
    co_return Result<void>();
  }
  ByteView last = as_bytes(kLastChunk);
  std::span<const ByteView> pieces(&last, framing_ == Framing::chunked ? 1 : 0);
  if (!try_lock_writes()) co_await wait_and_lock_writes();
  auto sent = co_await send(pieces);
  unlock_writes();
  if (!sent) co_return sent;
  finished_ = true;
  co_return Result<void>();
}

runtime::Task<Result<std::unique_ptr<runtime::Stream>>> ServerConnection::upgrade(ResponseHead head) {
  KITH_CHECK(!started_);
  if (head_.upgrade.empty()) co_return Error(Code::invalid, "the client asked for no upgrade");
  head.status = 101;
  std::string protocol =
      head.headers.get("upgrade").empty() ? head_.upgrade : std::string(head.headers.get("upgrade"));
  out_head_.clear();
  KITH_CO_TRY_VOID(encode_response(out_head_, head, {.date = shared_.http_date(), .upgrade = protocol}));
  started_ = upgraded_ = true;
  ByteView piece = as_bytes(out_head_);
  if (!try_lock_writes()) co_await wait_and_lock_writes();
  auto sent = co_await send(std::span<const ByteView>(&piece, 1));
  unlock_writes();
  if (!sent) co_return std::move(sent).error();
  std::unique_ptr<runtime::Stream> stream = std::make_unique<Upgraded>(*this);
  co_return stream;
}

// --- writing ------------------------------------------------------------------------------------

runtime::Task<void> ServerConnection::wait_and_lock_writes() {
  do {
    co_await writes_free_.wait_until(shared_.ports.loop, kNever);
  } while (!try_lock_writes());
}

void ServerConnection::unlock_writes() {
  writing_ = false;
  if (writes_free_.has_waiters()) writes_free_.notify_all();
}

runtime::Task<Result<void>> ServerConnection::send(std::span<const ByteView> pieces) {
  if (aborted_) co_return Error(Code::closed, "aborted", Side::client);
  if (stream_broken_) co_return Error(Code::timeout, "the request body did not come in time", Side::client);
  if (write_failed_) co_return *write_failed_;
  std::array<ByteView, 4> all;
  size_t count = 0;
  if (std::exchange(head_waits_, false)) all[count++] = as_bytes(out_head_);
  for (ByteView piece : pieces) all[count++] = piece;
  if (count == 0) co_return Result<void>();
  auto sent = co_await stream_->write(std::span<const ByteView>(all).first(count),
                                      shared_.deadline(shared_.options.write_timeout));
  if (!sent) {
    write_failed_ = Error(sent.error().code(), "response: " + sent.error().message(), Side::client);
    co_return *write_failed_;
  }
  co_return Result<void>();
}

void ServerConnection::flush_head() {
  flush_due_ = false;
  if (head_waits_ && !aborted_ && !flushes_.stopping()) flushes_.spawn(send_waiting_head());
}

runtime::Task<void> ServerConnection::send_waiting_head() {
  if (!try_lock_writes()) co_await wait_and_lock_writes();
  (void)co_await send({});  // its failure is met by the next write
  unlock_writes();
}

void ServerConnection::abort() {
  if (!std::exchange(aborted_, true)) close();
}

void ServerConnection::close_if_idle() {
  if (idle_) close();
}

void ServerConnection::close() {
  if (raw_ != nullptr) raw_->close();
}

}  // namespace kith::http
