#include "http/client.h"

#include <algorithm>
#include <array>

#include "base/text.h"
#include "http/client_response.h"
#include "http/tls_stream.h"

namespace kith::http {
namespace {

constexpr size_t kMaxResponseHeaders = 200;
constexpr int kMaxInterim = 8;            // 1xx responses before the real one
constexpr size_t kSendBuffer = 32 << 10;  // request body
constexpr Duration kLastWords = 1s;       // for a response that came before our request was whole

bool is_idempotent(std::string_view method) {  // RFC 9110 section 9.2.2
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "TRACE" || method == "PUT" ||
         method == "DELETE";
}

Error upstream_error(const Error& cause, std::string_view doing) {
  return Error(cause.code(), std::string(doing) + ": " + cause.message(), Side::upstream);
}

Error protocol_error(std::string_view why) {
  return Error(Code::protocol, "response: " + std::string(why), Side::upstream);
}

// NTLM and Negotiate (RFC 4559) log in the connection: the next request on it, whoever sends it, would be
// that user's.
bool logs_in_connection(std::string_view credentials) {
  std::string_view scheme = credentials.substr(0, credentials.find(' '));
  return iequals(scheme, "NTLM") || iequals(scheme, "Negotiate");
}

bool is_of_one_user(const Headers& request, const Headers& response) {
  for (const Header& header : request) {
    if (header.is("Authorization") && logs_in_connection(header.value)) return true;
  }
  for (const Header& header : response) {
    if (!header.is("WWW-Authenticate")) continue;
    for (std::string_view challenge : split(header.value, ',')) {
      if (logs_in_connection(trim(challenge))) return true;
    }
  }
  return false;
}

// Where one attempt stands; decides whether it may be made again.
struct Progress {
  bool body_sent = false;  // a byte of the request's body may have left
  bool answered = false;   // a byte of the response has come
};

class LoopClient final : public Client {
 public:
  LoopClient(runtime::Ports& ports, ClientOptions options)
      : ports_(ports), options_(options), pool_(ports.loop, options_) {}

  runtime::Task<Result<std::unique_ptr<ClientResponse>>> send(ClientRequest request) override {
    KITH_CHECK(!request.head.has_body() || request.body != nullptr);
    KITH_CO_TRY_VOID(choose_tls(request));
    MonoTime total = kNever;
    if (request.total_timeout != Duration::zero()) total = ports_.loop.now() + request.total_timeout;
    PoolKey key{request.url.host, request.url.port, request.tls.get()};
    const bool repeatable = is_idempotent(request.head.method);
    std::unique_ptr<ClientConnection> kept = pool_.take(key);
    if (kept) {
      Progress progress;
      auto response = co_await attempt(std::move(kept), request, total, progress);
      bool stale = !response && response.error().side() == Side::upstream && !progress.answered &&
                   !progress.body_sent && response.error().code() != Code::timeout;
      if (!stale || !repeatable) co_return response;
    }
    auto fresh = co_await connect(std::move(key), request.tls, total);
    if (!fresh) co_return std::move(fresh).error();
    Progress progress;
    co_return co_await attempt(std::move(*fresh), request, total, progress);
  }

 private:
  Result<void> choose_tls(ClientRequest& request) {
    if (request.url.scheme != "https") {
      request.tls.reset();
    } else if (!request.tls) {
      if (!system_tls_) {
        KITH_TRY(system_tls_, crypto::make_client_context({}));
      }
      request.tls = system_tls_;
    }
    return {};
  }

