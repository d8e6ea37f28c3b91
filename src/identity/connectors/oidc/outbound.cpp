#include "identity/connectors/oidc/outbound.h"

#include <algorithm>

namespace kith::identity::oidc {
namespace {

class TextBody final : public http::BodyReader {
 public:
  explicit TextBody(std::string_view text) : rest_(as_bytes(text)) {}
  runtime::Task<Result<size_t>> read(MutableByteView buffer) override {
    size_t size = std::min(buffer.size(), rest_.size());
    std::copy_n(rest_.begin(), size, buffer.begin());
    rest_ = rest_.subspan(size);
    co_return size;
  }

 private:
  ByteView rest_;
};

http::ClientRequest make_request(const Call& call, Duration timeout) {
  http::ClientRequest request;
  request.url = call.url;
  request.head.headers.add("Accept", "application/json");
  request.head.headers.add("User-Agent", "kith");
  if (!call.authorization.empty()) request.head.headers.add("Authorization", call.authorization);
  if (!call.form.empty()) {
    request.head.method = "POST";
    request.head.headers.add("Content-Type", "application/x-www-form-urlencoded");
    request.head.content_length = call.form.size();
  }
  request.tls = call.tls;
  request.head_timeout = timeout;
  return request;
}

runtime::Task<Result<std::string>> read_all(http::ClientResponse& response, size_t max_bytes) {
  std::string text;
  Bytes buffer(16 << 10);
  for (;;) {
    Result<size_t> size = co_await response.body().read(buffer);
    if (!size) co_return std::move(size).error();
    if (*size == 0) co_return text;
    if (*size > max_bytes - text.size())
      co_return Error(Code::limit, "the answer is too large", Side::upstream);
    text.append(as_text(ByteView(buffer).first(*size)));
  }
}

}  // namespace

runtime::Task<Result<Answer>> exchange(runtime::Loop& loop, http::Client& client, Call call,
                                       Duration timeout) {
  MonoTime deadline = loop.now() + timeout;
  TextBody form(call.form);
  http::ClientRequest request = make_request(call, timeout);
  if (!call.form.empty()) request.body = &form;
  Result<std::unique_ptr<http::ClientResponse>> sent = co_await client.send(std::move(request));
  if (!sent) co_return std::move(sent).error().within(call.url.origin());
  http::ClientResponse* response = sent->get();

  bool late = false;
  runtime::Timer timer = loop.call_at(deadline, [&late, response] {
    late = true;
    response->abort();
  });
  Result<std::string> body = co_await read_all(*response, call.max_bytes);
  timer.reset();
  if (!body) {
    response->abort();
    if (late)
      co_return Error(Code::timeout, call.url.origin() + ": the answer takes too long", Side::upstream);
    co_return std::move(body).error().within(call.url.origin());
  }
  Answer answer;
  answer.status = response->head().status;
  answer.content_type = std::string(response->head().headers.get("Content-Type"));
  answer.body = std::move(*body);
  co_return answer;
}

}  // namespace kith::identity::oidc
