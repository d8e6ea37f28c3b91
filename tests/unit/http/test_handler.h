// The application behind the server in these tests: its answer depends on the path.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "fake_world.h"
#include "http/server.h"
#include "runtime/sync.h"

namespace kith::http::test {

class TestHandler final : public Handler {
 public:
  explicit TestHandler(FakeLoop& loop) : loop_(loop) {}

  runtime::Task<void> handle(Exchange& exchange) override {
    current = &exchange;
    ++handled;
    const std::string& path = exchange.request().target.path;
    if (path == "/echo") {
      co_await echo(exchange);
    } else if (path == "/stream") {
      co_await stream(exchange, 0ms);
    } else if (path == "/drip") {
      co_await stream(exchange, 1s);
    } else if (path == "/upgrade") {
      co_await upgrade(exchange);
    } else if (path == "/large") {
      co_await reply(exchange, std::string(1 << 20, 'x'));
    } else if (path == "/medium") {
      co_await reply(exchange, std::string(20'000, 'x'));
    } else if (path == "/slow") {
      co_await runtime::sleep(loop_, 10s);
      co_await reply(exchange, "slow");
    } else if (path == "/cut") {
      co_await begin(exchange);
    } else if (path == "/abort") {
      co_await begin(exchange);
      exchange.abort();
      auto late = co_await exchange.write(as_bytes("more"));
      errors.push_back(late ? "none" : std::string(to_string(late.error().code())));
    } else if (path == "/split") {
      ResponseHead head;
      head.headers.add("Location", "/a\r\nSet-Cookie: evil=1");
      auto sent = co_await exchange.start(std::move(head));
      errors.push_back(sent ? "none" : std::string(to_string(sent.error().code())));
    } else if (path == "/empty") {
      ResponseHead head;
      head.status = 204;
      std::string none;
      std::string type;
      (void)co_await exchange.respond(std::move(head), std::move(none), std::move(type));
    } else if (path != "/nothing") {
      co_await reply(exchange, "hello");
    }
    current = nullptr;
  }

  Exchange* current = nullptr;  // the latest that is under way
  size_t handled = 0;
  std::vector<std::string> errors;

 private:
  static runtime::Task<void> reply(Exchange& exchange, std::string text) {
    ResponseHead head;
    std::string type = "text/plain";
    (void)co_await exchange.respond(std::move(head), std::move(text), std::move(type));
  }

  runtime::Task<void> echo(Exchange& exchange) {
    std::string body;
    Bytes buffer(1000);
    for (;;) {
      auto n = co_await exchange.body().read(buffer);
      if (!n) {
        errors.push_back(std::string(to_string(n.error().code())) + " " +
                         std::string(to_string(n.error().side())));
        ResponseHead bad;
        bad.status = 400;
        std::string text = "bad body";
        std::string type;
        (void)co_await exchange.respond(std::move(bad), std::move(text), std::move(type));
        co_return;
      }
      if (*n == 0) break;
      body += as_text(ByteView(buffer).first(*n));
    }
    co_await reply(exchange, std::move(body));
  }

  runtime::Task<void> stream(Exchange& exchange, Duration pause) {
    ResponseHead head;
    (void)co_await exchange.start(std::move(head));
    for (std::string_view piece : {"one", "two"}) {
      if (pause > Duration::zero()) co_await runtime::sleep(loop_, pause);
      auto sent = co_await exchange.write(as_bytes(piece));
      if (!sent) errors.push_back(std::string(to_string(sent.error().code())));
    }
    (void)co_await exchange.finish();
  }

  static runtime::Task<void> begin(Exchange& exchange) {
    ResponseHead head;
    (void)co_await exchange.start(std::move(head));
    (void)co_await exchange.write(as_bytes("begun"));
  }

  runtime::Task<void> upgrade(Exchange& exchange) {
    ResponseHead head;
    head.headers.add("Sec-WebSocket-Accept", "x");
    auto stream = co_await exchange.upgrade(std::move(head));
    if (!stream) {
      errors.push_back(std::string(to_string(stream.error().code())));
      co_return;
    }
    Bytes buffer(100);
    for (;;) {
      auto n = co_await (*stream)->read(buffer, kNever);
      if (!n) {
        errors.push_back(std::string(to_string(n.error().code())));
        co_return;
      }
      if (*n == 0) break;
      (void)co_await (*stream)->write_all(ByteView(buffer).first(*n), kNever);
    }
  }

  FakeLoop& loop_;
};

}  // namespace kith::http::test