  // All addresses in turn; each gets its share of the time that is left.
  runtime::Task<Result<std::unique_ptr<ClientConnection>>> connect(
      PoolKey key, std::shared_ptr<const crypto::TlsContext> tls, MonoTime total) {
    MonoTime deadline = std::min(total, ports_.loop.now() + options_.connect_timeout);
    std::string host = key.host;
    auto addresses = co_await ports_.resolver.resolve(host, runtime::Family::any, deadline);
    if (!addresses) co_return upstream_error(addresses.error(), "resolving " + key.host);
    Error last(Code::unreachable, "no address", Side::upstream);
    for (size_t i = 0; i < addresses->size(); ++i) {
      MonoTime now = ports_.loop.now();
      if (now >= deadline) break;
      MonoTime share = now + (deadline - now) / static_cast<int64_t>(addresses->size() - i);
      Endpoint to{(*addresses)[i], key.port};
      auto stream = co_await ports_.network.connect(to, share);
      if (!stream) {
        last = upstream_error(stream.error(), "connecting to " + key.host);
        continue;
      }
      auto connection = std::make_unique<ClientConnection>();
      connection->stream = std::move(*stream);
      if (tls) {
        auto secured = co_await tls_connect(std::move(connection->stream), tls, host, deadline);
        // Another address of the same name would show the same certificate.
        if (!secured) co_return upstream_error(secured.error(), "TLS with " + key.host);
        connection->stream = std::move(*secured);
      }
      connection->key = std::move(key);
      connection->tls = std::move(tls);
      co_return connection;
    }
    co_return last;
  }

  // One request on one connection. progress outlives the call.
  runtime::Task<Result<std::unique_ptr<ClientResponse>>> attempt(std::unique_ptr<ClientConnection> connection,
                                                                 ClientRequest& request, MonoTime total,
                                                                 Progress& progress) {
    auto sent = co_await send_request(*connection, request, total, progress);
    if (!sent && sent.error().side() != Side::upstream)
      co_return std::move(sent).error();  // the body's reader
    // A server that has seen enough answers and closes; its answer tells more than our failed write.
    MonoTime deadline = ports_.loop.now() + (sent ? request.head_timeout : kLastWords);
    auto head = co_await read_head(*connection, request, std::min(total, deadline), progress);
    if (!head) co_return sent ? std::move(head).error() : std::move(sent).error();
    bool reusable = sent.has_value() && !is_of_one_user(request.head.headers, head->headers);
    if (head->status == 101 && (request.head.upgrade.empty() || !sent))
      co_return protocol_error("an upgrade that nobody asked for");
    Framing framing = response_framing(*head, request.head.method);
    std::unique_ptr<ClientResponse> response =
        std::make_unique<PooledResponse>(ports_.loop, pool_, std::move(connection), std::move(*head), framing,
                                         reusable, PooledResponse::Deadlines{request.body_timeout, total});
    co_return response;
  }

  runtime::Task<Result<void>> write(ClientConnection& connection, std::span<const ByteView> pieces,
                                    const ClientRequest& request, MonoTime total) {
    MonoTime deadline = std::min(total, ports_.loop.now() + request.head_timeout);
    auto sent = co_await connection.stream->write(pieces, deadline);
    if (!sent) co_return upstream_error(sent.error(), "sending the request");
    co_return Result<void>();
  }

  // The head leaves together with the first bytes of the body.
  runtime::Task<Result<void>> send_request(ClientConnection& connection, ClientRequest& request,
                                           MonoTime total, Progress& progress) {
    std::string& head = connection.output;
    head.clear();
    if (request.host_header.empty()) request.host_header = request.url.authority();
    KITH_CO_TRY_VOID(encode_request(head, request.head, request.url.target, request.host_header));
    if (!request.head.has_body()) {
      ByteView piece = as_bytes(head);
      co_return co_await write(connection, std::span<const ByteView>(&piece, 1), request, total);
    }
    bool chunked = request.head.chunked;
    uint64_t left = request.head.content_length.value_or(0);
    auto buffer = std::make_unique_for_overwrite<uint8_t[]>(kSendBuffer);
    for (;;) {
      KITH_CO_TRY(size_t n, co_await request.body->read(MutableByteView(buffer.get(), kSendBuffer)));
      if (!chunked && (n > left || (n == 0 && left > 0)))
        co_return Error(Code::internal, "the request body is not of its Content-Length");
      left -= chunked ? 0 : n;
      progress.body_sent = true;
      ChunkLine line(n);
      std::array<ByteView, 4> pieces = {as_bytes(head), line.view(), ByteView(buffer.get(), n),
                                        as_bytes(kChunkEnd)};
      if (!chunked) pieces[1] = pieces[3] = {};
      KITH_CO_TRY_VOID(co_await write(connection, pieces, request, total));
      head.clear();
      if (n == 0 || (!chunked && left == 0)) co_return Result<void>();
    }
  }

  runtime::Task<Result<ResponseHead>> read_head(ClientConnection& connection, const ClientRequest& request,
                                                MonoTime deadline, Progress& progress) {
    HeadLimits limits{.max_head_bytes = options_.max_response_head_bytes, .max_headers = kMaxResponseHeaders};
    ResponseParser parser(limits);
    for (int interim = 0; interim <= kMaxInterim;) {
      HeadState state =
          connection.input.empty() ? HeadState::incomplete : parser.parse(connection.input.text());
      if (state == HeadState::refused) co_return protocol_error(parser.refusal().why);
      if (state == HeadState::complete) {
        connection.input.consume(parser.size());
        ResponseHead head = parser.take();
        if (head.status >= 200 || head.status == 101) co_return head;
        parser.reset();
        ++interim;
        continue;
      }
      auto n = co_await connection.stream->read(connection.input.space(limits.max_head_bytes), deadline);
      if (!n) co_return upstream_error(n.error(), "waiting for the response of " + request.url.host);
      if (*n == 0) co_return Error(Code::reset, "the connection ended before the response", Side::upstream);
      progress.answered = true;
      connection.input.commit(*n);
    }
    co_return protocol_error("too many interim responses");
  }

  runtime::Ports& ports_;
  ClientOptions options_;
  ClientPool pool_;
  std::shared_ptr<const crypto::TlsContext> system_tls_;
};

class TextBody final : public BodyReader {
 public:
  explicit TextBody(std::string text) : text_(std::move(text)) {}
  runtime::Task<Result<size_t>> read(MutableByteView buffer) override {
    size_t n = std::min(buffer.size(), text_.size() - at_);
    std::copy_n(text_.begin() + static_cast<long>(at_), n, buffer.begin());
    at_ += n;
    co_return n;
  }

 private:
  std::string text_;
  size_t at_ = 0;
};

}  // namespace

runtime::Task<Result<Client::Whole>> Client::fetch(ClientRequest request, std::string body,
                                                   size_t max_bytes) {
  request.head.chunked = false;
  request.head.content_length.reset();
  if (!body.empty() || request.head.method == "POST" || request.head.method == "PUT")
    request.head.content_length = body.size();
  if (request.total_timeout == Duration::zero()) request.total_timeout = 2 * request.head_timeout;
  TextBody reader(std::move(body));
  request.body = &reader;
  KITH_CO_TRY(auto response, co_await send(std::move(request)));
  Whole whole;
  whole.head = response->head();
  if (whole.head.status == 101) co_return protocol_error("an upgrade");
  Error too_large(Code::limit, "the response is larger than " + std::to_string(max_bytes) + " bytes",
                  Side::upstream);
  bool bounded = whole.head.content_length && *whole.head.content_length > max_bytes;
  std::array<uint8_t, 8192> buffer;
  for (;;) {
    KITH_CO_TRY(size_t n, co_await response->body().read(buffer));
    if (n == 0) break;
    if (bounded || n > max_bytes - whole.body.size()) co_return too_large;
    whole.body += as_text(ByteView(buffer).first(n));
  }
  co_return whole;
}

std::unique_ptr<Client> make_client(runtime::Ports& ports, ClientOptions options) {
  return std::make_unique<LoopClient>(ports, options);
}

}  // namespace kith::http
